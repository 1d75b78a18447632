"""The model of `NearestClassCenter`: decisions, probabilities and distances."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.statistics.affine_rule import AffineRule
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.nearest_center import nearest_angle_rule, nearest_center_rule

CenterMetric: TypeAlias = Literal["euclidean", "cosine", "standardized", "mahalanobis"]

_EXACT_ELEMENTS = 1 << 21  # of differences per step: 16 MiB of float64


@dataclass(frozen=True, eq=False)
class CenterModel:
    """Gaussians with a shared variance about the class means, or angles to them."""

    statistics: ClassStatistics
    metric: CenterMetric
    priors: Array | None  # (K,), zero without samples; None if equal

    @property
    def positions(self) -> Array:
        """The centers, (K, D); NaN without samples."""
        return self.statistics.class_means

    @cached_property
    def centers(self) -> AffineRule:
        """The rule for the classes with samples, without priors."""
        seen = self.statistics.observed_only()
        if self.metric == "euclidean":
            return seen.cached("nearest_center_rule", lambda: nearest_center_rule(seen))
        return seen.cached("nearest_angle_rule", lambda: nearest_angle_rule(seen))

    def rule(self) -> tuple[AffineRule, np.ndarray]:
        """Return the rule of `predict`, and the rows of its classes."""
        rule, observed = self.centers, self.statistics.observed
        if self.priors is None:
            return rule, observed
        possible = observed[arrays.to_numpy(self.priors)[observed] > 0]
        rows = np.searchsorted(observed, possible)
        gains = arrays.take_rows(self._gains(self.priors), possible)
        offsets = arrays.take_rows(rule.offsets, rows) + gains
        weights = arrays.take_rows(rule.weights, rows)
        return AffineRule(rule.origin, weights, offsets, rule.unit), possible

    def predicted(self, features: Array) -> Array:
        """Return labels, (B,), on the device of the features if numbers, else NumPy."""
        rule, rows = self.rule()
        labels, index = self.statistics.classes[rows], rule.decide(features)
        if isinstance(index, np.ndarray) or labels.dtype.kind not in "biuf":
            return labels[arrays.to_numpy(index)]
        return namespace(index).take(arrays.move_like(labels, index), index, axis=0)

    def _gains(self, priors: Array) -> Array:
        """Return the priors' part of scores; 0 if priors are equal."""
        xp = namespace(priors)
        possible = priors > 0
        ratios = xp.where(possible, priors * len(self.statistics.observed), 1.0)
        return xp.where(possible, self.variance * xp.log(ratios), -xp.inf)

    @cached_property
    def variance(self) -> float:
        """Mean squared residual over classes and features, in units of the rule."""
        if self.metric == "cosine":
            return 1.0
        seen = self.statistics.observed_only()
        xp = namespace(seen.counts)
        total = xp.sum(seen.counts * seen.class_variances) / xp.sum(seen.counts)
        unit = self.centers.unit
        variance = float(total) / unit / unit / seen.n_features
        return variance if math.isfinite(variance) else math.nan

    def favor(self, features: Array) -> Array:
        """Return the score of each class, in units of the rule, (B, K)."""
        scores = self._scores(features)
        return scores if self.priors is None else scores + self._gains(self.priors)

    def decision_values(self, features: Array) -> Array:
        """Return `favor`; for two classes the second minus the first, (B,)."""
        scores = self.favor(features)
        if self.metric == "euclidean":
            scores = scores * self.centers.unit * self.centers.unit
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def probabilities(self, features: Array) -> Array:
        """Return class probabilities, float64, (B, K)."""
        xp = namespace(features)
        ratios = xp.exp(self._log_ratios(features))
        return ratios / xp.sum(ratios, axis=1, keepdims=True)

    def log_probabilities(self, features: Array) -> Array:
        """Return logarithms of class probabilities, (B, K)."""
        xp = namespace(features)
        # Summed in the precision of the features, so that the logarithm is 0 where a
        # probability is rounded to 1.
        ratios = xp.astype(self._log_ratios(features), features.dtype)
        return ratios - xp.log(xp.sum(xp.exp(ratios), axis=1, keepdims=True))

    def _log_ratios(self, features: Array) -> Array:
        """Return log-probabilities minus that of the favored class, float64, (B, K)."""
        xp, scores = namespace(features), self.favor(features)
        scores = scores - xp.max(scores, axis=1, keepdims=True)
        if self.variance:
            return scores / self.variance
        return xp.where(scores == 0, scores, -xp.inf)  # the limit

    def distances(self, features: Array) -> Array:
        """Return the distances to all class means, float64, (B, K)."""
        scores = self._scores(features)
        if self.metric == "cosine":
            return 1 - scores
        squared = self._with_exact_small(features, -2 * scores)
        return self.centers.unit * namespace(features).sqrt(squared)

    def _with_exact_small(self, features: Array, squared: Array) -> Array:
        """Recompute squared distances from differences where products cancel."""
        xp, unit = namespace(features), self.centers.unit
        wide = xp.astype(features, xp.float64) / unit
        lengths = arrays.row_squared_norms(wide - self.centers.origin)
        rows, columns = xp.nonzero(squared < 1e-6 * lengths[:, None])
        statistics = self.statistics
        means = statistics.cached("class_means", lambda: statistics.class_means)
        flat = xp.reshape(squared, (-1,))
        step = max(1, _EXACT_ELEMENTS // features.shape[1])
        for part in arrays.tiles(rows.shape[0], step):
            i, j = rows[part], columns[part]
            gap = xp.take(wide, i, axis=0) - xp.take(means, j, axis=0) / unit
            where = i * squared.shape[1] + j
            flat = arrays.set_at(flat, where, arrays.row_squared_norms(gap))
        return xp.reshape(flat, squared.shape)

    def _scores(self, features: Array) -> Array:
        """
        Return minus half the squared distance, or the cosine, float64, (B, K).

        Distances are in units of the rule, so that their squares do not overflow.
        """
        rule, xp = self.centers, namespace(features)
        rows = xp.astype(features, xp.float64) / rule.unit - rule.origin
        if self.metric == "cosine":  # for any length
            peaks = xp.max(xp.abs(rows), axis=1)
            rows = rows / xp.where(peaks > 0, peaks, 1.0)[:, None]
        scores = rows @ rule.weights.T + rule.offsets
        lengths = arrays.row_squared_norms(rows)[:, None]
        if self.metric == "euclidean":
            scores = scores - lengths / 2
        else:
            scores = scores / xp.where(lengths > 0, xp.sqrt(lengths), 1.0)
        return self._among_all(scores)

    def _among_all(self, scores: Array) -> Array:
        """Return scores of all classes, minus infinity for those without samples."""
        xp = namespace(scores)
        observed, n_classes = self.statistics.observed, self.statistics.n_classes
        if len(observed) == n_classes:
            return scores
        place = {"dtype": xp.float64, "device": arrays.device_of(scores)}
        full = xp.full((n_classes, scores.shape[0]), -xp.inf, **place)
        return arrays.put_rows(
            full, arrays.move_like(observed, full, xp.int64), scores.T
        ).T
