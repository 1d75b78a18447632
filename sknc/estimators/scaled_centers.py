"""Nearest centers by scaled distances, and centers shrunk to the overall mean."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.estimators.center_model import CenterModel
from sknc.metrics._shared.geometry import sample_mean
from sknc.metrics._shared.pairs import pair_blocks, squared_distances
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
                "Shrunk centers and scaled distances require the scatter, which was "
                "not kept. Set shrink_threshold and metric before fit."
            )
            raise ValueError(msg)
        return scatter

    @cached_property
    def _deviations(self) -> Array:
        """Standard deviation of each feature within the classes, (D,)."""
        seen, xp = self._seen, namespace(self._scatter)
        self._check_more_samples_than_classes()
        total = float(xp.sum(seen.counts))
        freedom = total - seen.n_classes
        if freedom <= 0:
            msg = (
                "Weights count as numbers of samples when variances are estimated: "
                f"expected a sum of more than {seen.n_classes}, the number of classes, "
                f"got {total:.6g}. Scale them: w * len(w) / w.sum()."
            )
            raise ValueError(msg)
        variances = xp.linalg.diagonal(self._scatter) / freedom
        return xp.sqrt(xp.where(variances > 0, variances, xp.zeros_like(variances)))

    def _check_more_samples_than_classes(self) -> None:
        seen = self._seen
        if seen.n_samples <= seen.n_classes:
            msg = (
                "Shrunk centers and scaled distances require variances: expected more "
                f"samples than classes, got {seen.n_samples} of {seen.n_classes}. Fit "
                'more samples, or use metric="euclidean" without shrink_threshold.'
            )
            raise ValueError(msg)

    @cached_property
    def offsets(self) -> Array:
        """The centers minus the mean of all samples, (K, D)."""
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
        """The factor of rows: None, numbers (D,), or a matrix (D, R)."""
        if self.metric == "euclidean":
            return None
        if self.metric == "standardized":
            xp, deviations = namespace(self._deviations), self._deviations
            return 1 / xp.where(deviations > 0, deviations, xp.ones_like(deviations))
        return self._whitening()

    def _whitening(self) -> Array:
        """Return the matrix that makes the covariance the identity, (D, R)."""
        seen, xp = self._seen, namespace(self._scatter)
        self._check_more_samples_than_classes()
        covariance = self._scatter / xp.sum(seen.counts)
        relative = relative_rounding(seen, seen.n_features)
        rank = seen.n_samples - seen.n_classes
        values, vectors = above_rounding(covariance, rank, relative)
        if vectors.shape[1] < seen.n_features:
            self._check_apart(vectors, relative)
        return vectors / xp.sqrt(values)

    def _check_apart(self, directions: Array, relative: float) -> None:
        """Raise if class means differ only where nothing varies within classes."""
        seen, xp = self._seen, namespace(directions)
        means = seen.equally_centered_means
        along, norms = means @ directions, arrays.row_squared_norms(means)
        lengths = arrays.row_squared_norms(along)
        noise = (seen.mean_rounding() + relative * xp.sqrt(norms)) ** 2
        n_lost = 0
        for whole, part in zip(pair_blocks(means), pair_blocks(along), strict=True):
            least = whole.of_rows(noise) + whole.of_cols(noise)
            differ = squared_distances(whole, means, norms, noise) > least
            coincide = squared_distances(part, along, lengths, noise) <= least
            n_lost += int(xp.sum(xp.astype(differ & coincide, xp.int64)))
        if n_lost:
            msg = (
                "Mahalanobis distances are zero between the different means of "
                f"{n_lost} of {math.comb(seen.n_classes, 2)} pairs of classes: "
                "expected features that vary within the classes along what separates "
                'them, got none. Use metric="euclidean" or "standardized".'
            )
            raise ValueError(msg)

    def _scaled(self, rows: Array) -> Array:
        factor = self._factor
        if factor is None:
            return rows
        return rows * factor if factor.ndim == 1 else rows @ factor

    @cached_property
    def centers(self) -> AffineRule:
        """The rule for the classes with samples, without priors."""
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
