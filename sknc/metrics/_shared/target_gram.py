"""The Gram matrix of a head, and the root of the covariance of the targets."""

import math
from dataclasses import dataclass

import numpy as np

from sknc._utils import arrays
from sknc.head import LinearHead
from sknc.statistics.regression_statistics import RegressionStatistics

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class TargetGram:
    """
    Both matrices of NRC3, in the basis in which the targets are uncorrelated.

    `gram` is W W^T at unit norm, (n, n), or NaN if it is zero. `deviations` are the
    ascending standard deviations, (n,), in units of the largest, `unit`.
    """

    gram: np.ndarray
    deviations: np.ndarray
    unit: float

    def distance(self, root: float) -> float:
        """Return NRC3 for a root of gamma, in units of the largest deviation."""
        shifted = self.deviations - root
        norm = math.sqrt(float(np.sum(shifted**2)))
        if norm <= 8 * _EPS * len(shifted):  # only rounding errors are left
            return math.nan
        return float(np.sum((self.gram - np.diag(shifted / norm)) ** 2))

    def best_root(self) -> float:
        """
        Return the root of gamma for which the distance is least.

        The cosine of both matrices, (a - b t) / sqrt(c - 2 d t + n t^2) at root t, has
        one stationary point. So the least distance is there or at an end of the range.
        """
        s, g, n = self.deviations, np.diag(self.gram), len(self.deviations)
        a, b, c, d = (float(x) for x in (g @ s, g.sum(), s @ s, s.sum()))
        roots = [0.0, float(s[0])]
        if b * d != a * n:
            stationary = (b * c - a * d) / (b * d - a * n)
            roots += [stationary] if 0 < stationary < s[0] else []
        found = {root: self.distance(root) for root in roots}
        defined = {root: value for root, value in found.items() if value == value}
        return min(defined, key=lambda root: defined[root], default=math.nan)


def target_gram(statistics: RegressionStatistics, head: LinearHead) -> TargetGram:
    """Return both matrices of NRC3."""
    variances, directions = _variances(statistics)
    weights = arrays.to_numpy(head.weights)
    largest = float(np.max(np.abs(weights))) if weights.size else 0.0
    rows = directions.T @ (weights / (largest or math.nan))
    gram = rows @ rows.T
    deviations = np.sqrt(variances)
    unit = float(deviations[-1]) or math.nan
    return TargetGram(gram / np.sqrt(np.sum(gram**2)), deviations / unit, unit)


def least_variance(statistics: RegressionStatistics) -> float:
    """Return the least eigenvalue of the target covariance; 0 if only rounding."""
    return float(_variances(statistics)[0][0])


def total_variance(statistics: RegressionStatistics) -> float:
    """Return the sum of the target variances; 0 if all are only rounding."""
    return float(np.sum(_variances(statistics)[0]))


def _variances(statistics: RegressionStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Return variances of the targets, ascending, and their directions as columns."""

    def decompose() -> tuple[np.ndarray, np.ndarray]:
        covariance = arrays.to_numpy(statistics.target_covariance)
        if not np.all(np.isfinite(covariance)):  # squares overflow
            return np.full(len(covariance), math.nan), covariance
        values, vectors = np.linalg.eigh(covariance)
        rounding = len(values) * _EPS * values[-1]
        return np.where(values > rounding, values, 0.0), vectors

    return statistics.cached("target variances", decompose)
