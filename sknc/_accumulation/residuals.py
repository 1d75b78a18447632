"""Residuals of NumPy rows that wait for one product, where the scatter is kept."""

from functools import partial
from typing import TypeAlias

import numpy as np

from sknc import _array, _parallel
from sknc._accumulation.block import Block
from sknc._accumulation.products import most_threads, products
from sknc._accumulation.rows import fill, finite, in_cache, quiet
from sknc._accumulation.totals import Totals
from sknc._parallel import Team, cut

_MOST_ROWS = 4096  # in one sum or projection
_MOST_OF_CLASS = 256  # rows of one class in one sum in float32

Sums: TypeAlias = tuple[np.ndarray | None, np.ndarray]


class Residuals:
    """
    Residuals of rows from the anchors of their classes, times the root of the weight.

    Their counts are added to the totals at once. Sums and products of few rows would
    cost as much memory traffic as those of many, so they wait.

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
        self._roots = np.empty(n_rows, dtype)
        self._weighted = False
        self.filled = 0

    @property
    def index(self) -> np.ndarray:
        """Class of each row that waits, as a view."""
        return self._index[: self.filled]

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._rows) - self.filled

    def take(self, totals: Totals, block: Block, *, check: bool) -> bool:
        """
        Take residuals of rows, unless they are not finite (if to `check`).

        Counts of the totals change in place. Returns whether the rows were taken.
        """
        part = slice(self.filled, self.filled + block.n_rows)
        roots = None
        if block.weights is not None:
            roots = self._roots[part]
            roots[:] = np.sqrt(block.weights)
        points, rows = totals.moments.anchors, self._rows[part]
        squares = self._squares[part]
        step = in_cache(rows.shape[1])

        def fill_part(part: slice) -> None:
            with quiet(check):
                for start in range(part.start, part.stop, step):
                    tile = slice(start, min(start + step, part.stop))
                    factors = None if roots is None else roots[tile]
                    fill(block.part(tile), points, factors, rows[tile])
                    squares[tile] = _array.row_squared_norms(rows[tile])

        with _parallel.team(block.n_rows // step) as team:
            parts = cut(block.n_rows, team.size)
            team.do([partial(fill_part, part) for part in parts])
        if check and not finite(squares, block.features):
            return False
        if roots is None and self._weighted:
            self._roots[part] = 1
        elif roots is not None and not self._weighted:
            self._roots[: self.filled] = 1
            self._weighted = True
        self._index[part] = block.index
        _array.add_at(totals.moments.counts, block.index, block.weights)
        self.filled = part.stop
        return True

    def put(self, totals: Totals) -> None:
        """Add what waits to the totals, in place."""
        rows, moments = self._rows[: self.filled], totals.moments
        n_classes, n_features = moments.sums.shape
        energies = self._energies(rows, totals.projector)
        with _parallel.team(most_threads(rows)) as team:
            grams, jobs = products(rows, team)
            of_sums = [
                partial(self._sums, tile, n_classes)
                for tile in self._tiles_of_sums(team, n_classes)
            ]
            sums = team.do([*jobs, *of_sums])[len(jobs) :]
            # All is there. From here on an interruption would count rows twice.
            scatter = [
                partial(_add_part, moments.scatter, grams, part)
                for part in cut(n_features, min(team.size, n_features))
            ]
            team.do([partial(_add_sums, moments.sums, sums), *scatter])
        _array.add_at(moments.squares, self.index, self._squares[: self.filled])
        if energies is not None:
            _array.add_at(totals.energies, self.index, energies)
        self.filled, self._weighted = 0, False

    def _tiles_of_sums(self, team: Team, n_classes: int) -> list[slice]:
        """Cut the rows for sums: not too many of a class, nor too few of all."""
        few = 4 * n_classes  # of fewer, it takes longer to add the sums
        most = max(few, -(-self.filled // team.size))
        if np.bincount(self.index).max() > _MOST_OF_CLASS:
            most = min(_MOST_ROWS, max(1024, few))
        return cut(self.filled, -(-self.filled // most))

    def _sums(self, tile: slice, n_classes: int) -> Sums:
        """Sum the rows of each class."""
        roots = self._roots[tile] if self._weighted else None
        return _array.sums_by_index(
            self._index[tile], self._rows[tile], roots, n_classes
        )

    def _energies(
        self, rows: np.ndarray, projector: np.ndarray | None
    ) -> np.ndarray | None:
        """Return the squared lengths of the rows' projections."""
        if projector is None:
            return None
        energies = np.empty(len(rows))
        for tile in _array.tiles(len(rows), _MOST_ROWS):
            energies[tile] = _array.row_squared_norms(rows[tile] @ projector)
        return energies


def _add_sums(target: np.ndarray, sums: list[Sums]) -> None:
    for classes, found in sums:
        _array.add_sums(target, classes, found)


def _add_part(target: np.ndarray | None, arrays: list[np.ndarray], rows: slice) -> None:
    assert target is not None
    for array in arrays:
        target[rows] += array[rows]
