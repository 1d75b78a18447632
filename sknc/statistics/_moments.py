"""Per-class moments about anchors: the arrays behind `ClassStatistics`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sknc._utils.arrays import (
    Array,
    device_of,
    gram,
    namespace,
    put_rows,
    row_squared_norms,
    set_at,
    tiles,
)

# Rows of float64 (K, D) work per step, so that no second full copy is needed.
_TILE_ELEMENTS = 1 << 21


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums of the weighted residuals ``r = x - anchor`` of samples, by class."""

    counts: Array  # (K,), int64, or sums of weights, float64
    anchors: Array  # (K, D), in the dtype of the residuals
    sums: Array  # (K, D) float64, of w r
    squares: Array  # (K,) float64, of w |r|^2
    scatter: Array | None  # (D, D) float64, of w r r^T over all classes

    @classmethod
    def zeros(
        cls, like: Array, n_classes: int, dtype: Any, *, covariance: bool
    ) -> "Moments":
        """Return empty moments, in the library of an array of shape (..., D)."""
        xp, n_features = namespace(like), int(like.shape[1])
        place: dict[str, Any] = {"device": device_of(like)}
        wide: dict[str, Any] = {"dtype": xp.float64, **place}
        square = (n_features, n_features)
        return cls(
            counts=xp.zeros(n_classes, dtype=xp.int64, **place),
            anchors=xp.zeros((n_classes, n_features), dtype=dtype, **place),
            sums=xp.zeros((n_classes, n_features), **wide),
            squares=xp.zeros(n_classes, **wide),
            scatter=xp.zeros(square, **wide) if covariance else None,
        )

    def grown(self, n_classes: int) -> Self:
        """Return the moments with `n_classes` classes; new ones have no samples."""
        xp = namespace(self.sums)

        def more(array: Array) -> Array:
            shape = (n_classes - array.shape[0], *array.shape[1:])
            zeros = xp.zeros(shape, dtype=array.dtype, device=device_of(array))
            return xp.concat([array, zeros])

        return self.map(more)

    def copied(self) -> Self:
        """Return the moments with copies of the arrays of classes."""
        return self.map(lambda array: namespace(array).asarray(array, copy=True))

    def select(self, ids: Array) -> Self:
        """Return the moments of some classes, given on the same device."""
        return self.map(lambda array: namespace(array).take(array, ids, axis=0))

    def put(self, ids: Array, part: Self) -> Self:
        """Store the moments of some classes in their rows, in place if possible."""
        return replace(
            self,
            counts=set_at(self.counts, ids, part.counts),
            anchors=put_rows(self.anchors, ids, part.anchors),
            sums=put_rows(self.sums, ids, part.sums),
            squares=set_at(self.squares, ids, part.squares),
            scatter=part.scatter,
        )

    def take(self, rows: np.ndarray) -> Self:
        """Return the moments with classes reordered or dropped."""
        xp = namespace(self.sums)
        if np.array_equal(rows, np.arange(len(rows))):
            return self.map(lambda array: array[: len(rows), ...])
        index = xp.asarray(rows, device=device_of(self.sums))
        return self.map(lambda array: xp.take(array, index, axis=0))

    def map(self, function: Callable[[Array], Array]) -> Self:
        """Apply `function` to every array with one row per class."""
        return replace(
            self,
            counts=function(self.counts),
            anchors=function(self.anchors),
            sums=function(self.sums),
            squares=function(self.squares),
        )

    def map_all(self, function: Callable[[Array], Array]) -> Self:
        """Apply `function` to every array."""
        scatter = None if self.scatter is None else function(self.scatter)
        return replace(self.map(function), scatter=scatter)

    def without_scatter(self) -> Self:
        """Return the moments without their (D, D) part."""
        return replace(self, scatter=None)

    def scaled(self, factor: float) -> Self:
        """Return the moments of the same samples with weights times a factor."""
        xp = namespace(self.sums)

        def times(array: Array) -> Array:
            return xp.astype(array, xp.float64, copy=False) * factor

        scaled = self.map_all(times)
        return replace(scaled, anchors=self.anchors)

    def without_few(self, least: float) -> Self:
        """Return the moments without samples of classes with a count below `least`."""
        xp, few = namespace(self.sums), self.counts < least

        def blank(array: Array) -> Array:
            mask = few if array.ndim == 1 else few[:, None]
            return xp.where(mask, xp.zeros_like(array), array)

        return self.map(blank)

    def moved_to(self, anchors: Array) -> Self:
        """Return the same moments about other anchors, of shape (K, D)."""
        xp = namespace(self.sums)
        if isinstance(anchors, np.ndarray) and np.array_equal(anchors, self.anchors):
            return replace(
                self, anchors=anchors
            )  # equal values, perhaps in another dtype
        delta = xp.astype(self.anchors, xp.float64) - xp.astype(anchors, xp.float64)
        return replace(self.shifted(delta), anchors=anchors)

    def shifted(self, delta: Array) -> Self:
        """Return the moments of ``r + delta``, with `delta` of shape (K, D)."""
        xp = namespace(self.sums)
        counts, scatter = xp.astype(self.counts, xp.float64), self.scatter
        with np.errstate(over="ignore", invalid="ignore"):  # checked by readers
            cross = xp.sum(self.sums * delta, axis=1)
            squares = self.squares + 2 * cross + counts * row_squared_norms(delta)
            if scatter is not None:
                half, moves = self.sums + counts[:, None] * (delta / 2), delta
                if isinstance(
                    delta, np.ndarray
                ):  # other libraries, or empty arrays, add zeros
                    few = np.flatnonzero(np.any(half, axis=1) & np.any(delta, axis=1))
                    half, moves = half[few], delta[few]
                mixed = half.T @ moves  # sum of s d^T + n d d^T / 2
                scatter = scatter + mixed + mixed.T
        return replace(
            self,
            sums=self.sums + counts[:, None] * delta,
            squares=xp.where(squares > 0, squares, 0.0),
            scatter=scatter,
        )

    def plus(self, other: "Moments") -> "Moments":
        """Return the moments of both samples, about the same anchors."""
        scatter = self.scatter
        with np.errstate(over="ignore", invalid="ignore"):  # checked by readers
            if scatter is not None:
                scatter = scatter + other.scatter
            return Moments(
                counts=self.counts + other.counts,
                anchors=self.anchors,
                sums=self.sums + other.sums,
                squares=self.squares + other.squares,
                scatter=scatter,
            )


def scatter_of_means(sums: Array, counts: Array) -> Array:
    """Return the sum over classes of ``s s^T / n``, (D, D), from row tiles."""
    xp = namespace(sums)
    n_classes, n_features = sums.shape
    step = max(1, _TILE_ELEMENTS // n_features)
    inverse = 1 / xp.sqrt(xp.astype(counts, xp.float64))
    shape = (n_features, n_features)
    total = xp.zeros(shape, dtype=xp.float64, device=device_of(sums))
    for tile in tiles(n_classes, step):
        total = total + gram(sums[tile, :] * inverse[tile, None])
    return total
