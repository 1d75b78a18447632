"""What the metrics of frames share between class means and the head."""

import math
from collections.abc import Callable

from sknc._array import Array, device_of, namespace, row_squared_norms
from sknc.head import LinearHead
from sknc.metrics._geometry import (
    _triangular_factor,
)
from sknc.metrics._pairs import DirectionSummaries, PairSummaries
from sknc.metrics._rows import unit_product

# Above this cosine the arc cosine has lost too many digits.
_CLOSE_COSINE = 0.999


def log_equinorm(vectors: Array) -> float:
    """Spread of the logarithms of the norms."""
    xp = namespace(vectors)
    norms = xp.sqrt(row_squared_norms(vectors))
    if not bool(xp.all(norms > 0)):
        return math.nan
    # Nearly equal norms have logarithms near zero, where these are most accurate.
    return float(xp.std(xp.log(norms / xp.mean(norms)), correction=1))


def cosgram(pairs: PairSummaries, n_classes: int) -> float:
    """Relative distance of the cosines from those of a simplex."""
    return pairs.excess.root_mean_square * (n_classes - 1) / math.sqrt(n_classes)


def etf_floor(n_classes: int, n_features: int) -> float:
    """Least distance from a simplex that K vectors in D dimensions can have."""
    missing = max(0, n_classes - 1 - n_features) / (n_classes - 1)
    # sqrt(2 - 2 sqrt(1 - missing)), without the cancellation.
    return math.sqrt(2 * missing / (1 + math.sqrt(1 - missing)))


def above(value: float, bound: float) -> float:
    """Return how far a value is above a bound that only rounding can cross."""
    return value if math.isnan(value) else max(0.0, value - bound)


def orthoframe(vectors: Array) -> float:
    """
    Return ``|A/|A| - I/sqrt(K)|`` for ``A = vectors vectors^T``.

    As in `distance_from_simplex`: A is formed where the distance can be zero.
    """
    xp = namespace(vectors)
    n_classes, n_features = vectors.shape
    tall = n_classes > n_features
    rows = vectors.T if tall else vectors
    product = unit_product(rows, rows)
    if tall:
        share = float(xp.linalg.trace(product)) / math.sqrt(n_classes)
        return math.sqrt(2 - 2 * min(share, 1.0))  # in this order NaN passes
    identity = xp.eye(n_classes, dtype=product.dtype, device=device_of(product))
    return float(xp.linalg.matrix_norm(product - identity / math.sqrt(n_classes)))


def singular_values(head: LinearHead) -> Array:
    """Singular values of the head's weights, (min(K, D),)."""
    xp = namespace(head.weights)
    ones = xp.ones_like(head.weights[:, 0])
    return head.once(
        "singular_values",
        lambda: xp.linalg.svdvals(_triangular_factor(head.weights, ones)),
    )


def tightness(values: Array, n_classes: int, n_features: int) -> float:
    """Relative spread of the squared singular values."""
    xp = namespace(values)
    rank = min(n_classes - 1, n_features)
    squares = values**2
    total = float(xp.sum(squares))
    if total == 0:
        return math.nan
    shares = squares * (rank / total)
    inside, outside = shares[:rank] - 1, shares[rank:]
    absent = rank - inside.shape[0]  # singular values that are zero
    squared = float(xp.sum(inside**2)) + float(xp.sum(outside**2)) + absent
    return math.sqrt(squared / rank)


def greatest_cosine(pairs: PairSummaries, n_classes: int) -> float:
    """Greatest cosine of a pair."""
    return pairs.excess.greatest - 1 / (n_classes - 1)


def coherence(pairs: PairSummaries, n_classes: int) -> float:
    """Greatest absolute cosine of a pair."""
    least = pairs.excess.least - 1 / (n_classes - 1)
    greatest = greatest_cosine(pairs, n_classes)
    if math.isnan(greatest):
        return math.nan
    return min(1.0, max(abs(least), abs(greatest)))


def welch(pairs: PairSummaries, n_classes: int, n_features: int) -> float:
    """Excess of the coherence over the Welch bound."""
    if n_classes <= n_features:
        return math.nan
    share = (n_classes - n_features) / (n_features * (n_classes - 1))
    return above(coherence(pairs, n_classes), math.sqrt(share))


def min_angle(
    vectors: Array, pairs: PairSummaries, directions: Callable[[], DirectionSummaries]
) -> float:
    """Least angle of a pair, in radians."""
    cosine = greatest_cosine(pairs, vectors.shape[0])
    if math.isnan(cosine):
        return math.nan
    if vectors.shape[0] == 2:
        return angle_of_two(vectors)
    if cosine > _CLOSE_COSINE:
        return 2 * math.asin(directions().distance.least / 2)
    return math.acos(cosine)


def angle_of_two(vectors: Array) -> float:
    """Return the angle of two rows, opposite ones to full precision too."""
    xp = namespace(vectors)
    unit = vectors / xp.linalg.vector_norm(vectors, axis=1)[:, None]
    apart = float(xp.linalg.vector_norm(unit[0, :] - unit[1, :]))
    along = float(xp.linalg.vector_norm(unit[0, :] + unit[1, :]))
    return 2 * math.atan2(apart, along)
