"""Questions about one module of a model: whether it could be the head, its name."""

from typing import Any

import torch
from torch import nn

from sknc._utils.wrappers import unwrapped

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def is_compiled(model: nn.Module) -> bool:
    """Whether a part of a model is compiled, so that its hooks may be skipped."""
    return any(
        "_orig_mod" in part._modules or getattr(part, "_compiled_call_impl", None)
        for part in model.modules()
    )


def is_pointwise(module: nn.Module) -> bool:
    """Whether a module is a 1x1 convolution, a linear head for each place of a map."""
    return (
        isinstance(module, _CONVOLUTIONS)
        and set(module.kernel_size) == {1}
        and module.groups == 1
    )


def could_be_head(module: nn.Module) -> bool:
    """Whether a module, or one of its parts, multiplies by a matrix."""
    return any(map(multiplies, module.modules()))


def multiplies(module: nn.Module) -> bool:
    """Whether a module multiplies by a weight matrix, and is not an embedding."""
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return False
    weight = getattr(module, "weight", None)
    if isinstance(weight, torch.Tensor):
        return weight.ndim == 2 or is_pointwise(module)
    return callable(weight)  # quantized layers unpack their weight on call


def classes_last(module: nn.Module, tensor: torch.Tensor) -> torch.Tensor:
    """Move the channels of a 1x1 convolution's input or output to the end."""
    if is_pointwise(module) and tensor.ndim == module.weight.ndim:
        return tensor.movedim(1, -1)
    return tensor


def name_of(model: nn.Module, module: nn.Module) -> str:
    """Return the name of a module inside a model; empty for the model itself."""
    names: dict[nn.Module, str] = {part: name for name, part in model.named_modules()}
    return names[module]


def named_module(model: nn.Module, head: Any) -> nn.Module:
    """Return the part of a model given by name or as a module."""
    names = dict(model.named_modules())
    if isinstance(head, nn.Module):
        inside = set(names.values())
        if head not in inside:
            head = unwrapped(head)
        if head in inside:
            return head
        found = f"a {type(head).__name__} that is not a part of the model"
    elif isinstance(head, str):
        if head in names:
            return names[head]
        found = repr(head)
    else:
        found = f"a {type(head).__name__}"
    msg = (
        "head must be a part of the model, or its name as in model.named_modules(), "
        f"got {found}. Candidates: {_last_candidates(names)}."
    )
    raise (ValueError if isinstance(head, (str, nn.Module)) else TypeError)(msg)


def _last_candidates(names: dict[str, nn.Module]) -> str:
    found = [repr(name) for name, part in names.items() if name and multiplies(part)]
    return ", ".join(found[-5:]) or "none, the model has no linear layer"
