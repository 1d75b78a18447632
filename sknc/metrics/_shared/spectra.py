"""Singular values of all features, or of those of one class, from moments."""

from sknc._utils.arrays import Array, namespace
from sknc.metrics._shared.geometry import check_observed, triangular_factor
from sknc.statistics.class_scatters import ClassSpread
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics


def singular_values_of_features(
    statistics: AnyStatistics, *, centered: bool
) -> Array | None:
    """
    Return the singular values of the (N, D) features, largest first.

    With `centered`, the mean is subtracted. None without the scatter; for held-out
    statistics, the values of the scored samples.
    """
    check_observed(statistics)
    held_out = isinstance(statistics, HeldOutStatistics)
    samples: ClassStatistics = statistics.samples if held_out else statistics  # type: ignore[union-attr, assignment]
    seen = samples.observed_only()
    if seen.moments.scatter is None:
        return None
    return seen.cached(
        ("singular_values_of_features", centered),
        lambda: _values_of(seen, centered=centered),
    )


def _values_of(samples: ClassStatistics, *, centered: bool) -> Array:
    xp, counts = namespace(samples.counts), samples.counts
    weights = counts / xp.sum(counts) if centered else 0 * counts
    means = triangular_factor(samples.centered_means(weights), xp.sqrt(counts))
    rank = samples.n_samples - samples.n_classes
    eps = float(xp.finfo(samples.moments.anchors.dtype).eps)
    values = _stacked(square_root(samples.within_scatter, rank, eps), means)
    return values[: min(samples.n_samples, samples.n_features)]


def singular_values_about_zero(spread: ClassSpread) -> Array:
    """Return the singular values of the features of a class, largest first."""
    xp, row = namespace(spread.mean), (spread.count**0.5) * spread.mean
    eps = float(xp.finfo(row.dtype).eps)
    root = square_root(spread.scatter, spread.n_samples - 1, eps)
    return _stacked(root, row[None, :])


def singular_values_about_mean(spread: ClassSpread) -> Array:
    """Return singular values of a class's features minus their mean, ascending."""
    xp = namespace(spread.scatter)
    values = xp.linalg.eigvalsh(spread.scatter)
    return xp.sqrt(xp.where(values > 0, values, 0 * values))


def square_root(symmetric: Array, rank: int, eps: float) -> Array:
    """
    Return R with ``R^T R`` the positive semidefinite matrix, of at most this rank.

    Directions that rounding, of relative size `eps`, may have created are dropped.
    """
    xp = namespace(symmetric)
    values, vectors = xp.linalg.eigh(symmetric)
    first = max(0, int(values.shape[0]) - rank)
    values, vectors = values[first:], vectors[:, first:]
    if values.shape[0]:
        values = xp.where(values > eps * values[-1], values, 0 * values)
    return (vectors * xp.sqrt(values)).T


def above_rounding(symmetric: Array, rank: int, relative: float) -> tuple[Array, Array]:
    """
    Return eigenvalues, ascending, and eigenvectors of a positive semidefinite matrix.

    Those within the relative rounding error, or beyond the rank, are dropped.
    """
    xp = namespace(symmetric)
    values, vectors = xp.linalg.eigh(symmetric)
    n_kept = int(xp.sum(xp.astype(values > relative * values[-1], xp.int64)))
    first = int(values.shape[0]) - max(0, min(rank, n_kept))
    return values[first:], vectors[:, first:]


def relative_rounding(samples: ClassStatistics, size: int) -> float:
    """
    Return the share of the largest eigenvalue up to which one may be rounding.

    The matrix has this size, is solved in float64, and comes from a scatter.
    """
    xp, moments = namespace(samples.moments.sums), samples.moments
    solved = size * float(xp.finfo(moments.sums.dtype).eps)
    # Products of the scatter are computed in the dtype of the anchors.
    return max(solved, float(xp.finfo(moments.anchors.dtype).eps))


def _stacked(root: Array, rows: Array) -> Array:
    # Decompose the stack, not the sum of products: a mean much larger than the spread
    # around it then costs only half as many digits of small values.
    xp = namespace(root)
    return xp.linalg.svdvals(xp.concat([root, rows]))
