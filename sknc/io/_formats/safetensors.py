"""Files of the library safetensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats.sliced import SlicedArray
from sknc.io._formats.stored import StoredArray
from sknc.io._formats.torch_rows import TorchRows

_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "U32": "u4",
    "I32": "i4", "U64": "u8", "I64": "i8", "F16": "f2", "F32": "f4", "F64": "f8",
    "BF16": "f4",
}  # fmt: skip
_OTHER = "V1"  # refused when it is read


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the arrays of a ``.safetensors`` file."""
    with required("Reading .safetensors files", "safetensors", "io"):
        from safetensors import safe_open
    with safe_open(path, framework="numpy") as file:
        names = file.keys()
        return {name: _array(path, name, file.get_slice(name)) for name in names}


def _array(path: Path, name: str, found: Any) -> StoredArray:
    kind = found.get_dtype()
    dtype = np.dtype(_DTYPES.get(kind, _OTHER))
    opened = _widened if kind == "BF16" else _plain
    return SlicedArray(path, name, tuple(found.get_shape()), dtype, opened)


@contextmanager
def _plain(path: Path, name: str) -> Iterator[Any]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        yield file.get_slice(name)


@contextmanager
def _widened(path: Path, name: str) -> Iterator[TorchRows]:
    """Open an array of bfloat16, which NumPy does not have."""
    with required("Reading bfloat16 features", "torch", "torch"):
        import torch  # noqa: F401
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        yield TorchRows(file.get_slice(name))
