"""Regression of one-hot targets on features, from class statistics."""

from dataclasses import dataclass

import numpy as np

from sknc._utils.arrays import Array, device_of, gram, namespace, put_rows, tiles
from sknc._utils.parameters import check_not_negative
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import check_observed
from sknc.metrics._shared.spectra import above_rounding, relative_rounding
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics

_TILE_ELEMENTS = 1 << 21


@dataclass(frozen=True, eq=False)
class AffineMap:
    """
    An affine map of features, ``W (x - mean) + level = W x + b``.

    The level is stored in addition to the bias because, far from the origin, the bias
    has lost the digits that determine the level.
    """

    weights: Array
    bias: Array
    level: Array

    def minus(self, other: "AffineMap") -> "AffineMap":
        """Return the difference of two maps."""
        return AffineMap(
            self.weights - other.weights,
            self.bias - other.bias,
            self.level - other.level,
        )


@dataclass(frozen=True, eq=False)
class Regression:
    """Regression of one-hot targets on features, from their moments."""

    statistics: ClassStatistics  # of the samples, all classes observed, with scatter
    rows: np.ndarray  # output of each class
    weight_decay: float

    @property
    def shares(self) -> Array:
        """Share of the samples in each class."""
        counts = self.statistics.counts
        return counts / namespace(counts).sum(counts)

    @property
    def mean(self) -> Array:
        """Mean of the samples, (D,)."""
        return self.shares @ self.statistics.class_means

    @property
    def means(self) -> Array:
        """Class means about the mean of the samples."""
        samples, shares = self.statistics, self.shares
        key = ("centered_means", "sample")
        return samples.cached(key, lambda: samples.centered_means(shares))

    @property
    def within_covariance(self) -> Array:
        """Covariance within classes, (D, D)."""
        counts = self.statistics.counts
        return self.statistics.within_scatter / namespace(counts).sum(counts)

    def map_of(self, head: LinearHead) -> AffineMap:
        """Return the map of a head; a missing bias is zero."""
        xp = namespace(head.weights)
        bias = xp.zeros_like(head.weights[:, 0]) if head.bias is None else head.bias
        return AffineMap(head.weights, bias, head.weights @ self.mean + bias)

    def loss(self, affine: AffineMap, target: float = 1.0) -> float:
        """Return the loss against one-hot targets of height `target`."""
        return self.within(affine) + self.of_means(affine, target)

    def within(self, affine: AffineMap) -> float:
        """Return the loss due to within-class variance, and to decay."""
        xp = namespace(affine.weights)
        along = affine.weights @ self.within_covariance
        # Rounding may make it slightly negative; this order keeps NaN.
        variance = max(float(xp.sum(along * affine.weights)), 0.0)
        if not self.weight_decay:
            return variance / 2
        squares = float(xp.sum(affine.weights**2) + xp.sum(affine.bias**2))
        return (variance + self.weight_decay * squares) / 2

    def of_means(self, affine: AffineMap, target: float) -> float:
        """Return the loss of the class means, computed in tiles of classes."""
        xp, device = namespace(affine.weights), device_of(affine.weights)
        n_outputs = affine.weights.shape[0]
        outputs = xp.arange(n_outputs, device=device)
        total = xp.zeros((), dtype=affine.weights.dtype, device=device)
        for tile in tiles(len(self.rows), max(1, _TILE_ELEMENTS // n_outputs)):
            own = xp.asarray(self.rows[tile], device=device)[:, None]
            wanted = target * xp.astype(own == outputs[None, :], total.dtype)
            gaps = self.means[tile, :] @ affine.weights.T + (affine.level - wanted)
            total = total + self.shares[tile] @ xp.sum(gaps**2, axis=1)
        return float(total) / 2

    def least_squares(self, n_outputs: int) -> AffineMap:
        """Return the map with the least loss, computed once for these statistics."""
        key = ("least_squares", n_outputs, self.rows.tobytes(), self.weight_decay)
        return self.statistics.cached(key, lambda: self._least_squares(n_outputs))

    def _least_squares(self, n_outputs: int) -> AffineMap:
        # With the best bias for given weights, (p - W mean) / (1 + decay), the loss
        # is that of centered features and targets, plus a decay along the mean.
        means, shares, mean = self.means, self.shares, self.mean
        xp = namespace(means)
        shrunk = self.weight_decay / (1 + self.weight_decay)
        system = self.within_covariance + gram(means * xp.sqrt(shares)[:, None])
        moments = self._on_outputs(means * shares[:, None], n_outputs)
        levels = self._on_outputs(shares[:, None], n_outputs)[:, 0]
        if self.weight_decay:
            shape, device = mean.shape[0], device_of(mean)
            identity = xp.eye(shape, dtype=mean.dtype, device=device)
            system = system + self.weight_decay * identity
            system = system + shrunk * (mean[:, None] * mean[None, :])
            moments = moments + shrunk * (levels[:, None] * mean[None, :])
        # Decay fills the directions in which no sample varies.
        rank = mean.shape[0] if self.weight_decay else self.statistics.n_samples - 1
        relative = relative_rounding(self.statistics, max(moments.shape))
        values, vectors = above_rounding(system, rank, relative)
        weights = ((moments @ vectors) / values) @ vectors.T
        along = weights @ mean
        bias = (levels - along) / (1 + self.weight_decay)
        return AffineMap(weights, bias, levels - shrunk * (levels - along))

    def _on_outputs(self, rows: Array, n_outputs: int) -> Array:
        """Return rows of classes as rows of outputs, with zeros for other outputs."""
        xp, device = namespace(rows), device_of(rows)
        shape = (n_outputs, rows.shape[1])
        blank = xp.zeros(shape, dtype=rows.dtype, device=device)
        return put_rows(blank, xp.asarray(self.rows, device=device), rows)


def regression_of(statistics: AnyStatistics, weight_decay: float) -> Regression | None:
    """Return the regression of the samples, or None without their scatter."""
    check_observed(statistics)
    weight_decay = check_not_negative("weight_decay", weight_decay)
    samples: ClassStatistics = (
        statistics.samples if isinstance(statistics, HeldOutStatistics) else statistics
    )
    if samples.moments.scatter is None:
        return None
    seen = samples.observed_only()
    return Regression(seen, np.asarray(samples.observed), float(weight_decay))
