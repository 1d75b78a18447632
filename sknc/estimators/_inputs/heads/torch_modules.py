"""
Torch modules as heads, by their weights or by their outputs.

If a layer multiplies by its own ``weight``, that is read. For any other module (with an
adapter, quantized, scaled) weights and bias are computed from its outputs, after a
check that these are an affine function of its inputs.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.tensors import check_tensor
from sknc._utils.wrappers import unwrapped

# Largest difference from an affine function, relative to the largest output.
_TOLERANCES = {"float64": 1e-6, "float32": 1e-3}
_COARSE = 0.05  # for half precision, and quantized weights or inputs
# Functions that are linear near one point, such as tanh, are not linear here.
_FAR = -30.0
_BLOCK = 1024
_QUIET = {"training": False, "_forward_hooks": {}, "_forward_pre_hooks": {}}


def is_module(candidate: Any) -> bool:
    """Whether an object is a torch module."""
    torch = arrays.torch_module()
    return torch is not None and isinstance(candidate, torch.nn.Module)


def layer_parts(module: Any) -> tuple[Array, Array | None] | None:
    """Return (weights, bias) of a layer that multiplies by them, or None."""
    module = unwrapped(module)
    if not _multiplies_by_its_weight(module):
        return None
    with _undisturbed(module):
        if _torch().nn.parameter.is_lazy(module.weight):
            raise _refusal(module, "which has seen no batch", "Run the model once.")
        weight, bias = plain(module.weight), plain(module.bias)
    return weight.flatten(1), bias


def _multiplies_by_its_weight(module: Any) -> bool:
    """Whether it is a linear layer or a 1x1 convolution, and nothing more."""
    # A subclass may use its weight differently, for example with an adapter.
    if "forward" in vars(module):
        return False
    nn = _torch().nn
    if isinstance(module, nn.Linear):
        return type(module).forward is nn.Linear.forward
    for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d):
        if isinstance(module, kind) and type(module).forward is kind.forward:
            return set(module.kernel_size) == {1} and module.groups == 1
    return False


def plain(values: Any) -> Any:
    """Return a tensor gathered and dense; other values are returned unchanged."""
    if not arrays.is_tensor(values):
        return values
    values = values.detach()
    if hasattr(values, "full_tensor"):  # sharded; every process must call this
        values = values.full_tensor()
    if values.is_quantized:
        values = values.dequantize()
    if values.layout != _torch().strided and not values.is_nested:
        values = values.to_dense()
    check_tensor("A head's weights", values)
    return values


def check_kind(module: Any) -> None:
    """Raise for modules that cannot be applied to features."""
    nn = _torch().nn
    if type(module).forward is nn.Module.forward and "forward" not in vars(module):
        raise _refusal(module, "which has no forward")
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        raise _refusal(module, "which takes indices", "Pass head=embedding.weight.")


def check_affine(module: Any, n_features: int) -> int:
    """Return the number of outputs of an affine module, or raise for other modules."""
    module = unwrapped(module)
    with _undisturbed(module):
        return int(_checked_offset(module, n_features).shape[1])


def affine_parts(module: Any, n_features: int) -> tuple[Array, Array]:
    """Return (weights, bias) of any affine module, float64, from its outputs."""
    module = unwrapped(module)
    with _undisturbed(module):
        offset = _checked_offset(module, n_features)
        columns = []
        for tile in arrays.tiles(n_features, _BLOCK):
            shape = (tile.stop - tile.start, n_features)
            unit_rows = _torch().zeros(shape, dtype=_torch().float32, device="cpu")
            unit_rows[:, tile].fill_diagonal_(1)
            columns.append(_outputs(module, unit_rows) - offset)
    return _torch().cat(columns).T.contiguous(), offset[0]


def _checked_offset(module: Any, n_features: int) -> Array:
    """Return the output of an affine module at zero, (1, K), or raise."""
    torch = _torch()
    place = {"dtype": torch.float32, "device": "cpu"}
    generator = torch.Generator("cpu").manual_seed(0)
    rows = torch.randn((2, n_features), generator=generator, **place)
    one, other = rows[:1], rows[1:]
    # One by one, because quantized layers round all rows of a batch together.
    rows = (0 * one, one, other, one + other, _FAR * one)
    outputs = torch.cat([_outputs(module, row) for row in rows])
    offset, changes = outputs[:1], outputs[1:] - outputs[:1]
    wrong = torch.stack(
        [changes[0] + changes[1] - changes[2], _FAR * changes[0] - changes[3]]
    )
    scales = torch.stack([outputs[:4].abs().max(), outputs.abs().max()])
    error = float((wrong.abs().amax(1) / scales.clamp_min(1e-300)).max())
    if error > _tolerance(module):  # NaN is reported elsewhere
        raise _refusal(
            module,
            f"which is not linear: its outputs differ from W x + b by {error:.2g} of "
            "their size",
            "Normalize or transform the features like the module, and pass the weights "
            "that multiply them: head=(weights, bias).",
        )
    return offset


def _tolerance(module: Any) -> float:
    values = (*module.parameters(), *module.buffers())
    dtypes = {arrays.dtype_name(value) for value in values}
    if not dtypes or dtypes & {"int8", "uint8"}:
        return _COARSE
    return _TOLERANCES.get(arrays.dtype_name(_like(module)), _COARSE)


def _like(module: Any) -> Array:
    """Return a tensor with the dtype and device of a module's input."""
    for value in (*module.parameters(), *module.buffers()):
        if value.is_floating_point() and value.itemsize > 1:
            return value
    return _torch().empty(0, dtype=_torch().float32, device="cpu")


def _outputs(module: Any, rows: Array) -> Array:
    """Return the outputs of a module for rows of features, float64, (B, K)."""
    like = _like(module)
    rows = rows.to(device=like.device, dtype=like.dtype)
    try:
        found = module.forward(rows)
        return found.to(_torch().float64).reshape(len(rows), -1)
    except Exception as error:
        first_line = str(error).partition("\n")[0]
        raise _refusal(
            module,
            f"which cannot be applied to features of shape {tuple(rows.shape)}: "
            f"{type(error).__name__}: {first_line}",
        ) from error


@contextmanager
def _undisturbed(module: Any) -> Iterator[None]:
    """Set evaluation mode without hooks, gradients and autocast, temporarily."""
    torch = _torch()
    device = _like(module).device
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        if torch.amp.is_autocast_available(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        devices = [device] if device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices))
        stack.callback(torch.set_float32_matmul_precision, precision)
        torch.set_float32_matmul_precision("highest")
        for part in module.modules():
            before = {name: vars(part)[name] for name in _QUIET if name in vars(part)}
            stack.callback(vars(part).update, before)
            vars(part).update({name: _QUIET[name] for name in before})
        yield


def _refusal(module: Any, why: str, remedy: str = "") -> TypeError:
    hint = _hint(module) or (f" {remedy}" if remedy else "")
    return TypeError(
        "head must be a torch.nn.Linear or another linear layer, a fitted scikit-learn "
        "linear classifier, a LinearHead, (weights, bias) or weights, got "
        f"{type(module).__name__}, {why}.{hint}"
    )


def _hint(module: Any) -> str:
    """Return a hint with the last linear layer inside the module."""
    linear = _torch().nn.Linear
    names = [name for name, part in module.named_modules() if isinstance(part, linear)]
    if not any(names):
        return ""
    last = names[-1]
    path = f".{last}" if last.isidentifier() else f".get_submodule({last!r})"
    return f" Pass its last linear layer, such as model{path}."


def _torch() -> Any:
    """Return torch, which is imported if there is a module."""
    torch = arrays.torch_module()
    assert torch is not None
    return torch
