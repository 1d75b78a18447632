"""Collapse of imbalanced classes: how counts affect the geometry."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from sknc._utils.arrays import namespace
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared import imbalance
from sknc.metrics._shared.geometry import centered_means, check_two_classes
from sknc.metrics._shared.rows import distance_from_simplex
from sknc.statistics.held_out import AnyStatistics

_SELI: dict[str, Any] = {"sources": (by.THRAMPOULIDIS,), "most_classes": 5_000}
_RAISES = (
    "If fewer than two classes have samples, or `minority` is not a quantile in "
    "(0, 1) or labels of classes with samples."
)
_MINORITY_AT_CENTER = when.otherwise("the mean of a minority class is the global mean")
_MINORITY_ROW_ZERO = when.otherwise("the row of a minority class is zero")
_FOLLOWS_COUNTS: dict[str, Any] = {
    "lower_is_collapsed": None,
    "ideal": None,
    "sources": (by.after(by.THRAMPOULIDIS, "who predict that norms follow counts"),),
    "interval": "[-1, 1]; 0 if norms do not follow counts",
    "undefined": (
        when.otherwise("counts or norms are all equal, or there are two classes"),
    ),
}


@metric(
    "imbalance",
    ideal="-1/(K-1)",
    sources=(by.FANG,),
    interval="[-1, 1]",
    undefined=(imbalance.NO_MINORITY, _MINORITY_AT_CENTER),
    raises=_RAISES,
)
def imb_minority_cosine(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    minority: float | Iterable[Any] = 0.5,
) -> float:
    r"""
    Mean cosine between the class means of minority classes.

    .. math::
        \operatorname{mean}_{i<j \in \text{minority}} \cos(\bar\mu_i, \bar\mu_j)

    Notes
    -----
    Counts are those of the samples from which the centers were computed. The value 1 is
    minority collapse. If the center is the mean of samples, even an exact simplex
    appears to have minority collapse when classes are imbalanced.

    Examples
    --------
    The two rare classes are at a right angle, seen from the mean of class means:

    >>> X = np.array([[-2.0, 0], [-2, 0], [1, 1], [1, -1]])
    >>> imb_minority_cosine(ClassStatistics.from_samples(X, np.array([0, 0, 1, 2])))
    0.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return imbalance.mean_cosine(
        imbalance.rows_where(means, imbalance.minority_classes(statistics, minority))
    )


@metric(
    "imbalance",
    ideal="-1/(K-1)",
    sources=(by.FANG,),
    interval="[-1, 1]",
    undefined=(imbalance.NO_MINORITY, _MINORITY_ROW_ZERO),
    unchanged_by="rotations and uniform scaling",
    raises=_RAISES,
)
def imb_minority_cosine_head(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    minority: float | Iterable[Any] = 0.5,
) -> float:
    """
    Mean cosine between the rows of the head that belong to minority classes.

    The formula of `imb_minority_cosine` on the rows of W, uncentered.

    Notes
    -----
    The value 1 is minority collapse.

    Examples
    --------
    The rows of the two rare classes have merged:

    >>> X = np.array([[-2.0, 0], [-2, 0], [1, 1], [1, -1]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 2]))
    >>> head = LinearHead(np.array([[-2.0, 0], [1, 0], [1, 0]]), None)
    >>> imb_minority_cosine_head(statistics, head)
    1.0
    """
    check_two_classes(statistics)
    return imbalance.mean_cosine(
        imbalance.rows_where(
            head.weights, imbalance.minority_classes(statistics, minority)
        )
    )


@metric(
    "imbalance",
    lower_is_collapsed=None,
    ideal=1.0,
    sources=(by.after(by.FANG, "minority collapse by distances"),),
    interval="[0, inf]",
    undefined=(imbalance.NO_MINORITY, imbalance.NO_MAJORITY, when.MEANS_COINCIDE),
    infinite="all majority classes coincide",
    convention="Not used: distances do not depend on the center.",
    raises=_RAISES,
)
def imb_minority_ratio(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    minority: float | Iterable[Any] = 0.5,
) -> float:
    r"""
    Mean distance between minority classes, relative to majority classes.

    .. math::
        \frac{\operatorname{mean}_{i<j \in \text{minority}} \lVert \mu_i - \mu_j
        \rVert}{\operatorname{mean}_{i<j \in \text{majority}} \lVert \mu_i - \mu_j
        \rVert}

    Notes
    -----
    It goes to 0 as the minority collapses.

    Examples
    --------
    Frequent classes at distance 4, rare ones at distance 1:

    >>> X = np.array([[0.0], [0], [4], [4], [7], [8]])
    >>> y = np.array([0, 0, 1, 1, 2, 3])
    >>> imb_minority_ratio(ClassStatistics.from_samples(X, y))
    0.25
    """
    means = centered_means(statistics, Convention.preset(convention))
    rounding = statistics.centers.mean_rounding()
    few = imbalance.minority_classes(statistics, minority)
    near, far = (
        imbalance.mean_distance(
            imbalance.rows_where(means, block), imbalance.rows_where(rounding, block)
        )
        for block in (few, ~few)
    )
    if far == 0:
        return math.inf if near > 0 else math.nan
    return near / far


@metric(
    "imbalance",
    unchanged_by=(
        "shifts, rotations and uniform scaling, and by keeping the order of counts"
    ),
    **_FOLLOWS_COUNTS,
)
def imb_norm_count_corr(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Rank correlation of the norms of the centered class means with the counts.

    .. math::
        \operatorname{Spearman}_k(\lVert \bar\mu_k \rVert, n_k)

    Notes
    -----
    Ties get their average rank. Values within a relative 1e-9 are tied, so that
    rounding is not ranked. Counts are those of the samples from which the centers were
    computed.

    Examples
    --------
    Centered means at -1, -2 and 3; ranks (1, 2, 3) against (1, 3, 2):

    >>> X = np.array([[-1.0], [-2], [-2], [-2], [3], [3]])
    >>> y = np.array([0, 1, 1, 1, 2, 2])
    >>> imb_norm_count_corr(ClassStatistics.from_samples(X, y))
    0.5
    """
    means = centered_means(statistics, Convention.preset(convention))
    return imbalance.norm_count_correlation(statistics, means)


@metric(
    "imbalance",
    unchanged_by="rotations and uniform scaling",
    **_FOLLOWS_COUNTS,
)
def imb_norm_count_corr_head(statistics: AnyStatistics, head: LinearHead) -> float:
    """
    Rank correlation of the norms of the rows of the head with the counts.

    The formula of `imb_norm_count_corr` on the rows of W, uncentered.

    Examples
    --------
    >>> X, y = np.zeros((6, 1)), np.array([0, 1, 1, 1, 2, 2])
    >>> statistics = ClassStatistics.from_samples(X, y)
    >>> head = LinearHead(np.array([[1.0], [5.0], [2.0]]), None)
    >>> imb_norm_count_corr_head(statistics, head)
    1.0
    """
    check_two_classes(statistics)
    return imbalance.norm_count_correlation(statistics, head.weights)


@metric(
    "imbalance",
    sources=(by.after(by.HONG, "whose block structure it measures"),),
    interval="[0, sqrt(K) + 1.5]",
    undefined=(imbalance.NO_GROUP, *when.NO_DIRECTION),
)
def imb_block(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Spread of norms and cosines among classes that have the same count.

    .. math::
        \operatorname{mean}_g \left[ \frac{\operatorname{std}_{k \in g} \lVert
        \bar\mu_k \rVert}{\operatorname{mean}_{k \in g} \lVert \bar\mu_k \rVert}
        + \operatorname{std}_{i<j \in g} \cos(\bar\mu_i, \bar\mu_j) \right]

    over the groups g of two or more classes of equal count.

    Notes
    -----
    Each group counts once, whatever its size. Standard deviations have divisor "number"
    - 1; for a group of two, that of the cosine counts as 0. Counts are equal if they
    are within a relative 1e-9. On balanced data with more than two classes it is
    `nc2_equinorm` + `nc2_cos_std`. It is 0 in any geometry that depends only on the
    counts.

    Examples
    --------
    Two classes of two samples at distances 2 and 1 from the center: standard deviation
    sqrt(1/2) over mean 3/2. The third class is alone.

    >>> X = np.array([[2.0], [2], [-1], [-1], [-1]])
    >>> imb_block(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1, 2])))
    0.4714045
    """
    means = centered_means(statistics, Convention.preset(convention))
    groups = imbalance.distinct_levels(imbalance.class_counts(statistics))
    sizes = np.bincount(groups)
    spreads = [
        imbalance.added_spreads(imbalance.rows_where(means, groups == g))
        for g in np.flatnonzero(sizes > 1)
    ]
    return math.fsum(spreads) / len(spreads) if spreads else math.nan


@metric(
    "imbalance",
    interval="[0, sqrt(2)]",
    undefined=(when.ZERO_WEIGHTS,),
    unchanged_by="rotations and uniform scaling",
    **_SELI,
)
def imb_seli_w(statistics: AnyStatistics, head: LinearHead) -> float:
    r"""
    Distance of the Gram matrix of the head from that of the SELI geometry.

    .. math::
        \left\lVert \frac{W W^\top}{\lVert W W^\top \rVert_F}
        - \frac{V \Lambda V^\top}{\lVert V \Lambda V^\top \rVert_F} \right\rVert_F,
        \qquad (I - \mathbf{1}\mathbf{1}^\top/K) \operatorname{diag}(\sqrt{n})
        = V \Lambda B^\top

    Notes
    -----
    The decomposition, of size K, has the left factors and values of that of the K x N
    matrix of simplex-encoded labels in [1]_. Takes O(K^3) time and O(K^2) memory.
    Counts are those of the samples from which the centers were computed. It is 0 in the
    SELI geometry, which is a simplex only on balanced data.

    Examples
    --------
    Two classes have one direction, whatever their counts:

    >>> statistics = ClassStatistics.from_samples(np.zeros((3, 1)), np.array([0, 1, 1]))
    >>> head = LinearHead(np.array([[1.0], [0.0]]), None)
    >>> imb_seli_w(statistics, head)  # |(1, 0; 0, 0) - (1, -1; -1, 1) / 2|
    1.0
    """
    left, values, _ = imbalance.seli_factors(statistics)
    return imbalance.gram_distance(head.weights, left, values)


@metric(
    "imbalance",
    interval="[0, sqrt(2)]",
    undefined=(when.MEANS_COINCIDE,),
    **_SELI,
)
def imb_seli_h(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the Gram matrix of the class means from that of the SELI geometry.

    .. math::
        \left\lVert \frac{\bar M \bar M^\top}{\lVert \bar M \bar M^\top \rVert_F}
        - \frac{U \Lambda U^\top}{\lVert U \Lambda U^\top \rVert_F} \right\rVert_F,
        \qquad U = \operatorname{diag}(1/\sqrt{n}) B, \qquad
        (I - \mathbf{1}\mathbf{1}^\top/K) \operatorname{diag}(\sqrt{n})
        = V \Lambda B^\top

    Notes
    -----
    The rows of U are those of the right factor of the K x N matrix of simplex-encoded
    labels in [1]_, one for each class, because all samples of a class have the same
    row. Takes O(K^3) time and O(K^2) memory. Counts are those of the samples from which
    the centers were computed. It is 0 in the SELI geometry, which is a simplex only on
    balanced data. Its class means sum to zero, so the center must be the mean of class
    means, or none.

    Examples
    --------
    Any two class means, seen from their midpoint, are in the SELI geometry:

    >>> X = np.array([[5.0, 0], [1, 2], [1, 2]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1, 1]))
    >>> round(imb_seli_h(statistics), 12)
    0.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    _, values, right = imbalance.seli_factors(statistics)
    counts = statistics.centers.counts
    rows = right / namespace(counts).sqrt(counts)[:, None]
    return imbalance.gram_distance(means, rows, values)


@metric(
    "imbalance",
    interval="[0, 2]",
    undefined=when.PRODUCTS_VANISH,
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
    **_SELI,
)
def imb_seli_z(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Distance of the logits of the class means from simplex-encoded labels.

    .. math::
        \left\lVert \frac{W \bar M^\top}{\lVert W \bar M^\top \rVert_F}
        - \frac{\hat Z}{\lVert \hat Z \rVert_F} \right\rVert_F, \qquad
        \hat Z = I - \mathbf{1}\mathbf{1}^\top/K

    See Also
    --------
    nc3_structure : The same value.

    Notes
    -----
    Uses one column of the label matrix for each class. It equals `nc3_structure` for
    any counts, and is listed to complete the three parts of the SELI geometry.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1, 1]))
    >>> imb_seli_z(statistics, LinearHead(-X[:2], None))
    2.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return distance_from_simplex(head.weights, means)
