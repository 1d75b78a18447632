"""Weights and bias of a head, and whether they reproduce its logits."""

import torch
from torch import nn

from sknc.head import LinearHead
from sknc.torch._head_modules import is_pointwise
from sknc.torch._outputs import Call

_N_ROWS = 64  # to check; a wrong head is wrong on any of them
# Allowed differences, in units of rounding of one number.
_OF_OUTPUT = 4
_OF_SUMS = 16
_OF_DERIVED = 256  # weights computed as differences of outputs
_QUANTIZED = 0.05  # relative to the largest logit


def excess_error(
    call: Call, head: LinearHead, features: torch.Tensor, logits: torch.Tensor
) -> tuple[float, float]:
    """
    Return the largest difference of W h + b from the logits, and the allowed one.

    Both are relative to the largest logit, unless all logits are zero. Features are
    (..., D), logits (..., K).
    """
    rows, wanted = features.reshape(-1, features.shape[-1]), logits
    wanted = wanted.reshape(-1, logits.shape[-1])
    module = call.module
    step = max(1, len(rows) // _N_ROWS)
    rows, wanted = rows[::step].double(), wanted[::step].double()
    weights, bias = head.weights, head.bias
    if features.dtype != torch.float64:  # autocast rounds the weights too
        weights = weights.to(features.dtype).double()
    weights = weights.to(rows.device)
    made = rows @ weights.T
    if bias is not None:
        made = made + bias.to(rows.device)
    size = float(wanted.abs().max())
    lengths = float(rows.norm(dim=1).max()) * float(weights.norm(dim=1).max())
    n_units = _OF_SUMS if is_read(module) else _OF_DERIVED
    allowed = (
        _OF_OUTPUT * torch.finfo(call.output.dtype).eps * size
        + n_units * _rounding_of_sums(module, features) * lengths
    )
    if _is_quantized(module):
        allowed = max(allowed, _QUANTIZED * size)
    unit = size or 1.0
    return float((made - wanted).abs().max()) / unit, allowed / unit


def is_read(module: nn.Module) -> bool:
    """Whether weights are stored by the module, and not derived from its outputs."""
    return type(module) is nn.Linear or is_pointwise(module)


def _is_quantized(module: nn.Module) -> bool:
    return any(callable(getattr(m, "weight", None)) for m in module.modules())


def _rounding_of_sums(module: nn.Module, features: torch.Tensor) -> float:
    """Return the rounding of products; half precision is summed in float32."""
    if features.dtype == torch.float64:
        return float(torch.finfo(torch.float64).eps)
    precision = torch.get_float32_matmul_precision()
    if features.is_cuda and is_pointwise(module) and torch.backends.cudnn.allow_tf32:
        precision = "high"
    return {
        "highest": float(torch.finfo(torch.float32).eps),
        "high": 2.0**-10,  # TF32
        "medium": 2.0**-7,  # bfloat16
    }[precision]
