"""Residuals of NumPy rows that wait for one product, where the scatter is kept."""

import numpy as np

from sknc import _array, _parallel
from sknc._accumulation import anchors
from sknc._accumulation.buffer import Block
from sknc._accumulation.rows import fill, finite, quiet
from sknc._accumulation.totals import Totals

_CACHE_ELEMENTS = 1 << 18  # 1 MiB of float32 residuals, to stay in a core's cache
_MOST_ROWS = 4096  # in one sum in float32, before it is added in float64
_LEAST_ROWS = 256  # of a matrix product that is worth a thread
# A BLAS shares products of narrow matrices badly among its threads; wider ones well.
_WIDEST = 768


class Residuals:
    """
    Residuals of rows from the anchors of their classes, times the root of the weight.

    Counts and squared lengths are added to the totals at once. Sums and products of
    few rows would cost as much memory traffic as those of many, so they wait.

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
        self._roots = np.empty(n_rows, dtype)
        self._weighted = False
        self.filled = 0

    @property
    def free(self) -> int:
        """Rows that there is room for."""
        return len(self._rows) - self.filled

    def take(self, totals: Totals, block: Block, *, check: bool) -> bool:
        """
        Take residuals of rows, unless they are not finite (if to `check`).

        Counts and squares of the totals change in place. Returns whether the rows
        were taken.
        """
        part = slice(self.filled, self.filled + block.n_rows)
        roots = None
        if block.weights is not None:
            roots = self._roots[part]
            roots[:] = np.sqrt(block.weights)
        points, rows = totals.moments.anchors, self._rows[part]
        squares = np.empty(block.n_rows)
        step = min(block.n_rows, max(128, _CACHE_ELEMENTS // rows.shape[1]))
        held = np.empty((step, rows.shape[1]), rows.dtype)
        with quiet(check):
            for tile in _array.tiles(block.n_rows, step):
                near = held[: len(rows[tile])]
                factors = None if roots is None else roots[tile]
                fill(block.part(tile), points, factors, near, rows[tile])
                squares[tile] = _array.row_squared_norms(rows[tile])
        if check and not finite(squares, block.features):
            return False
        if roots is None and self._weighted:
            self._roots[part] = 1
        elif roots is not None and not self._weighted:
            self._roots[: self.filled] = 1
            self._weighted = True
        self._index[part] = block.index
        _array.add_at(totals.moments.counts, block.index, block.weights)
        _array.add_at(totals.moments.squares, block.index, squares)
        self.filled = part.stop
        return True

    def put(self, totals: Totals) -> bool:
        """Add what waits to the totals, in place; return whether a class drifted."""
        rows, index = self._rows[: self.filled], self._index[: self.filled]
        roots = self._roots[: self.filled] if self._weighted else None
        self.filled, self._weighted = 0, False
        moments = totals.moments
        scatter = moments.scatter
        narrow = rows.shape[1] <= _WIDEST
        with _parallel.team(len(rows) // _LEAST_ROWS if narrow else 1) as team:
            cut = team.cut(len(rows), _MOST_ROWS)
            products = team.map(lambda part: _array.gram(rows[part]), cut)
            # All at once if that is a few rows a class, for one pass over the sums.
            step = max(_MOST_ROWS, 64 * len(moments.counts))
            for tile in _array.tiles(len(rows), step):
                factors = None if roots is None else roots[tile]
                _array.add_rows_at(moments.sums, index[tile], rows[tile], factors)
            for product in products:
                scatter += product
        if totals.projector is not None:
            energies = _array.row_squared_norms(rows @ totals.projector)
            _array.add_at(totals.energies, index, energies)
        return bool(anchors.any_drifted(moments, index))
