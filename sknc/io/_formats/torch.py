"""Tensors saved by torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats.errors import FileFormatError
from sknc.io._formats.sliced import SlicedArray
from sknc.io._formats.stored import StoredArray
from sknc.io._formats.torch_rows import TorchRows


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the tensors of a ``.pt`` file: a single one, or those of a dictionary."""
    return {
        name: SlicedArray(path, name, tuple(tensor.shape), _dtype(tensor), _opened)
        for name, tensor in _tensors(path).items()
    }


def _tensors(path: Path) -> dict[str, Any]:
    """Return dense tensors, mapped."""
    with required("Reading .pt files", "torch", "torch"):
        import torch
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, UnpicklingError) as error:
        raise _refused(path, error) or error from None
    if not isinstance(found, Mapping):
        found = {"": found}
    return {
        str(name): item.detach()
        for name, item in found.items()
        if isinstance(item, torch.Tensor) and item.layout == torch.strided
    }


def _refused(path: Path, error: Exception) -> FileFormatError | None:
    """Return the error for a file that torch refuses but that may be intact."""
    if "mmap can only be used" in str(error):
        msg = (
            f"{path} is truncated, or in torch's old format, which cannot be read some "
            "rows at a time. Save it again with torch.save(X, path)."
        )
        return FileFormatError(msg)
    if "weights_only" in str(error):
        msg = (
            f"{path} contains Python objects, which are not loaded because doing so "
            "could run code. Save only tensors: "
            "torch.save({'features': X, 'labels': y}, path)."
        )
        return FileFormatError(msg)
    return None


def _dtype(tensor: Any) -> np.dtype:
    """Return the NumPy dtype in which a tensor's rows are read."""
    name = str(tensor.dtype).removeprefix("torch.")
    try:
        return np.dtype("float32" if name == "bfloat16" else name)
    except TypeError:  # such as float8, which is refused when it is read
        return np.dtype("V1")


@contextmanager
def _opened(path: Path, name: str) -> Iterator[TorchRows]:
    yield TorchRows(_tensors(path)[name])
