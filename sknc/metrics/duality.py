"""NC0 and NC3: rows of the head sum to zero and align with the means; bias (NC4)."""

import math

from sknc._utils.arrays import Array, namespace, row_squared_norms
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.frames import uncentered_vectors_of
from sknc.metrics._shared.geometry import centered_means, check_observed, sample_mean
from sknc.metrics._shared.rows import (
    distance_from_identity,
    distance_from_simplex,
    unit_rows,
)
from sknc.statistics.held_out import AnyStatistics


@metric(
    "NC0",
    headline=True,
    sources=(by.after(by.ZHAO),),
    interval="[0, 1]",
    undefined=(when.ZERO_WEIGHTS,),
    unchanged_by="rotations and uniform scaling",
)
def nc0_weight_sum(head: LinearHead) -> float:
    r"""
    Norm of the sum of the rows of the head, relative to its largest possible value.

    .. math::
        \lVert W^\top \mathbf{1} \rVert / (\sqrt{K} \lVert W \rVert_F)

    Notes
    -----
    Weight decay drives it to zero; without decay a head keeps its initial sum. Called
    NC0 in [1]_, where the norm is divided by D. Here it is divided by its upper bound,
    which makes it independent of scale.

    Examples
    --------
    Rows 1 and 0 have sum 1, and the bound is sqrt(2):

    >>> nc0_weight_sum(LinearHead(np.array([[1.0], [0.0]]), None))
    0.7071068
    """
    xp = namespace(head.weights)
    norm = _norm(head.weights)
    if norm == 0:
        return math.nan
    total = float(xp.linalg.vector_norm(xp.sum(head.weights, axis=0)))
    return total / (math.sqrt(head.weights.shape[0]) * norm)


@metric(
    "NC3",
    essential=True,
    headline=True,
    sources=(by.PAPYAN,),
    interval="[0, 2], or [0, 4] if squared",
    undefined=(when.ZERO_WEIGHTS, when.MEANS_COINCIDE),
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
    convention="Its center, and whether the norm is squared.",
)
def nc3_self_duality(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Distance between the head and the centered class means, each of unit norm.

    .. math::
        \left\lVert \frac{W}{\lVert W \rVert_F}
        - \frac{\bar M}{\lVert \bar M \rVert_F} \right\rVert_F

    Examples
    --------
    A head that is rotated by 90 degrees:

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[0.0, 1.0], [0.0, -1.0]]), None)
    >>> nc3_self_duality(statistics, head)  # sqrt(2)
    1.4142136
    """
    convention = Convention.preset(convention)
    means = centered_means(statistics, convention)
    norms = _norm(head.weights), _norm(means)
    if not all(norms):
        return math.nan
    distance = _norm(head.weights / norms[0] - means / norms[1])
    return distance**2 if convention.squared_duality else distance


@metric(
    "NC3",
    headline=True,
    sources=(by.ZHU,),
    interval="[0, 2]",
    undefined=when.PRODUCTS_VANISH,
    caveats=(when.least_distance_from_simplex,),
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
)
def nc3_structure(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Distance of the products of head and class means from a simplex.

    .. math::
        \left\lVert \frac{W \bar M^\top}{\lVert W \bar M^\top \rVert_F}
        - \frac{I - \mathbf{1}\mathbf{1}^\top/K}{\sqrt{K-1}} \right\rVert_F

    Notes
    -----
    Compares the logits of the class means with those of a simplex. It is zero for some
    heads that are not aligned with the means, unlike `nc3_self_duality`.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> nc3_structure(statistics, LinearHead(-X, None))  # |-T - T|
    2.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return distance_from_simplex(head.weights, means)


@metric(
    "NC3",
    headline=True,
    sources=(by.JIANG,),
    interval="[0, 2]",
    undefined=(when.ZERO_ROW, *when.NO_DIRECTION),
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
)
def nc3_cosine(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    One minus the mean cosine between a row of the head and its class mean.

    .. math::
        1 - \operatorname{mean}_k \cos(w_k, \bar\mu_k)

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[0.0, 1.0], [-2.0, 0.0]]), None)
    >>> nc3_cosine(statistics, head)  # 1 - (0 + 1) / 2
    0.5
    """
    means = centered_means(statistics, Convention.preset(convention))
    # 1 - cos = |u - v|^2 / 2 for unit vectors, without cancellation near zero.
    gaps = row_squared_norms(unit_rows(head.weights) - unit_rows(means))
    return float(namespace(gaps).mean(gaps)) / 2


@metric(
    "NC3",
    lower_is_collapsed=None,
    ideal="0 without centering, sqrt(2-2sqrt((K-1)/K)) for a simplex about 0",
    sources=(by.DANG,),
    interval="[0, 2]",
    undefined=(
        when.ZERO_WEIGHTS,
        when.otherwise("all products of a row of the head and a class mean vanish"),
    ),
    unchanged_by="rotations of both sides and positive scaling of either, but not by "
    "shifts",
    convention="Not used: this metric never centers.",
)
def nc3_orthoframe(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Distance of the products of head and uncentered class means from the identity.

    .. math::
        \left\lVert \frac{W M^\top}{\lVert W M^\top \rVert_F}
        - \frac{I}{\sqrt{K}} \right\rVert_F

    See Also
    --------
    nc2_orthoframe : The same for the class means alone.
    nc3_structure : The distance from a simplex, for centered class means.

    Notes
    -----
    It is 0 if row k of the head is orthogonal to all class means but its own, and the
    products with these are equal. This is the collapse of networks without bias or with
    nonnegative features.

    Examples
    --------
    Products 2 and 1 on the diagonal: ``sqrt(2 - 6 / sqrt(10))``.

    >>> statistics = ClassStatistics.from_samples(np.eye(2), np.array([0, 1]))
    >>> nc3_orthoframe(statistics, LinearHead(np.diag([2.0, 1.0]), None))
    0.3203645
    """
    Convention.preset(convention)
    means = uncentered_vectors_of(statistics)
    return distance_from_identity(head.weights, means)


def head_cosines(
    statistics: AnyStatistics, head: LinearHead, convention: Convention
) -> Array:
    """Return ``cos(w_k, mean_k)`` of each class, (K,)."""
    xp = namespace(head.weights)
    means = centered_means(statistics, convention)
    return xp.sum(unit_rows(head.weights) * unit_rows(means), axis=1)


@metric(
    "NC4",
    needs=("bias",),
    headline=True,
    sources=(by.ZHU,),
    interval="[0, inf)",
    unit="In units of the logits",
    unchanged_by="",
    raises="",
)
def nc4_bias_collapse(statistics: AnyStatistics, head: LinearHead) -> float:
    r"""
    Norm of the logits of the mean of all samples.

    .. math::
        \lVert W \mu_S + b \rVert_2

    Notes
    -----
    The mean is that of the samples from which the centers were computed.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[1.0], [-1.0]]), np.array([-2.0, 1.0]))
    >>> nc4_bias_collapse(statistics, head)  # |(2 - 2, -2 + 1)|
    1.0
    """
    if head.bias is None:
        return math.nan
    check_observed(statistics)
    logits = head.weights @ sample_mean(statistics.centers) + head.bias
    return float(namespace(logits).linalg.vector_norm(logits))


def _norm(matrix: Array) -> float:
    return float(namespace(matrix).linalg.matrix_norm(matrix))
