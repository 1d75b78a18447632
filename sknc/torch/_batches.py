"""Split what a loader yields into inputs, labels and sample weights."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

_LABELS = ("labels", "label")


@dataclass(frozen=True, eq=False)
class ModelBatch:
    """Inputs, labels and weights of one batch."""

    labels: Any  # as the loader yielded them
    args: tuple[Any, ...] = ()  # positional arguments of the model
    kwargs: dict[str, Any] = field(default_factory=dict)
    weights: Any = None

    def call(self, model: nn.Module, device: torch.device, **more: Any) -> Any:
        """Call the model on the batch, on a device."""
        args = [moved(value, device) for value in self.args]
        kwargs = {key: moved(value, device) for key, value in self.kwargs.items()}
        return model(*args, **kwargs, **more)


def unpacked(
    batch: Any, model: nn.Module, unpack: Callable[[Any], Any] | None
) -> ModelBatch:
    """Split a batch with the user's function, or by its type."""
    if unpack is not None:
        return _of_unpack(unpack(batch))
    if isinstance(batch, Mapping):
        return _of_mapping(dict(batch), model)
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return _with_inputs(*batch)
    msg = (
        "The loader must yield (inputs, labels), or a mapping with 'labels', got "
        f"{_described(batch)}. For other batches pass a function that returns "
        "(inputs, labels), for example unpack=lambda batch: (batch[0], batch[1])."
    )
    if isinstance(batch, torch.Tensor):
        msg += " If the loader is one batch, pass it in a list: [(inputs, labels)]."
    raise ValueError(msg)


def _of_unpack(found: Any) -> ModelBatch:
    if isinstance(found, (tuple, list)) and len(found) in (2, 3):
        return _with_inputs(*found)
    msg = (
        "unpack must return (inputs, labels) or (inputs, labels, sample_weight), got "
        f"{_described(found)}. Inputs are a tensor, a tuple of positional arguments or "
        "a dictionary of keyword arguments of the model."
    )
    raise ValueError(msg)


def _described(found: Any) -> str:
    is_tuple = isinstance(found, (tuple, list))
    return f"{len(found)} parts" if is_tuple else f"a {type(found).__name__}"


def _with_inputs(inputs: Any, labels: Any, weights: Any = None) -> ModelBatch:
    if isinstance(inputs, Mapping):
        return ModelBatch(labels, kwargs=dict(inputs), weights=weights)
    args = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    return ModelBatch(labels, args, weights=weights)


def _of_mapping(batch: dict[str, Any], model: nn.Module) -> ModelBatch:
    found = [key for key in _LABELS if key in batch]
    if len(found) != 1:
        msg = (
            "A batch that is a mapping must have 'labels' or 'label', got "
            f"{list(batch)}. For other batches pass a function that returns (inputs, "
            "labels), for example unpack=lambda batch: ({'x': batch['x']}, batch['y'])."
        )
        raise ValueError(msg)
    labels = batch.pop(found[0])
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        batch["labels"] = labels  # the decoder's inputs are computed from them
    return ModelBatch(labels, kwargs=batch)


def moved(value: Any, device: torch.device) -> Any:
    """Move inputs of a model, with all tensors inside, to a device."""
    if hasattr(value, "to"):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {key: moved(item, device) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(moved(item, device) for item in value)
    return value


def device_of(model: nn.Module, device: Any) -> torch.device:
    """Return the device for the inputs of a model."""
    if device is not None:
        return torch.device(device)
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            return torch.device(tensor.device)
    return torch.device("cpu")


def takes_labels(model: nn.Module) -> bool:
    """Whether a model accepts labels and returns its loss."""
    parameters = inspect.signature(model.forward).parameters
    passes_on = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    return "labels" in parameters or (passes_on and hasattr(model, "config"))
