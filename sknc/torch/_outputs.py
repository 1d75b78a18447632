"""Find the logits in whatever a model returns."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch

from sknc.torch._head_modules import classes_last


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a module in a forward pass; convolutions have channels last."""

    module: torch.nn.Module
    features: torch.Tensor  # (..., D), a copy of its input
    output: torch.Tensor  # (..., K), its output

    @classmethod
    def of(
        cls, module: torch.nn.Module, features: torch.Tensor, output: torch.Tensor
    ) -> "Call":
        """Return a call with classes and features on the last axis."""
        return cls(
            module,
            classes_last(module, features),
            classes_last(module, output.detach()),
        )


def tensors_of(output: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield (path, tensor) of the floating-point tensors that a model returns."""
    items: Iterable[tuple[str, Any]] = [("", output)]
    if isinstance(output, Mapping):  # also the outputs of transformers
        items = ((f"[{key!r}]", item) for key, item in output.items())
    elif isinstance(output, (tuple, list)):
        items = ((f"[{i}]", item) for i, item in enumerate(output))
    elif is_dataclass(output) and not isinstance(output, type):
        items = ((f".{f.name}", getattr(output, f.name)) for f in fields(output))
    # No deeper: nested parts of an output belong to parts of the model.
    for path, item in items:
        if isinstance(item, torch.Tensor) and item.is_floating_point():
            yield path, item.detach()


def logits_among(output: Any) -> list[tuple[str, torch.Tensor]]:
    """Return the output named logits, or else all that could be logits."""
    found = list(tensors_of(output))
    named = [item for item in found if item[0].endswith(("['logits']", ".logits"))]
    return named or found


def shares_memory(call: Call, logits: torch.Tensor) -> bool:
    """Whether logits share memory with the output of a call."""
    output = call.output
    if (output.device, output.dtype) != (logits.device, logits.dtype):
        return False
    places = [part.untyped_storage().data_ptr() for part in (output, logits)]
    return bool(output.numel()) and bool(places[0] == places[1])


def aligned(
    call: Call, logits: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """
    Return features (..., D) and logits (..., K), row by row, if they correspond.

    The logits may be the head's output, reshaped, cast, or some of its rows. Returns
    None if shapes or values do not match.
    """
    features, output = call.features, call.output
    n_classes = output.shape[-1]
    shown = classes_last(call.module, logits)
    if features.ndim != output.ndim or features.shape[:-1] != output.shape[:-1]:
        return None
    if shown.shape == output.shape:
        return features, shown
    if logits.numel() == output.numel():
        if logits.shape[-1:] == (n_classes,):
            return features.reshape(*logits.shape[:-1], -1), logits
        if n_classes == 1:  # squeezed
            return features.reshape(*logits.shape, -1), logits[..., None]
        return None
    return _scored_tokens(call, logits)


def _scored_tokens(
    call: Call, logits: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return the features of the one token of each sequence that is scored."""
    output = call.output
    if output.ndim != 3 or logits.ndim != 2:
        return None
    if (output.shape[0], output.shape[2]) != tuple(logits.shape):
        return None
    same = (output.to(logits.dtype) == logits[:, None]).all(-1)  # (B, T)
    if not bool(same.any(1).all()):
        return None
    last = same.shape[1] - 1 - same.flip(1).int().argmax(1)
    rows = torch.arange(len(last), device=last.device)
    return call.features[rows, last], logits
