"""HDF5 files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats.sliced import SlicedArray
from sknc.io._formats.stored import StoredArray


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the data sets of an HDF5 file; those in groups as ``"group/name"``."""
    with required("Reading HDF5 files", "h5py", "io"):
        import h5py
    found: dict[str, StoredArray] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None:
            found[name] = _array(path, name, item)

    with h5py.File(path, "r") as file:
        file.visititems(add)
    return found


def _array(path: Path, name: str, item: Any) -> StoredArray:
    import h5py

    text = h5py.check_string_dtype(item.dtype) is not None
    chunk_rows = item.chunks[0] if item.chunks else 1
    return SlicedArray(
        path,
        name,
        tuple(item.shape),
        np.dtype(str) if text else item.dtype,
        _opened_text if text else _opened,
        chunk_rows,
    )


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    import h5py

    with h5py.File(path, "r") as file:
        yield file[name]


@contextmanager
def _opened_text(path: Path, name: str) -> Iterator[Any]:
    with _opened(path, name) as array:
        yield array.asstr()
