"""
Class means and heads as frames: K vectors of D features, and sums over pairs.

A metric built on these functions applies to class means and to rows of a head.
"""

from dataclasses import replace

from sknc._utils.arrays import Array, namespace
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import (
    centered_means,
    check_two_classes,
    mean_noise,
    spectrum,
    triangular_factor,
    unbiased_variances,
)
from sknc.metrics._shared.pairs import (
    ClassSpreads,
    DirectionSummaries,
    PairSummaries,
    summarize_directions,
    summarize_pairs,
)
from sknc.statistics.held_out import AnyStatistics


def vectors_of(
    source: AnyStatistics | LinearHead, convention: str | Convention
) -> Array:
    """Return the centered class means, or the rows of the head, (K, D)."""
    if isinstance(source, LinearHead):
        return source.weights
    return centered_means(source, Convention.preset(convention))


def shape_of(source: AnyStatistics | LinearHead) -> tuple[int, int]:
    """Return the numbers of vectors and of features."""
    if isinstance(source, LinearHead):
        n_classes, n_features = source.weights.shape
        return int(n_classes), int(n_features)
    check_two_classes(source)
    return source.n_classes, source.n_features


def uncentered_vectors_of(source: AnyStatistics | LinearHead) -> Array:
    """Return the class means, or the rows of the head, (K, D); not cached."""
    if isinstance(source, LinearHead):
        return source.weights
    check_two_classes(source)
    centers = source.centers
    return centers.centered_means(0 * centers.counts)


def pairs_of(
    source: AnyStatistics | LinearHead, convention: str | Convention
) -> PairSummaries:
    """Return the summaries over pairs of vectors, computed once."""
    if isinstance(source, LinearHead):
        return source.cached("pairs", lambda: summarize_pairs(source.weights))
    convention = Convention.preset(convention)
    means = centered_means(source, convention)
    key = ("pairs", convention.center, convention.bias_correction)
    return source.cached(
        key, lambda: summarize_pairs(means, spreads_of(source, convention))
    )


def spreads_of(statistics: AnyStatistics, convention: Convention) -> ClassSpreads:
    """Return the input of the class-distance normalized variances."""
    centers = statistics.centers
    return ClassSpreads(
        centered_means(statistics, convention),
        unbiased_variances(statistics, convention),
        centers.mean_rounding(),
        mean_noise(centers) if convention.bias_correction else None,
        statistics.counts == 0,
    )


def directions_of(
    source: AnyStatistics | LinearHead,
    convention: str | Convention,
    power: float = 1.0,
) -> DirectionSummaries:
    """Return the summaries over pairs of unit vectors, computed once."""
    vectors = vectors_of(source, convention)
    if isinstance(source, LinearHead):
        return source.cached(
            ("directions", float(power)),
            lambda: summarize_directions(vectors, power=power),
        )
    centers, center = source.centers, Convention.preset(convention).center
    return centers.cached(
        ("directions", center, float(power)),
        lambda: summarize_directions(vectors, centers.mean_rounding(), power),
    )


def singular_values_of(
    source: AnyStatistics | LinearHead, convention: str | Convention
) -> Array:
    """Return the singular values of the vectors, up to a factor."""
    if isinstance(source, LinearHead):
        ones = namespace(source.weights).ones_like(source.weights[:, 0])
        return source.cached(
            "singular_values",
            lambda: namespace(ones).linalg.svdvals(
                triangular_factor(source.weights, ones)
            ),
        )
    convention = Convention.preset(convention)
    return spectrum(source, replace(convention, between="uniform")).values
