"""Residuals of NumPy rows that wait for one product, where the scatter is kept."""

from functools import partial

import numpy as np

from sknc import _array, _parallel
from sknc._accumulation.block import Block
from sknc._accumulation.products import gram_jobs
from sknc._accumulation.rows import fill, finite, in_cache, quiet
from sknc._accumulation.totals import Sums, Terms, Totals
from sknc._parallel import Team, cut

_MOST_ROWS = 4096  # in one sum or projection
_MOST_OF_CLASS = 256  # rows of one class in one sum in float32


class Residuals:
    """
    Residuals of rows from the anchors of their classes, times the root of the weight.

    Sums and products of few rows cost as much memory traffic as those of many, so they
    wait.

    Parameters
    ----------
    n_rows : int
        Rows that there is room for.
    n_features : int
        Their width, D.
    dtype : dtype
        In which residuals are taken.
    """

    def __init__(self, n_rows: int, n_features: int, dtype: np.dtype) -> None:
        self._rows = np.empty((n_rows, n_features), dtype)
        self._index = np.empty(n_rows, np.int64)
        self._squares = np.empty(n_rows)
        self._weights = np.empty(n_rows)
        self._weighted = False
        self.filled = 0

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._index) - self.filled

    def take(self, anchors: np.ndarray, block: Block, *, check: bool) -> bool:
        """
        Take residuals of rows, for which there must be room; `keep` lets them wait.

        Returns whether they were taken: not if they are not finite (if to `check`).
        """
        taken = slice(self.filled, self.filled + block.n_rows)
        rows, squares = self._rows[taken], self._squares[taken]
        step = in_cache(rows.shape[1])

        def fill_part(part: slice) -> None:
            with quiet(check):
                for start in range(part.start, part.stop, step):
                    tile = slice(start, min(start + step, part.stop))
                    fill(block.part(tile), anchors, rows[tile])
                    squares[tile] = _array.row_squared_norms(rows[tile])

        threads = _parallel.team(block.n_rows // step)
        parts = cut(block.n_rows, threads.size)
        threads.do([partial(fill_part, part) for part in parts])
        return not check or finite(squares, block.features)

    def keep(self, block: Block) -> None:
        """Let the rows wait that were taken last."""
        taken = slice(self.filled, self.filled + block.n_rows)
        self._index[taken] = block.index
        if block.weights is not None:
            if not self._weighted:
                self._weights[: self.filled] = 1
            self._weighted = True
            self._weights[taken] = block.weights
        elif self._weighted:
            self._weights[taken] = 1
        self.filled = taken.stop

    def terms(self, totals: Totals, threads: Team) -> Terms:
        """Return what the rows that wait add to the totals."""
        rows, n_classes = self._rows[: self.filled], len(totals.moments.counts)
        energies = (
            None if totals.projector is None else self._energies(totals.projector)
        )
        grams, jobs = gram_jobs(rows, threads)
        of_sums = [
            partial(self._sums, tile, n_classes)
            for tile in self._tiles_of_sums(threads.size, n_classes)
        ]
        return Terms(
            index=self._index[: self.filled],
            weights=self._weights[: self.filled] if self._weighted else None,
            squares=self._squares[: self.filled],
            energies=energies,
            sums=threads.do([*jobs, *of_sums], hold_blas=True)[len(jobs) :],
            grams=grams,
        )

    def clear(self) -> None:
        """Let nothing wait."""
        self.filled, self._weighted = 0, False

    def _tiles_of_sums(self, n_threads: int, n_classes: int) -> list[slice]:
        """Cut the rows for sums: not too many of a class, nor too few of all."""
        few = 4 * n_classes  # of fewer, it takes longer to add the sums
        most = max(few, -(-self.filled // n_threads))
        if np.bincount(self._index[: self.filled]).max() > _MOST_OF_CLASS:
            most = min(_MOST_ROWS, max(1024, few))
        return cut(self.filled, -(-self.filled // most))

    def _sums(self, tile: slice, n_classes: int) -> Sums:
        """Sum the rows of each class."""
        rows, roots = self._rows[tile], None
        if self._weighted:
            roots = np.sqrt(self._weights[tile]).astype(rows.dtype)
        return _array.sums_by_index(self._index[tile], rows, roots, n_classes)

    def _energies(self, projector: np.ndarray) -> np.ndarray:
        """Return the squared lengths of the rows' projections."""
        energies = np.empty(self.filled)
        for tile in _array.tiles(self.filled, _MOST_ROWS):
            energies[tile] = _array.row_squared_norms(self._rows[tile] @ projector)
        return energies
