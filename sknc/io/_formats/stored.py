"""Arrays with shape and dtype that are read some rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sknc.io._formats.errors import reading


class StoredArray(Protocol):
    """
    An array in a file; only its shape and dtype have been read.

    Attributes
    ----------
    path : Path or None
        The file.
    shape : tuple of int
        Rows first.
    dtype : np.dtype
        Of the arrays that `pieces` yields.
    """

    @property
    def path(self) -> Path | None:
        """The file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the arrays that `pieces` yields."""

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """
        Yield rows ``start:stop`` in order, in pieces that suit the file.

        Parameters
        ----------
        start, stop : int
            Which rows, ``0 <= start <= stop <= shape[0]``.
        rows : int
            Approximate number of rows of a piece.

        Yields
        ------
        array of shape (n_rows, ...)
            The next rows. An array may be a view of a mapped file, whose memory is
            freed when the array is deleted.
        """


@dataclass(frozen=True, eq=False)
class ArrayInMemory:
    """An array that needs no file, such as labels that were passed."""

    values: np.ndarray
    path: Path | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows first."""
        return tuple(self.values.shape)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the array."""
        return self.values.dtype

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """Yield views."""
        for first in range(start, stop, rows):
            yield self.values[first : min(first + rows, stop)]


def blocks(
    array: StoredArray, start: int, stop: int, rows: int
) -> Iterator[np.ndarray]:
    """
    Yield rows ``start:stop`` in blocks of `rows`; the last one may be shorter.

    Blocks have the byte order of the machine.
    """
    held: list[np.ndarray] = []
    n_held = 0
    for piece in _pieces(array, start, stop, rows):
        piece = piece.astype(piece.dtype.newbyteorder("="), copy=False)
        first = 0
        while n_held + len(piece) - first >= rows:
            last = first + rows - n_held
            yield _joined([*held, piece[first:last]])
            held, n_held, first = [], 0, last
        if first < len(piece):
            held.append(piece[first:])
            n_held += len(piece) - first
    if held:
        yield _joined(held)


def _pieces(
    array: StoredArray, start: int, stop: int, rows: int
) -> Iterator[np.ndarray]:
    """Yield all pieces, or raise an error that names the file."""
    missing = stop - start
    with reading(array.path):
        for piece in array.pieces(start, stop, rows):
            missing -= len(piece)
            yield piece
        if missing:
            msg = f"{missing} of its rows are missing"
            raise ValueError(msg)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Concatenate parts, without a copy if there is only one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
