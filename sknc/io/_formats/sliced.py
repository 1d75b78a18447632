"""Arrays whose library reads rows as ``array[start:stop]``."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_MOST_BYTES = 1 << 26  # read together at most, to fill chunks


@dataclass(frozen=True)
class SlicedArray:
    """An array whose library reads rows as ``array[start:stop]``."""

    path: Path
    name: str  # of the array in it
    shape: tuple[int, ...]  # rows first
    dtype: np.dtype
    # Called with `path` and `name`; returns a context that yields the array.
    opened: Callable[[Path, str], AbstractContextManager[Any]]
    chunk_rows: int = 1  # rows per chunk of the file

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """
        Yield rows, in whole chunks if there is room.

        The file is reopened for each piece, because the pages of a mapped file stay in
        memory until it is closed.
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
