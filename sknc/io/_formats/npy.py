"""NumPy's ``.npy`` files, and contiguous arrays mapped from any file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from sknc.io._formats.stored import StoredArray


@dataclass(frozen=True)
class MappedArray:
    """An array stored contiguously in a file."""

    path: Path
    offset: int  # bytes before the first number
    shape: tuple[int, ...]  # rows first
    dtype: np.dtype  # dtype in the file
    # Whether the array is stored in column-major order.
    columns_first: bool = False

    @property
    def end(self) -> int:
        """Return the position after the last byte of the array."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """
        Yield views of the file.

        Each view has a separate memory map, because pages of one map of the whole file
        would stay in memory until it is closed.
        """
        for first in range(start, stop, rows):
            yield self._rows(first, min(first + rows, stop))

    def _rows(self, start: int, stop: int) -> np.ndarray:
        if self.columns_first:
            whole = np.memmap(
                self.path, self.dtype, "r", self.offset, self.shape, order="F"
            )
            return np.asarray(whole[start:stop])
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        offset, shape = self.offset + start * row_bytes, (stop - start, *self.shape[1:])
        if not row_bytes:  # nothing to map
            return np.empty(shape, self.dtype)
        return np.asarray(np.memmap(self.path, self.dtype, "r", offset, shape))


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the array of a ``.npy`` file, under an empty name."""
    with path.open("rb") as file:
        shape, columns_first, dtype = read_header(file)
        array = MappedArray(path, file.tell(), shape, dtype, columns_first)
    check_length(array)
    return {"": array}


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read a header; return the shape, whether columns come first, and the dtype."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, columns_first, dtype = np.lib.format.read_array_header_2_0(file)
    return tuple(shape), bool(columns_first) and len(shape) > 1, dtype


def check_length(array: MappedArray) -> None:
    """Raise if a file is shorter than its header says."""
    found = array.path.stat().st_size
    if found < array.end:
        msg = f"it has {found} bytes, but its header promises {array.end}"
        raise ValueError(msg)
