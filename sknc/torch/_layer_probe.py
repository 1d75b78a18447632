"""Record and pool the features of several layers in each forward pass."""

import weakref
from typing import Any, Literal, Self

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from sknc.torch._head_modules import is_pointwise, multiplies
from sknc.torch._outputs import tensors_of

At = Literal["input", "output"]
Pooling = Literal["mean", "flatten"]


class LayerProbe:
    """
    Record the pooled features of layers while the context is open.

    Features are what a layer reads or what it returns. With `is_selection`, layers that
    do not run are skipped, and so are layers that read a tensor which an earlier layer
    has read.
    """

    def __init__(
        self,
        layers: dict[str, nn.Module],
        at: At,
        pooling: Pooling,
        is_selection: bool,
    ) -> None:
        self._layers, self._at, self._pooling = layers, at, pooling
        self._is_selection = is_selection
        self._handles: dict[str, Any] = {}
        self._seen: dict[str, torch.Tensor] = {}
        self._counts: dict[str, int] = {}
        self._read: list[tuple[Any, int]] = []
        self._names: list[str] | None = None
        self.silent: list[str] = []
        self.repeated: list[str] = []
        # (B, T), for batches of sequences: False or 0 for padding.
        self.mask: torch.Tensor | None = None

    def __enter__(self) -> Self:
        """Add the hooks."""
        for name, part in self._layers.items():
            if self._at == "input":
                hook = self._before(name)
                handle = part.register_forward_pre_hook(hook, with_kwargs=True)
            else:
                handle = part.register_forward_hook(self._after(name))
            self._handles[name] = handle
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the hooks."""
        self._remove(list(self._handles))

    def _remove(self, names: list[str]) -> None:
        for name in names:
            self._handles.pop(name).remove()

    def _before(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            values = (*args, *kwargs.values())
            tensors = (v for v in values if isinstance(v, torch.Tensor))
            found = next(tensors, None)
            is_float = found is not None and found.is_floating_point()
            self._record(name, module, found if is_float else None)

        return hook

    def _after(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            found = next((tensor for _, tensor in tensors_of(output)), None)
            self._record(name, module, found)

        return hook

    def _record(self, name: str, module: nn.Module, found: torch.Tensor | None) -> None:
        """Pool immediately, so that no map outlives its layer."""
        self._counts[name] = self._counts.get(name, 0) + 1
        if found is None or found.ndim < 2:
            return
        if self._names is None and self._is_selection and self._was_read(found):
            self.repeated.append(name)
            return
        self._seen[name] = pooled(found.detach(), module, self._pooling, self.mask)

    def _was_read(self, tensor: torch.Tensor) -> bool:
        """Whether another layer has read this tensor, as in attention (Q, K and V)."""
        version = 0 if tensor.is_inference() else tensor._version
        if any(ref() is tensor and at == version for ref, at in self._read):
            return True
        self._read.append((weakref.ref(tensor), version))
        return False

    def take(self) -> dict[str, torch.Tensor]:
        """
        Return the features (B, D) of the last forward pass, and drop them.

        Layers come in the order in which they ran in the first pass. Raises if a layer
        did not run exactly once, or has no floating-point features.
        """
        seen, self._seen = self._seen, {}
        counts, self._counts = self._counts, {}
        if self._names is None:
            self._begin(counts, seen)
        names = self._names or []
        for name in names:
            if counts.get(name, 0) != 1:
                raise _wrong_count(name, counts.get(name, 0))
            if name not in seen:
                verb = "read" if self._at == "input" else "returned"
                msg = (
                    f"The layer {name!r} {verb} no floating-point tensor whose first "
                    "axis is samples. Leave it out of layers=."
                )
                raise RuntimeError(msg)
        return {name: seen[name] for name in names}

    def _begin(self, counts: dict[str, int], seen: dict[str, torch.Tensor]) -> None:
        """Fix the order of the layers: that in which they first finished."""
        self._read = []
        order = list(dict.fromkeys([*seen, *self._layers]))
        if self._is_selection:
            self.silent = [name for name in order if not counts.get(name)]
            out = {*self.silent, *self.repeated}
            self._remove([name for name in order if name in out])
            order = [name for name in order if name not in out]
        self._names = order


def pooled(
    tensor: torch.Tensor, module: nn.Module, how: Pooling, mask: torch.Tensor | None
) -> torch.Tensor:
    """
    Return features (B, D) from (B, D), maps (B, C, H, W) or sequences (B, T, D).

    Convolutions have channels on axis 1, linear layers on the last axis. The mask (B,
    T) marks the tokens that count in the mean. The result is a copy, because the model
    may overwrite the layer's tensor.
    """
    if tensor.ndim == 2 or how == "flatten":
        flat = tensor.flatten(1)
        return flat.clone(memory_format=torch.contiguous_format)
    if _has_channels_last(tensor, module):
        if mask is not None and tensor.ndim == 3 and mask.shape == tensor.shape[:2]:
            counted = mask.to(tensor.device, tensor.dtype)[..., None]
            return (tensor * counted).sum(1) / counted.sum(1)
        return tensor.mean(tuple(range(1, tensor.ndim - 1)))
    return tensor.mean(tuple(range(2, tensor.ndim)))


def _has_channels_last(tensor: torch.Tensor, module: nn.Module) -> bool:
    if isinstance(module, (_ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)):
        return False
    is_linear = multiplies(module) and not is_pointwise(module)
    return tensor.ndim == 3 or is_linear or isinstance(module, nn.LayerNorm)


def _wrong_count(name: str, n_calls: int) -> RuntimeError:
    if n_calls:
        found = f"ran {n_calls} times"
        remedy = "Leave it out, or name the part of the model that calls it"
    else:
        found, remedy = "never ran", "Leave it out"
    return RuntimeError(
        f"The layer {name!r} {found} in a forward pass of the model: expected once. "
        f"{remedy}: layers=[...]."
    )
