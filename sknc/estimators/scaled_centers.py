"""Nearest centers by scaled distances, and centers shrunk to the overall mean."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.estimators.center_model import CenterModel
from sknc.metrics._shared.geometry import sample_mean
from sknc.metrics._shared.spectra import above_rounding, relative_rounding
from sknc.statistics.affine_rule import AffineRule
from sknc.statistics.class_statistics import ClassStatistics


@dataclass(frozen=True, eq=False)
class ScaledCenterModel(CenterModel):
    """The model with shrunk centers, or scaled distances."""

    shrink_threshold: float = 0.0

    @cached_property
    def _seen(self) -> ClassStatistics:
        return self.statistics.observed_only()

    @cached_property
    def _scatter(self) -> Array:
        """Within-class scatter, (D, D)."""
        scatter = self._seen.within_scatter
        if scatter is None:
            msg = (
                "Shrunk centers and scaled distances need the scatter, which was not "
                "kept: set shrink_threshold and metric before fit."
            )
            raise ValueError(msg)
        return scatter

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of each feature within the classes, (D,)."""
        seen, xp = self._seen, namespace(self._scatter)
        freedom = float(xp.sum(seen.counts)) - seen.n_classes
        if freedom <= 0:
            msg = (
                "Shrunk centers and standardized features need variances: expected "
                f"more samples than classes, got {seen.n_samples} of {seen.n_classes}."
            )
            raise ValueError(msg)
        variances = xp.linalg.diagonal(self._scatter) / freedom
        return xp.sqrt(xp.where(variances > 0, variances, xp.zeros_like(variances)))

    @cached_property
    def offsets(self) -> Array:
        """The centers less the mean of all samples, (K, D)."""
        seen, xp = self._seen, namespace(self._seen.counts)
        counts = seen.counts
        offsets = seen.centered_means(counts / xp.sum(counts))
        if not self.shrink_threshold:
            return offsets
        median = float(np.median(arrays.to_numpy(self._deviations)))
        errors = 1 / counts - 1 / xp.sum(counts)
        errors = xp.sqrt(xp.where(errors > 0, errors, xp.zeros_like(errors)))
        units = errors[:, None] * (self._deviations + median)
        least = xp.abs(offsets) - self.shrink_threshold * units
        return xp.sign(offsets) * xp.where(least > 0, least, xp.zeros_like(least))

    @property
    def positions(self) -> Array:
        """The centers, (K, D); NaN without samples."""
        means = self.statistics.class_means
        rows = arrays.move_like(self.statistics.observed, means)
        return arrays.put_rows(means, rows, sample_mean(self._seen) + self.offsets)

    @cached_property
    def _factor(self) -> Array | None:
        """What rows are multiplied by: nothing, numbers (D,), or a matrix (D, R)."""
        if self.metric == "euclidean":
            return None
        if self.metric == "standardized":
            xp, deviations = namespace(self._deviations), self._deviations
            return 1 / xp.where(deviations > 0, deviations, xp.ones_like(deviations))
        values, vectors = self._spectrum
        return vectors / namespace(values).sqrt(values)

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """Variances within the classes, ascending, and their directions, (D, R)."""
        seen, xp = self._seen, namespace(self._scatter)
        covariance = self._scatter / xp.sum(seen.counts)
        relative = relative_rounding(seen, seen.n_features)
        return above_rounding(covariance, seen.n_samples - seen.n_classes, relative)

    def _scaled(self, rows: Array) -> Array:
        factor = self._factor
        if factor is None:
            return rows
        return rows * factor if factor.ndim == 1 else rows @ factor

    @cached_property
    def centers(self) -> AffineRule:
        """The rule among the classes with samples, whatever the priors."""
        scaled, factor = self._scaled(self.offsets), self._factor
        back = scaled if factor is None or factor.ndim == 1 else scaled @ factor.T
        weights = back if factor is None or factor.ndim > 1 else back * factor
        lengths = arrays.row_squared_norms(scaled)
        return AffineRule(sample_mean(self._seen), weights, -lengths / 2)

    @cached_property
    def variance(self) -> float:
        """Variance of the model, in units of the distances."""
        return super().variance if self.metric == "euclidean" else 1.0

    def distances(self, features: Array) -> Array:
        """Return the distances to all centers, float64, (B, K)."""
        xp, squared = namespace(features), -2 * self._scores(features)
        return xp.sqrt(xp.where(squared > 0, squared, xp.zeros_like(squared)))

    def _scores(self, features: Array) -> Array:
        """Return minus half the squared distance, float64, (B, K)."""
        xp = namespace(features)
        rows = self._scaled(xp.astype(features, xp.float64) - self.centers.origin)
        scores = rows @ self._scaled(self.offsets).T + self.centers.offsets
        return self._among_all(scores - arrays.row_squared_norms(rows)[:, None] / 2)
