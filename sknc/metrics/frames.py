"""More NC2: class means, or rows of the head, as a frame."""

import math

from sknc._utils.arrays import namespace, row_squared_norms
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric, of_head
from sknc.metrics._shared.frames import (
    pairs_of,
    shape_of,
    singular_values_of,
    uncentered_vectors_of,
    vectors_of,
)
from sknc.metrics._shared.rows import distance_from_identity, distance_from_simplex
from sknc.statistics.held_out import AnyStatistics

_MEANS_ARE_ZERO = when.Condition(
    "all class means are zero",
    lambda case: not uncentered_vectors_of(case.statistics).any(),
    for_head=when.ZERO_WEIGHTS,
)
_NO_BOUND = when.Condition(
    "K is at most D, so there is no bound",
    lambda case: case.statistics.n_classes <= case.statistics.n_features,
)


@metric(
    "NC2",
    sources=(by.after(by.WU),),
    interval="[0, inf)",
    undefined=when.NO_DIRECTION,
)
def nc2_log_equinorm(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Spread of the logarithms of the norms of the centered class means.

    .. math::
        \operatorname{std}_k \log \lVert \bar\mu_k \rVert

    See Also
    --------
    nc2_equinorm : Coefficient of variation of the norms themselves.

    Notes
    -----
    The standard deviation has divisor K - 1. To first order it equals `nc2_equinorm`,
    but tiny norms matter as much as huge ones.

    Examples
    --------
    Centered means with norms 2, 1 and 1: ``log(2) / sqrt(3)``.

    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> nc2_log_equinorm(ClassStatistics.from_samples(X, np.arange(3)))
    0.4001887
    """
    vectors = vectors_of(statistics, convention)
    xp = namespace(vectors)
    norms = xp.sqrt(row_squared_norms(vectors))
    if not bool(xp.all(norms > 0)):
        return math.nan
    # Nearly equal norms have logarithms near zero, where these are most accurate.
    return float(xp.std(xp.log(norms / xp.mean(norms)), correction=1))


nc2_log_equinorm_head = of_head(nc2_log_equinorm)


@metric(
    "NC2",
    lower_is_collapsed=None,
    ideal=None,
    sources=(by.after(by.ZHU),),
    interval="[0, sqrt(2))",
    convention="Not used.",
)
def nc2_etf_floor(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Lowest possible ``nc2_etf`` for the numbers of classes and features.

    .. math::
        \sqrt{2 - 2 \sqrt{D / (K-1)}} \quad \text{if } K > D + 1, \text{ else } 0

    See Also
    --------
    nc2_etf_excess : The excess over this value.

    Notes
    -----
    A matrix of rank D has at most D equal eigenvalues, but that of a simplex has K - 1.
    The paper defines the distance; its least value follows. It depends only on K and D,
    not on collapse.

    Examples
    --------
    Four classes in the plane: ``sqrt(2 - 2 sqrt(2/3))``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_floor(ClassStatistics.from_samples(X, np.arange(4)))
    0.6058109
    """
    Convention.preset(convention)
    return _etf_floor(*shape_of(statistics))


nc2_etf_floor_head = of_head(nc2_etf_floor)


@metric(
    "NC2",
    sources=(by.after(by.ZHU),),
    interval="[0, sqrt(2)]",
    undefined=(when.MEANS_COINCIDE,),
)
def nc2_etf_excess(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Excess of ``nc2_etf`` over its lowest possible value for this K and D.

    .. math::
        \left\lVert \frac{\bar M \bar M^\top}{\lVert \bar M \bar M^\top \rVert_F}
        - \frac{I - \mathbf{1}\mathbf{1}^\top/K}{\sqrt{K-1}} \right\rVert_F
        - \sqrt{2 - 2 \sqrt{\min(1, D / (K-1))}}

    See Also
    --------
    nc2_etf : The distance itself.
    nc2_etf_floor : The least value.

    Notes
    -----
    If K > D + 1, the value 0 only requires equal variance in all directions, not equal
    norms or angles; see `nc2_welch` and `gnc2_margin` for these.

    Examples
    --------
    Squared singular values 8 and 2: ``sqrt(2 - 2 sqrt(100/68/3))`` is 0.7744159, the
    floor is 0.6058109.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_excess(ClassStatistics.from_samples(X, np.arange(4)))
    0.1686050
    """
    vectors = vectors_of(statistics, convention)
    value = distance_from_simplex(vectors, vectors)
    return _above(value, _etf_floor(*vectors.shape))


nc2_etf_excess_head = of_head(nc2_etf_excess, interval="[0, 2]")


@metric(
    "NC2",
    lower_is_collapsed=None,
    ideal="0 without centering, sqrt(2-2sqrt((K-1)/K)) for a simplex about 0",
    sources=(by.DANG, by.TIRER_BRUNA),
    interval="[0, sqrt(2))",
    undefined=(_MEANS_ARE_ZERO,),
    unchanged_by="rotations and uniform scaling, but not by shifts",
    convention="Not used: this metric never centers.",
)
def nc2_orthoframe(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the Gram matrix of the uncentered class means from the identity.

    .. math::
        \left\lVert \frac{A}{\lVert A \rVert_F} - \frac{I}{\sqrt{K}} \right\rVert_F,
        \qquad A = M M^\top

    See Also
    --------
    nc2_etf : The distance from a simplex, for centered class means.

    Notes
    -----
    It is 0 if the vectors are orthogonal and have equal length, which is the collapse
    of networks without bias or with nonnegative features. For K > D it is at least
    ``sqrt(2 - 2 sqrt(D/K))``.

    Examples
    --------
    Orthogonal means of lengths 2 and 1: ``sqrt(2 - 10 / sqrt(34))``.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> nc2_orthoframe(ClassStatistics.from_samples(X, np.arange(2)))
    0.5338671
    """
    Convention.preset(convention)
    vectors = uncentered_vectors_of(statistics)
    return distance_from_identity(vectors, vectors)


nc2_orthoframe_head = of_head(
    nc2_orthoframe, unchanged_by="rotations and uniform scaling"
)


@metric(
    "NC2",
    sources=(by.after(by.BENEDETTO),),
    interval="[0, sqrt(r - 1)]",
    undefined=(when.MEANS_COINCIDE,),
)
def nc2_tightness(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the centered class means from a tight frame.

    .. math::
        \frac{1}{\sqrt{r}} \left\lVert \frac{r}{\lVert \bar M \rVert_F^2}
        \bar M^\top \bar M - P \right\rVert_F = \sqrt{r / \mathrm{PR} - 1}, \qquad
        r = \min(K - 1, D)

    with P the projector on the r leading principal directions of the class means and PR
    the participation ratio of the eigenvalues of :math:`\bar M^\top \bar M`.

    See Also
    --------
    nc2_etf : Equivalent for K <= D + 1 and the default center.

    Notes
    -----
    r is the rank of a simplex, not that of the class means: means that span fewer
    directions are not tight. The second form holds for centered means. If the
    convention does not center, directions beyond the first r add their squared shares
    to the norm.

    Examples
    --------
    Squared singular values 8 and 2 are 8/5 and 2/5 of their mean.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_tightness(ClassStatistics.from_samples(X, np.arange(4)))
    0.6
    """
    n_classes, n_features = shape_of(statistics)
    rank = min(n_classes - 1, n_features)
    squares = singular_values_of(statistics, convention) ** 2
    xp = namespace(squares)
    total = float(xp.sum(squares))
    if total == 0:
        return math.nan
    shares = squares * (rank / total)
    inside, outside = shares[:rank] - 1, shares[rank:]
    absent = rank - inside.shape[0]  # zero singular values
    squared = float(xp.sum(inside**2)) + float(xp.sum(outside**2)) + absent
    return math.sqrt(squared / rank)


nc2_tightness_head = of_head(nc2_tightness, interval="[0, sqrt(r + 1)]")


@metric(
    "NC2",
    ideal="1/(K-1)",
    sources=(by.STROHMER,),
    interval="[1/(K-1), 1]",
    undefined=when.NO_DIRECTION,
    convention='Its center. The lower bound is that of ``center="class"``.',
)
def nc2_coherence(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Largest absolute cosine between class means.

    .. math::
        \max_{i<j} |c_{ij}|, \qquad c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    See Also
    --------
    nc2_welch : The excess over its least value, for K > D.

    Notes
    -----
    1/(K-1) is the least value for vectors that sum to zero. Other vectors may have
    smaller values, down to 0 for orthogonal rows of a head.

    Examples
    --------
    A square has opposite corners.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_coherence(ClassStatistics.from_samples(X, np.arange(4)))
    1.0
    """
    return _coherence(statistics, convention)


nc2_coherence_head = of_head(nc2_coherence, interval="[0, 1]")


@metric(
    "NC2",
    sources=(by.after(by.WELCH), by.STROHMER),
    interval="[0, 1)",
    undefined=(_NO_BOUND, *when.NO_DIRECTION),
)
def nc2_welch(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Excess of the coherence of the class means over the Welch bound.

    .. math::
        \max_{i<j} |c_{ij}| - \sqrt{\frac{K - D}{D (K - 1)}} \quad \text{for } K > D

    See Also
    --------
    nc2_coherence : The largest absolute cosine.

    Notes
    -----
    It is 0 for a simplex of K = D + 1 classes and for other equiangular tight frames,
    which exist for few K and D and never for K > D (D + 1) / 2.

    Examples
    --------
    A square: ``1 - sqrt(1/3)``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_welch(ClassStatistics.from_samples(X, np.arange(4)))
    0.4226497
    """
    n_classes, n_features = shape_of(statistics)
    if n_classes <= n_features:
        return math.nan
    share = (n_classes - n_features) / (n_features * (n_classes - 1))
    return _above(_coherence(statistics, convention), math.sqrt(share))


nc2_welch_head = of_head(nc2_welch)


def _etf_floor(n_classes: int, n_features: int) -> float:
    """Return the least distance from a simplex of K vectors in D dimensions."""
    missing = max(0, n_classes - 1 - n_features) / (n_classes - 1)
    # sqrt(2 - 2 sqrt(1 - missing)), without cancellation.
    return math.sqrt(2 * missing / (1 + math.sqrt(1 - missing)))


def _above(value: float, bound: float) -> float:
    """Return the excess over a bound, and 0 if rounding makes it negative."""
    return value if math.isnan(value) else max(0.0, value - bound)


def _coherence(
    source: AnyStatistics | LinearHead, convention: str | Convention
) -> float:
    pairs, n_classes = pairs_of(source, convention), shape_of(source)[0]
    least = pairs.excess.least - 1 / (n_classes - 1)
    greatest = pairs.excess.greatest - 1 / (n_classes - 1)
    if math.isnan(greatest):
        return math.nan
    return min(1.0, max(abs(least), abs(greatest)))
