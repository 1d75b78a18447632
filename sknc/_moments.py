"""Per-class moments about anchors: the arrays behind `ClassStatistics`."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sknc._array import (
    Array,
    device_of,
    gram,
    namespace,
    row_squared_norms,
    tiles,
)

# Rows of float64 (K, D) work taken at once, so that no second copy of it is needed.
_TILE_ELEMENTS = 1 << 21


@dataclass(frozen=True, eq=False)
class Moments:
    """
    Sums of the residuals of the samples from an anchor of their class.

    With ``r = x - anchor`` and weight ``w`` of a sample of class k:

    Parameters
    ----------
    counts : array of shape (K,)
        Number of samples, int64, or sum of their weights, float64.
    anchors : array of shape (K, D)
        One point a class, in the dtype in which residuals are taken.
    sums : float64 array of shape (K, D)
        Sum of ``w r``.
    squares : float64 array of shape (K,)
        Sum of ``w |r|^2``.
    scatter : float64 array of shape (D, D), or None
        Sum over all classes of ``w r r^T``.
    """

    counts: Array
    anchors: Array
    sums: Array
    squares: Array
    scatter: Array | None

    def take(self, rows: np.ndarray) -> "Moments":
        """Return the moments with their classes reordered, or some left out."""
        xp = namespace(self.sums)
        if np.array_equal(rows, np.arange(len(rows))):
            return self.map(lambda array: array[: len(rows), ...])
        index = xp.asarray(rows, device=device_of(self.sums))
        return self.map(lambda array: xp.take(array, index, axis=0))

    def map(self, function: Callable[[Array], Array]) -> "Moments":
        """Apply `function` to every array that has one row a class."""
        return replace(
            self,
            counts=function(self.counts),
            anchors=function(self.anchors),
            sums=function(self.sums),
            squares=function(self.squares),
        )

    def map_all(self, function: Callable[[Array], Array]) -> "Moments":
        """Apply `function` to every array."""
        scatter = None if self.scatter is None else function(self.scatter)
        return replace(self.map(function), scatter=scatter)

    def without_scatter(self) -> "Moments":
        """Return the moments without their (D, D) part."""
        return replace(self, scatter=None)

    def moved_to(self, anchors: Array) -> "Moments":
        """Return the same moments about other anchors, of shape (K, D)."""
        xp = namespace(self.sums)
        if isinstance(anchors, np.ndarray) and np.array_equal(anchors, self.anchors):
            return replace(self, anchors=anchors)  # of equal value, if not of one dtype
        delta = xp.astype(self.anchors, xp.float64) - xp.astype(anchors, xp.float64)
        return replace(self.shifted(delta), anchors=anchors)

    def shifted(self, delta: Array) -> "Moments":
        """Return the moments of ``r + delta``, with `delta` of shape (K, D)."""
        xp = namespace(self.sums)
        counts, scatter = xp.astype(self.counts, xp.float64), self.scatter
        with np.errstate(over="ignore", invalid="ignore"):  # what reads them checks
            cross = xp.sum(self.sums * delta, axis=1)
            squares = self.squares + 2 * cross + counts * row_squared_norms(delta)
            if scatter is not None:
                half = self.sums + counts[:, None] * (delta / 2)
                mixed = half.T @ delta  # sum of s d^T + n d d^T / 2
                scatter = scatter + mixed + mixed.T
        return replace(
            self,
            sums=self.sums + counts[:, None] * delta,
            squares=xp.where(squares > 0, squares, xp.zeros_like(squares)),
            scatter=scatter,
        )

    def plus(self, other: "Moments") -> "Moments":
        """Return the moments of both samples, about the same anchors."""
        scatter = self.scatter
        with np.errstate(over="ignore", invalid="ignore"):  # what reads them checks
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
    """Sum over classes of ``s s^T / n``, (D, D), in row tiles."""
    xp = namespace(sums)
    n_classes, n_features = sums.shape
    step = max(1, _TILE_ELEMENTS // n_features)
    inverse = 1 / xp.sqrt(xp.astype(counts, xp.float64))
    shape = (n_features, n_features)
    total = xp.zeros(shape, dtype=xp.float64, device=device_of(sums))
    for tile in tiles(n_classes, step):
        total = total + gram(sums[tile, :] * inverse[tile, None])
    return total
