"""Check that tensors are plain arrays of numbers."""

from typing import Any

from sknc._utils.arrays import torch_module


def check_tensor(what: str, tensor: Any) -> None:
    """Raise for a tensor that is not dense, has no data, or is part of a whole."""
    found = _unusual(tensor)
    if found:
        msg = f"{what} must be a dense tensor, got a {found[0]} one. {found[1]}"
        raise ValueError(msg)


def _unusual(tensor: Any) -> tuple[str, str] | None:
    """Return what is unusual about a tensor, and the remedy."""
    torch = torch_module()
    assert torch is not None
    if tensor.is_nested:
        return "nested", "Pass torch.cat(tensor.unbind()), with one label per row."
    if hasattr(tensor, "full_tensor"):
        return "distributed", "Pass tensor.to_local() in each process, and merge."
    if hasattr(tensor, "get_mask"):
        return "masked", "Drop the masked rows, with their labels."
    if tensor.is_quantized:
        return "quantized", "Pass tensor.dequantize()."
    if tensor.layout != torch.strided:
        return "sparse", "Pass tensor.to_dense()."
    if tensor.device.type == "meta":
        return "meta", "It has no data: move the model and its inputs to a device."
    return None
