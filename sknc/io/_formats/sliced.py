"""Arrays whose library reads rows as ``array[start:stop]``."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_MOST_BYTES = 1 << 26  # of rows that are read together because of their chunks


@dataclass(frozen=True)
class SlicedArray:
    """An array whose library reads rows as ``array[start:stop]``."""

    path: Path
    name: str  # of the array in it
    shape: tuple[int, ...]  # rows first
    dtype: np.dtype
    # From `path` and `name` to a context that gives the array.
    opened: Callable[[Path, str], AbstractContextManager[Any]]
    chunk_rows: int = 1  # how many rows the file stores together

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """
        Yield rows, whole chunks if there is room.

        The file is opened again for each piece: pages of a file that a library has
        mapped stay in memory until it is closed.
        """
        first, step = start, self._step(rows)
        while first < stop:
            last = min((first // step + 1) * step, stop)
            yield self._rows(first, last)
            first = last

    def _rows(self, start: int, stop: int) -> np.ndarray:
        with self.opened(self.path, self.name) as array:
            return np.asarray(array[start:stop])

    def _step(self, rows: int) -> int:
        """Return how many rows to read together."""
        whole = -(-rows // self.chunk_rows) * self.chunk_rows
        row_bytes = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        return whole if whole * row_bytes <= _MOST_BYTES else rows
