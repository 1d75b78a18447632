"""Bounds on the distances of points from the convex hull of all other points."""

from dataclasses import dataclass, fields, replace

import numpy as np

# Relative differences of distances below this are ties.
_TIE = 1e-12
# Maximum steps of the search, and their average over all points.
_STEPS = 60
_STEPS_EACH = 20
# Error of the sums of projected weights, which are then normalized.
_SUM_ERROR = 1e-10
_NEWTON_STEPS = 50  # for huge values, rounding keeps the sums from coming this close


@dataclass(frozen=True, eq=False)
class HullBounds:
    """
    Bounds on the distances of points from the hull of all others.

    N points may be the nearest. For them, lower bounds of their distances (N,) and the
    vectors to each from a point of its hull (N, D). `least` is an upper bound of the
    least distance; up to ties, it is attained if N is zero.
    """

    rows: np.ndarray
    lower: np.ndarray
    residuals: np.ndarray
    least: float


@dataclass(frozen=True, eq=False)
class _Search:
    """State of the search, with a row for each open point."""

    rows: np.ndarray  # (N,) indices of the points
    lower: np.ndarray  # (N,) largest lower bounds of their distances
    weights: np.ndarray  # (N, K) convex weights of the others
    nearest: np.ndarray  # (N, D) these combinations
    ahead: np.ndarray  # (N, K) weights at which the next gradient is computed
    nearest_ahead: np.ndarray  # (N, D) these combinations
    momentum: np.ndarray  # (N,)
    level: np.ndarray  # (N,) subtracted from each weight by the last projection

    def only(self, kept: np.ndarray) -> "_Search":
        """Return the search for some of the points."""
        if kept.all():
            return self
        parts = {item.name: getattr(self, item.name)[kept] for item in fields(self)}
        return replace(self, **parts)


def cannot_improve(lower: np.ndarray, least: float, n_features: int) -> np.ndarray:
    """
    Return which points are not nearer than the least distance, except ties.

    The rounding of their lower bounds, computed from inner products, depends on the
    length of the vectors.
    """
    rounding = 8 * np.sqrt(n_features) * np.finfo(np.float64).eps
    return np.asarray(lower - rounding >= least * (1 - _TIE))


def curvature(unit: np.ndarray) -> float:
    """
    Return half the largest curvature of the squared distances.

    This is the largest eigenvalue of the scatter, because weights that sum to one only
    move along differences of the points.
    """
    centered = unit - unit.mean(axis=0)
    tall = len(unit) > unit.shape[1]
    scatter = centered.T @ centered if tall else centered @ centered.T
    return float(np.linalg.eigvalsh(scatter)[-1])


def bound_distances(
    unit: np.ndarray, rows: np.ndarray, greatest: float, least: float
) -> HullBounds:
    """
    Search for the points nearest to the hulls of all others, for many rows together.

    Uses accelerated projected gradients [1]_, restarted where they overshoot [2]_, on
    the convex weights of all points, with two matrix products per step. Any residual r
    bounds the distance of u from below by ``min_j <r, u - u_j> / |r|``, so a point is
    dropped as soon as it cannot be the nearest. Errors of the search cost time but no
    digits.

    .. [1] A. Beck, M. Teboulle. "A fast iterative shrinkage-thresholding algorithm for
       linear inverse problems." SIAM J. Imaging Sciences, 2009.
    .. [2] B. O'Donoghue, E. Candès. "Adaptive restart for accelerated gradient
       schemes." Foundations of Computational Mathematics, 2015.
    """
    search, n_left = _start(unit, rows), _STEPS_EACH * len(rows)
    for _ in range(_STEPS):
        n_left -= len(search.rows)
        search = _step(search, unit, greatest)
        residuals = unit[search.rows] - search.nearest
        least = min(least, np.linalg.norm(residuals, axis=1).min())
        search = search.only(~cannot_improve(search.lower, least, unit.shape[1]))
        if not len(search.rows) or n_left < 0:
            break
    residuals = unit[search.rows] - search.nearest
    return HullBounds(search.rows, search.lower, residuals, float(least))


def _start(unit: np.ndarray, rows: np.ndarray) -> _Search:
    """Start with equal weights, which solve an exact simplex."""
    n_rows, n_points = len(rows), len(unit)
    weights = np.full((n_rows, n_points), 1 / (n_points - 1))
    weights[np.arange(n_rows), rows] = 0
    nearest, lower = weights @ unit, np.full(n_rows, -np.inf)
    momentum, level = np.ones(n_rows), np.zeros(n_rows)
    return _Search(rows, lower, weights, nearest, weights, nearest, momentum, level)


def _step(search: _Search, unit: np.ndarray, greatest: float) -> _Search:
    """Take one step for each open point."""
    residuals = unit[search.rows] - search.nearest_ahead
    lower, scores = _bound(residuals, unit, search.rows)
    scores /= greatest
    scores += search.ahead
    weights, level = _project_to_simplex(scores, search.level)
    nearest = weights @ unit
    moved = nearest - search.nearest
    overshot = np.sum((search.nearest_ahead - nearest) * moved, axis=1) > 0
    momentum = (1 + np.sqrt(1 + 4 * search.momentum**2)) / 2
    factors = np.where(overshot, 0, (search.momentum - 1) / momentum)[:, None]
    ahead = weights - search.weights
    ahead *= factors
    ahead += weights
    return _Search(
        search.rows,
        np.maximum(search.lower, lower),
        weights,
        nearest,
        ahead,
        nearest + factors * moved,
        np.where(overshot, 1, momentum),
        level,
    )


def _bound(
    residuals: np.ndarray, unit: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds from residuals, and their products with the others."""
    here = np.arange(len(rows))
    products = residuals @ unit.T
    own = products[here, rows]
    products[here, rows] = -np.inf
    lengths = np.linalg.norm(residuals, axis=1)
    lower = np.full(len(rows), -np.inf)
    np.divide(own - products.max(axis=1), lengths, out=lower, where=lengths > 0)
    return lower, products


def _project_to_simplex(
    values: np.ndarray, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Project each row onto the weights that are nonnegative and sum to one.

    The projection is the part above some level, found by Newton's method. The sum of
    that part is convex and piecewise linear in the level, so few steps are needed,
    fewer from a level close by.
    """
    level = np.minimum(level, values.max(axis=1) - 1 / values.shape[1])
    for _ in range(_NEWTON_STEPS):
        weights = np.maximum(values - level[:, None], 0)
        sums = weights.sum(axis=1)
        if np.abs(sums - 1).max() <= _SUM_ERROR:
            break
        level = level + (sums - 1) / np.count_nonzero(weights, axis=1)
    weights /= sums[:, None]
    return weights, level
