"""Arrays in files of weights."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats import arrays_in, is_known

CLASSES = ("classes", "classes_")
_TORCH = (".pt", ".pth", ".bin")


@dataclass(frozen=True, eq=False)
class Stored:
    """An array in a file; only its shape and dtype have been read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def split_name(name: str) -> tuple[str, str]:
    """Return the layer of an array, and the last part of its name."""
    layer, _, last = name.rpartition("." if "." in name else "/")
    return layer, last


def stored_in(path: Path) -> dict[str, Stored]:
    """Return all arrays of a file by name, except scalars."""
    if not path.is_file():
        msg = f"There is no file {path}: name that of the head's weights."
        raise FileNotFoundError(msg)
    if path.suffix.lower() in _TORCH:
        return _of_torch(path)
    if not is_known(path):
        msg = (
            f"{path} has an unknown format: expected .npz, .npy, .safetensors, or a "
            ".pt file of a state dict."
        )
        raise ValueError(msg)
    return {
        name: Stored(stored.shape, stored.dtype, partial(_read_whole, stored))
        for name, stored in arrays_in(path).items()
        if stored.shape
    }


def _read_whole(stored: Any) -> np.ndarray:
    n_rows = stored.shape[0]
    return np.concatenate([*stored.pieces(0, n_rows, max(1, n_rows))])


def _of_torch(path: Path) -> dict[str, Stored]:
    with required(f"Reading {path.name}", "torch", "torch"):
        import torch
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        what = " ".join(str(error).partition(". ")[0].split())[:100]
        msg = (
            f"{path} cannot be loaded as a state dict without running code ({what}). "
            "Save one with torch.save(model.state_dict(), path)."
        )
        raise ValueError(msg) from error
    return dict(_tensors("", content))


def _tensors(name: str, content: Any) -> Iterator[tuple[str, Stored]]:
    """Yield the named tensors of nested dictionaries, and lists of labels."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _tensors(f"{name}.{key}" if name else str(key), value)
    elif hasattr(content, "is_floating_point"):
        shape = tuple(content.shape)
        if content.is_floating_point():
            dtype, read = "float64", lambda: content.detach().double().numpy()
        elif len(shape) == 1 and not content.is_complex():
            dtype, read = "int64", lambda: content.long().numpy()
        else:  # not weights, such as a mask
            return
        yield name, Stored(shape, np.dtype(dtype), read)
    elif isinstance(content, (list, tuple)) and split_name(name)[1] in CLASSES:
        found = np.asarray(content)
        yield name, Stored(found.shape, found.dtype, lambda: found)
