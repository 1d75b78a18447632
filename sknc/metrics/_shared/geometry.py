"""Properties of the class means that several metrics need, computed once."""

from dataclasses import dataclass

from sknc._utils.arrays import (
    Array,
    device_of,
    namespace,
    row_squared_norms,
    tiles,
    upper_factor,
)
from sknc.convention import Convention
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics


@dataclass(frozen=True, eq=False)
class Spectrum:
    """
    Singular values (R,) and directions (R, D) of the weighted centered class means.

    The values are those of ``diag(sqrt(w)) M``, largest first, and R is its rank.
    `possible` is the largest rank for this number of classes and features.
    """

    values: Array
    directions: Array
    possible: int

    @property
    def rank(self) -> int:
        """Number of directions."""
        return int(self.values.shape[0])

    def inverts(self, convention: Convention) -> bool:
        """Whether the convention's inverse of the between-class covariance exists."""
        least = self.possible if convention.rank == "full" else 1
        return self.rank >= least

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest singular value; NaN without any."""
        if not self.rank:
            return float("nan")
        return float(self.values[0] / self.values[-1])


def check_two_classes(statistics: AnyStatistics) -> None:
    """Raise if fewer than two classes, or some class, have no samples."""
    check_observed(statistics)
    if statistics.n_classes < 2:
        msg = (
            "Neural collapse compares classes: at least 2 classes with samples are "
            f"needed, got {statistics.n_classes} class."
        )
        raise ValueError(msg)


def check_observed(statistics: AnyStatistics) -> None:
    """Raise if a class has no samples, and so no mean."""
    centers = statistics.centers
    n_without = centers.n_classes - len(centers.observed)
    if n_without:
        have = "1 class has" if n_without == 1 else f"{n_without} classes have"
        msg = (
            f"Metrics require samples in all classes, but {have} none: pass "
            "statistics.observed_only() and, for a head, "
            "head.rows(statistics.observed)."
        )
        raise ValueError(msg)


def centered_means(statistics: AnyStatistics, convention: Convention) -> Array:
    """Return the class means minus the convention's global mean, (K, D)."""
    check_two_classes(statistics)
    centers = statistics.centers
    weights = convention.center_weights(centers.counts)
    key = ("centered_means", convention.center)
    return centers.cached(key, lambda: _centered_means(centers, weights))


def _centered_means(centers: ClassStatistics, weights: Array) -> Array:
    """Center the class means; rounding errors at the global mean become zero."""
    means = centers.centered_means(weights)
    xp = namespace(means)
    lengths = xp.sqrt(row_squared_norms(means))
    noise = centers.mean_rounding()
    if float(xp.max(xp.abs(weights))):
        noise = noise + 8 * float(xp.finfo(means.dtype).eps) * xp.max(lengths)
    at_center = lengths <= noise
    if not bool(xp.any(at_center)):
        return means
    return xp.where(at_center[:, None], xp.zeros_like(means), means)


def sample_mean(centers: ClassStatistics) -> Array:
    """Return the mean of the samples, (D,)."""
    counts = centers.counts
    return (counts / namespace(counts).sum(counts)) @ centers.class_means


def spectrum(statistics: AnyStatistics, convention: Convention) -> Spectrum:
    """Return the spectrum of the between-class covariance of the centers."""
    centers = statistics.centers
    key = spectrum_key(convention)
    return centers.cached(key, lambda: _spectrum(centers, convention))


def spectrum_key(convention: Convention) -> tuple[str, ...]:
    """Return the parts of the convention that the spectrum depends on."""
    return ("spectrum", convention.center, convention.between)


def _spectrum(centers: ClassStatistics, convention: Convention) -> Spectrum:
    xp = namespace(centers.moments.sums)
    root = xp.sqrt(convention.between_weights(centers.counts))
    means = centered_means(centers, convention)
    if not bool(xp.all(xp.isfinite(means))):
        return Spectrum(root[:0], means[:0, :], 0)
    _, values, directions = xp.linalg.svd(
        triangular_factor(means, root), full_matrices=False
    )
    n_classes, n_features = means.shape
    most = min(n_classes if convention.center == "none" else n_classes - 1, n_features)
    relative = max(n_classes, n_features) * float(xp.finfo(xp.float64).eps)
    rounding = float(xp.linalg.vector_norm(root * centers.mean_rounding()))
    cutoff = relative * float(values[0]) + 2 * rounding
    rank = min(most, int(xp.sum(xp.astype(values > cutoff, xp.int64))))
    return Spectrum(values[:rank], directions[:rank, :], most)


def triangular_factor(means: Array, root: Array) -> Array:
    """
    Return ``diag(root) means``, or its R factor of QR if it is tall.

    The R factor is built from row tiles, so that a tall matrix is never copied.
    """
    xp = namespace(means)
    n_classes, n_features = means.shape
    if n_classes <= 2 * n_features:
        return means * root[:, None]
    factor = xp.zeros((0, n_features), dtype=means.dtype, device=device_of(means))
    for tile in tiles(n_classes, 4 * n_features):
        rows = means[tile, :] * root[tile, None]
        factor = upper_factor(xp.concat([factor, rows]))
    return factor


def between_trace(statistics: AnyStatistics, convention: Convention) -> float:
    """Return the trace of the between-class covariance."""
    xp = namespace(statistics.counts)
    means = centered_means(statistics, convention)
    centers = statistics.centers
    weights = convention.between_weights(centers.counts)
    trace = float(xp.sum(weights * row_squared_norms(means)))
    if not convention.bias_correction:
        return trace
    # The contribution of independent errors of the class means, with variance `noise`.
    shares, noise = convention.center_weights(centers.counts), mean_noise(centers)
    excess = xp.sum(weights) * xp.sum(shares**2 * noise)
    excess += xp.sum(weights * (1 - 2 * shares) * noise)
    return trace - float(excess)


def unbiased_variances(statistics: AnyStatistics, convention: Convention) -> Array:
    """Return the class variances, with the convention's bias correction, (K,)."""
    variances = statistics.class_variances
    if not convention.bias_correction:
        return variances
    noise = mean_noise(statistics.centers)
    if isinstance(statistics, HeldOutStatistics) and not statistics.are_fitted:
        return variances - noise  # distances contain the errors of the centers
    return variances + noise


def mean_noise(centers: ClassStatistics) -> Array:
    """Return the expected squared error of each class mean, (K,)."""
    xp, counts = namespace(centers.counts), centers.counts
    several = counts > 1
    return centers.class_variances / xp.where(several, counts - 1, xp.nan)


def within_trace(statistics: AnyStatistics, convention: Convention) -> float:
    """Return the trace of the within-class covariance."""
    xp = namespace(statistics.counts)
    weights = convention.within_weights(statistics.counts)
    parts = weights * unbiased_variances(statistics, convention)
    held = statistics.counts > 0
    return float(xp.sum(xp.where(held, parts, 0.0)))
