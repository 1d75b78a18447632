"""Principal directions of features, row spaces of heads, and distances from them."""

from typing import Any

from sknc._utils.arrays import Array, namespace
from sknc.statistics.regression_statistics import RegressionStatistics


def principal_directions(
    statistics: RegressionStatistics, *, center: bool = True
) -> tuple[Array, Array]:
    """
    Return variances in descending order, and their directions as rows.

    Those within rounding are dropped, and all of them if squares overflow. Without
    `center`, second moments about the origin are used.
    """

    def decompose() -> tuple[Array, Array]:
        covariance = statistics.feature_covariance
        xp = namespace(covariance)
        if not center:
            mean = statistics.mean[: statistics.n_features]
            covariance = covariance + mean[:, None] * mean[None, :]
        if not bool(xp.all(xp.isfinite(covariance))):
            return covariance[0, :0], covariance[:0, :]
        values, vectors = xp.linalg.eigh(covariance)
        values, rows = xp.flip(values), xp.flip(vectors.T, axis=0)
        n_used = _n_above(values, values.shape[0] * float(xp.finfo(values.dtype).eps))
        return values[:n_used], rows[:n_used, :]

    return statistics.cached(("principal", center), decompose)


def collapsed_directions(
    statistics: RegressionStatistics, *, center: bool = True
) -> Array:
    """Return as many of the first principal directions as there are targets."""
    return principal_directions(statistics, center=center)[1][: statistics.n_targets, :]


def row_space(weights: Array) -> Array:
    """Return an orthonormal basis of the span of the rows, as rows."""
    xp = namespace(weights)
    _, values, rows = xp.linalg.svd(weights, full_matrices=False)
    eps = float(xp.finfo(values.dtype).eps)
    return rows[: _n_above(values, max(weights.shape) * eps), :]


def least_squares_weights(statistics: RegressionStatistics, rtol: float) -> Array:
    """
    Return the weights of the best linear prediction, (n, D).

    Only principal directions with a standard deviation above `rtol` times the largest
    are used.
    """
    values, rows = principal_directions(statistics)
    n_used = _n_above(values, rtol**2)
    values, rows = values[:n_used], rows[:n_used, :]
    return ((rows @ statistics.cross_covariance) / values[:, None]).T @ rows


def square_outside(mean: Array, covariance: Array, directions: Array) -> float:
    """Return the mean square outside the subspace with basis `directions`."""
    xp = namespace(mean)
    for _ in range(2):  # twice, because the first projection was rounded
        mean = mean - (directions @ mean) @ directions
    rest = covariance - directions.T @ (directions @ covariance)
    inside = xp.sum((rest @ directions.T) * directions.T)
    found = float(xp.linalg.trace(rest) - inside + mean @ mean)
    return max(found, 0.0) if found == found else found


def squared_errors(
    statistics: RegressionStatistics, weights: Array, mean_error: Array
) -> Array:
    """Return the mean squared error of each target, given the mean error, (n,)."""
    xp, covariance = namespace(weights), statistics.covariance
    n_features = statistics.n_features
    # For W x - y: the covariance of the errors is A C A^T with A = [W, -1].
    features = weights @ covariance[:n_features, :]
    rows = features - covariance[n_features:, :]
    spread = xp.sum(rows[:, :n_features] * weights, axis=1)
    spread = spread - xp.linalg.diagonal(rows[:, n_features:])
    return mean_error**2 + xp.where(spread > 0, spread, 0 * spread)


def _n_above(values: Any, share: float) -> int:
    """Return how many values, in descending order, exceed a share of the first."""
    xp = namespace(values)
    above = (values > share * values[0]) & (values > 0)
    return int(xp.sum(xp.astype(above, xp.int64)))
