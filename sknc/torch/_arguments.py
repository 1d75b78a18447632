"""Checks of arguments shared by the functions on models."""

from typing import Any

from torch import nn

from sknc._utils.wrappers import unwrapped


def checked_model(model: Any) -> nn.Module:
    """Return a model without its wrappers, or raise if it is not a module."""
    if isinstance(model, nn.Module):
        return unwrapped(model)
    msg = f"model must be a torch.nn.Module, got {type(model).__name__}."
    raise TypeError(msg)


def check_loaders(**loaders: Any) -> None:
    """Check that loaders are iterable."""
    for name, loader in loaders.items():
        if not any(hasattr(type(loader), m) for m in ("__iter__", "__getitem__")):
            msg = (
                f"{name} must be an iterable of batches, such as a DataLoader or a "
                f"list, got {type(loader).__name__}."
            )
            raise TypeError(msg)


def checked_cache(cache: Any) -> float | None:
    """Return the number of bytes to keep, or None to keep nothing."""
    if cache == "none":
        return None
    is_number = isinstance(cache, (int, float)) and not isinstance(cache, bool)
    if is_number and cache >= 0:
        return float(cache)
    msg = (
        "cache must be a number of bytes of at least 0, or 'none' for a second pass, "
        f"got {cache!r}."
    )
    raise ValueError(msg)
