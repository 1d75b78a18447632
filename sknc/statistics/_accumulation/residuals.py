"""Samples, and their residuals from the anchors of their classes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sknc._utils import arrays, thread_pool
from sknc._utils.arrays import Array, device_of, namespace

# 2 MiB of float32, to fit in the cache, unless rows are very wide.
_TILE_ELEMENTS, _FEWEST_ROWS = 1 << 19, 256


@dataclass(frozen=True, eq=False)
class Rows:
    """Samples of some classes: their features, or residuals from anchors."""

    values: Array  # features, or residuals from `base`, (B, D)
    index: Array  # class of each row, (B,)
    weights: Array | None = None  # float64, (B,); None if all are one
    squares: Array | None = None  # squared lengths of residuals, float64, (B,)
    base: Array | None = None  # anchors that were subtracted, (K, D)

    @classmethod
    def empty(cls, anchors: Array, n_rows: int) -> "Rows":
        """Return memory for the residuals of `n_rows` rows from some anchors."""
        xp, device = namespace(anchors), device_of(anchors)
        shape = (n_rows, int(anchors.shape[1]))
        values = xp.empty(shape, dtype=anchors.dtype, device=device)
        index = xp.empty(n_rows, dtype=xp.int64, device=device)
        wide = partial(xp.empty, n_rows, dtype=xp.float64, device=device)
        return cls(values, index, wide(), wide())

    @property
    def n_rows(self) -> int:
        """Number of rows, B."""
        return int(self.values.shape[0])

    def __getitem__(self, rows: slice) -> "Rows":
        """Return some of the rows, as views."""
        weights = None if self.weights is None else self.weights[rows]
        squares = None if self.squares is None else self.squares[rows]
        return Rows(
            self.values[rows, ...], self.index[rows], weights, squares, self.base
        )

    def map(self, function: Callable[[Array], Array]) -> "Rows":
        """Apply `function` to the arrays of residuals."""
        columns = (self.values, self.index, self.weights, self.squares)
        return Rows(*map(function, columns))

    def about(
        self, anchors: Array, dtype: Any = None, memory: "Rows | None" = None
    ) -> "Rows":
        """
        Return residuals from anchors, by default in the dtype of these.

        Those in NumPy are written into the values of `memory`, if that has the dtype.
        """
        dtype, shift = anchors.dtype if dtype is None else dtype, None
        if anchors is not self.base:
            shift = self._shift_to(anchors)
        elif self.squares is not None and self.values.dtype == dtype:
            return self
        if isinstance(self.values, np.ndarray):
            if memory is None or memory.values.dtype != dtype:
                values = np.empty(self.values.shape, dtype)
            elif memory.n_rows == self.n_rows:
                values = memory.values  # itself, which `put_in` recognizes
            else:
                values = memory.values[: self.n_rows]
            squares = self._write(shift, values)
        else:
            xp, values = namespace(self.values), self.values
            if shift is not None:
                values = xp.astype(values, shift.dtype, copy=False)
                values = values - xp.take(shift, self.index, axis=0)
            values = xp.astype(values, dtype, copy=False)
            squares = xp.astype(arrays.row_squared_norms(values), xp.float64)
        return Rows(values, self.index, self.weights, squares, anchors)

    def put_in(self, memory: "Rows") -> None:
        """Write residuals into memory of as many, unless `about` has written them."""
        assert memory.weights is not None
        assert memory.squares is not None
        memory.index[:], memory.squares[:] = self.index, self.squares
        memory.weights[:] = 1.0 if self.weights is None else self.weights
        if memory.values is not self.values:
            memory.values[:, :] = self.values

    def _shift_to(self, anchors: Array) -> Array:
        """Return what is still to be subtracted for other anchors, (K, D)."""
        if self.base is None:
            return anchors
        xp, base = namespace(anchors), self.base
        shift = anchors - base
        # float32 differences are exact if one side is zero.
        exact = (base == 0) | (shift == 0)
        if not arrays.on_gpu(base) and bool(xp.all(exact)):
            return shift
        return xp.astype(anchors, xp.float64) - xp.astype(base, xp.float64)

    def _write(self, shift: np.ndarray | None, out: np.ndarray) -> np.ndarray:
        """Write residuals, and return their squared lengths."""
        squares, step = np.empty(self.n_rows), rows_in_cache(out.shape[1])
        threads = thread_pool.new_pool(self.n_rows // step)

        def write(part: slice) -> None:
            for start in range(part.start, part.stop, step):
                tile = slice(start, min(start + step, part.stop))
                features, index = self.values[tile], self.index[tile]
                _subtract(features, shift, index, out[tile])
                squares[tile] = arrays.row_squared_norms(out[tile])

        parts = thread_pool.cut(self.n_rows, threads.size)
        threads.run([partial(write, part) for part in parts])
        return squares


def _subtract(
    features: np.ndarray, shift: np.ndarray | None, index: np.ndarray, out: np.ndarray
) -> None:
    if shift is None:
        out[:] = features
    elif shift.dtype == out.dtype:
        np.take(shift, index, axis=0, out=out, mode="clip")
        np.subtract(features, out, out=out)
    else:
        points = shift[index].astype(np.float64, copy=False)
        np.subtract(features, points, out=out, casting="same_kind")


def rows_in_cache(n_features: int) -> int:
    """Return how many rows fit in the cache during computations."""
    return max(_FEWEST_ROWS, _TILE_ELEMENTS // n_features)
