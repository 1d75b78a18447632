"""Zarr arrays and groups, in folders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats.sliced import SlicedArray
from sknc.io._formats.stored import StoredArray


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the array of a ``.zarr`` folder, or those of a group."""
    with required("Reading .zarr folders", "zarr", "io"):
        import zarr
    found = zarr.open(str(path), mode="r")
    if isinstance(found, zarr.Array):
        members = [("", found)]
    else:
        members = [*found.members(max_depth=None)]
    return {
        name: SlicedArray(
            path, name, tuple(item.shape), _dtype(item), _opened, _chunk_rows(item)
        )
        for name, item in members
        if isinstance(item, zarr.Array)
    }


def _dtype(item: Any) -> np.dtype:
    return np.dtype(str) if item.dtype.kind in "OT" else np.dtype(item.dtype)


def _chunk_rows(item: Any) -> int:
    shape = item.shards or item.chunks
    return max(1, shape[0]) if shape else 1


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Any]:
    import zarr

    found = zarr.open(str(path), mode="r")
    yield found[name] if name else found
