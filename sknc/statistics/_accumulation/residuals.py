"""Samples, and their residuals from the anchors of their classes."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sknc._utils import arrays, thread_pool
from sknc._utils.arrays import Array, device_of, namespace

# 2 MiB of float32, to fit in the cache, unless rows are very wide.
_TILE_ELEMENTS, _FEWEST_ROWS = 1 << 19, 256


@dataclass(frozen=True, eq=False)
class Rows:
    """Samples with residuals ``values - shift[index]``, computed when needed."""

    values: Array  # features, or residuals from `base`, (B, D)
    index: Array  # class of each row, (B,)
    weights: Array | None = None  # float64, (B,); None if all are one
    squares: Array | None = None  # squared lengths of computed residuals, (B,)
    base: Array | None = None  # anchors already subtracted from the features, (K, D)
    shift: Array | None = None  # still to be subtracted, (K, D)
    dtype: Any = None  # of the residuals
    memory: "Rows | None" = None  # reused for the residuals of as many rows

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

    def __getitem__(self, rows: Any) -> "Rows":
        """Return some of the rows, as views for a slice."""
        weights = None if self.weights is None else self.weights[rows]
        squares = None if self.squares is None else self.squares[rows]
        columns = self.values[rows, ...], self.index[rows], weights, squares
        return Rows(*columns, self.base, self.shift, self.dtype, self.memory)

    def about(self, anchors: Array) -> "Rows":
        """Return the same samples with residuals from other anchors."""
        if anchors is self.base:
            return self
        shift, base = anchors, self.base
        if base is not None:
            xp, shift = namespace(base), anchors - base
            # float32 differences are exact if one side is zero.
            exact = (base == 0) | (shift == 0)
            if arrays.on_gpu(base) or not bool(xp.all(exact)):
                shift = xp.astype(anchors, xp.float64) - xp.astype(base, xp.float64)
        dtype = anchors.dtype if self.dtype is None else self.dtype
        return replace(self, shift=shift, dtype=dtype, squares=None)

    def in_float64(self) -> "Rows":
        """Return the same samples with residuals in float64."""
        return replace(self, dtype=namespace(self.values).float64, squares=None)

    def residuals(self) -> "Rows":
        """Return the residuals as values, with their squared lengths."""
        if self.squares is not None:
            return self
        xp, values, memory = namespace(self.values), self.values, self.memory
        if isinstance(values, np.ndarray):
            if memory is None or memory.values.dtype != self.dtype:
                out = np.empty(values.shape, self.dtype)
            else:
                out = memory.values[: self.n_rows]
            squares = np.empty(self.n_rows)
            self._write(out, squares)
            return replace(self, values=out, squares=squares, shift=None)
        if self.shift is not None:
            values = xp.astype(values, self.shift.dtype, copy=False)
            values = values - xp.take(self.shift, self.index, axis=0)
        values = xp.astype(values, self.dtype, copy=False)
        squares = xp.astype(arrays.row_squared_norms(values), xp.float64)
        return replace(self, values=values, squares=squares, shift=None)

    def write(self, out: "Rows") -> None:
        """Write these samples, with residuals as values, into as many other rows."""
        assert out.weights is not None
        assert out.squares is not None
        out.index[:] = self.index
        out.weights[:] = 1.0 if self.weights is None else self.weights
        if isinstance(self.values, np.ndarray):
            self._write(out.values, out.squares)
        else:
            taken = replace(self, dtype=out.values.dtype).residuals()
            out.values[:, :], out.squares[:] = taken.values, taken.squares

    def fill(self, rows: "Rows") -> None:
        """Overwrite these rows with as many others, with the same columns."""
        for name in ("values", "index", "weights", "squares"):
            getattr(self, name)[...] = getattr(rows, name)

    def _write(self, out: np.ndarray, squares: np.ndarray) -> None:
        threads = thread_pool.new_pool(self.n_rows // rows_in_cache(out.shape[1]))
        parts = thread_pool.cut(self.n_rows, threads.size)
        threads.run([partial(self._write_part, out, squares, part) for part in parts])

    def _write_part(self, out: np.ndarray, squares: np.ndarray, part: slice) -> None:
        shift, step = self.shift, rows_in_cache(out.shape[1])
        for start in range(part.start, part.stop, step):
            tile = slice(start, min(start + step, part.stop))
            values, features, index = out[tile], self.values[tile], self.index[tile]
            if shift is None:
                values[:] = features
            elif shift.dtype == values.dtype:
                np.take(shift, index, axis=0, out=values, mode="clip")
                np.subtract(features, values, out=values)
            else:
                points = shift[index].astype(np.float64, copy=False)
                np.subtract(features, points, out=values, casting="same_kind")
            squares[tile] = arrays.row_squared_norms(values)


def rows_in_cache(n_features: int) -> int:
    """Return how many rows fit in the cache during computations."""
    return max(_FEWEST_ROWS, _TILE_ELEMENTS // n_features)
