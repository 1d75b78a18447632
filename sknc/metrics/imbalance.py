"""Collapse of imbalanced classes: what the counts do to the geometry."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from sknc._array import Array, device_of, namespace, row_squared_norms, to_numpy
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics
from sknc.metrics import _sources as by
from sknc.metrics._conditions import (
    MEANS_COINCIDE,
    NO_DIRECTION,
    PRODUCTS_VANISH,
    ZERO_WEIGHTS,
    Case,
    Condition,
    otherwise,
)
from sknc.metrics._define import metric
from sknc.metrics._geometry import centered_means, check_two_classes
from sknc.metrics._pairs import (
    Summary,
    pair_blocks,
    squared_distances,
    summarize_pairs,
)
from sknc.metrics._rows import relative_spread, unit_product, unit_rows
from sknc.metrics.simplex import distance_from_simplex

# Sums of weights, and norms, that differ by less than this are equal but for rounding.
_TIED = 1e-9

_RAISES = (
    "If fewer than two classes have samples, or `minority` is not a quantile inside "
    "(0, 1) nor labels of classes that have samples."
)
_NO_MINORITY = Condition(
    "fewer than two classes are of the minority, as for balanced data unless they are "
    "named",
    lambda case: _why_no_pair(case, "minority"),
)
_NO_MAJORITY = Condition(
    "fewer than two classes are of the majority",
    lambda case: _why_no_pair(case, "majority"),
)
_MINORITY_AT_CENTER = otherwise("the mean of a minority class is the global mean")
_MINORITY_ROW_ZERO = otherwise("the row of a minority class is zero")
_ONE_RANK = otherwise("counts or norms are all equal, or there are only two classes")
_NO_GROUP = Condition(
    "no two classes have the same count",
    lambda case: (
        len(np.unique(_levels(_counts(case.statistics)))) == case.statistics.n_classes
    ),
)


def _why_no_pair(case: Case, side: str) -> str | None:
    """Return why one side has no pair of classes, and what to do about it."""
    few = minority_classes(case.statistics, case.convention.minority)
    if not few.any():
        return (
            "all counts are equal, so no class is of the minority. Name some: "
            "convention=Convention(minority=[label, ...])"
        )
    mask = few if side == "minority" else ~few
    labels = case.statistics.centers.classes[mask].tolist()
    if len(labels) > 1:
        return None
    found = f"has one class, {labels}," if labels else "has no class"
    return (
        f"the {side} {found} and so no pair. Choose another split: "
        "convention=Convention(minority=...), a quantile or labels"
    )


@metric(
    "imbalance",
    ideal="-1/(K-1)",
    sources=(by.FANG,),
    interval="[-1, 1]",
    undefined=(_NO_MINORITY, _MINORITY_AT_CENTER),
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

    Parameters
    ----------
    minority : float or iterable of labels, default=0.5
        Labels of the minority classes; or a quantile q, 0 < q < 1, and then those
        whose count is at most the q-quantile of the counts (the least count that
        ``q K`` classes do not exceed) and below the largest count.

    Notes
    -----
    Counts are those of the samples which the centers come from.
    1 is minority collapse. If the center is the mean of samples, an exact simplex of
    imbalanced classes shows a minority collapse that is not there.

    Examples
    --------
    The two rare classes are at a right angle, seen from the mean of class means:

    >>> X = np.array([[-2.0, 0], [-2, 0], [1, 1], [1, -1]])
    >>> imb_minority_cosine(ClassStatistics.from_samples(X, np.array([0, 0, 1, 2])))
    0.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return _mean_cosine(_take(means, minority_classes(statistics, minority)))


@metric(
    "imbalance",
    ideal="-1/(K-1)",
    sources=(by.FANG,),
    interval="[-1, 1]",
    undefined=(_NO_MINORITY, _MINORITY_ROW_ZERO),
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

    Parameters
    ----------
    minority : float or iterable of labels, default=0.5
        The minority classes, as in `imb_minority_cosine`.

    Notes
    -----
    1 is minority collapse.

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
    return _mean_cosine(_take(head.weights, minority_classes(statistics, minority)))


@metric(
    "imbalance",
    lower_is_collapsed=None,
    ideal=1.0,
    sources=(by.after(by.FANG, "minority collapse by distances"),),
    interval="[0, inf]",
    undefined=(_NO_MINORITY, _NO_MAJORITY, MEANS_COINCIDE),
    infinite="all classes of the majority coincide",
    convention="Makes no difference: distances do not depend on the center.",
    raises=_RAISES,
)
def imb_minority_ratio(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    minority: float | Iterable[Any] = 0.5,
) -> float:
    r"""
    Mean distance between minority classes over that between majority classes.

    .. math::
        \frac{\operatorname{mean}_{i<j \in \text{minority}} \lVert \mu_i - \mu_j
        \rVert}{\operatorname{mean}_{i<j \in \text{majority}} \lVert \mu_i - \mu_j
        \rVert}

    Parameters
    ----------
    minority : float or iterable of labels, default=0.5
        The minority classes, as in `imb_minority_cosine`; the others are the
        majority.

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
    few = minority_classes(statistics, minority)
    near, far = (
        _mean_distance(_take(means, block), _take(rounding, block))
        for block in (few, ~few)
    )
    if far == 0:
        return math.inf if near > 0 else math.nan
    return near / far


@metric(
    "imbalance",
    lower_is_collapsed=None,
    ideal=None,
    sources=(by.after(by.THRAMPOULIDIS, "who predict that norms follow counts"),),
    interval="[-1, 1]; 0 if norms do not follow counts",
    undefined=(_ONE_RANK,),
    unchanged_by=(
        "shifts, rotations and uniform scaling, and by all that keeps the counts' order"
    ),
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
    Ties get their average rank. Values count as tied if they are within 1e-9 of each
    other, relatively, so that rounding is not ranked. Counts are those of the
    samples which the centers come from.

    Examples
    --------
    Centered means at -1, -2 and 3; ranks (1, 2, 3) against (1, 3, 2):

    >>> X = np.array([[-1.0], [-2], [-2], [-2], [3], [3]])
    >>> y = np.array([0, 1, 1, 1, 2, 2])
    >>> imb_norm_count_corr(ClassStatistics.from_samples(X, y))
    0.5
    """
    means = centered_means(statistics, Convention.preset(convention))
    return _norm_count_correlation(statistics, means)


@metric(
    "imbalance",
    lower_is_collapsed=None,
    ideal=None,
    sources=(by.after(by.THRAMPOULIDIS, "who predict that norms follow counts"),),
    interval="[-1, 1]; 0 if norms do not follow counts",
    undefined=(_ONE_RANK,),
    unchanged_by="rotations and uniform scaling",
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
    return _norm_count_correlation(statistics, head.weights)


@metric(
    "imbalance",
    sources=(by.after(by.HONG, "whose block structure it measures"),),
    interval="[0, sqrt(K) + 1.5]",
    undefined=(_NO_GROUP, *NO_DIRECTION),
)
def imb_block(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    How unlike each other the classes are that have the same count.

    .. math::
        \operatorname{mean}_g \left[ \frac{\operatorname{std}_{k \in g} \lVert
        \bar\mu_k \rVert}{\operatorname{mean}_{k \in g} \lVert \bar\mu_k \rVert}
        + \operatorname{std}_{i<j \in g} \cos(\bar\mu_i, \bar\mu_j) \right]

    over the groups g of two or more classes of equal count.

    Notes
    -----
    Each group counts once, whatever its size. Standard deviations have divisor
    "number" - 1; the cosine of a group of two has none, which counts as 0. Counts
    are equal if they are within 1e-9 of each other, relatively. On balanced data of
    more than two classes it is `nc2_equinorm` + `nc2_cos_std`.
    It is 0 in any geometry that depends on the counts only.

    Examples
    --------
    Two classes of two samples at distances 2 and 1 from the center: std sqrt(1/2)
    over mean 3/2. The third class is alone.

    >>> X = np.array([[2.0], [2], [-1], [-1], [-1]])
    >>> imb_block(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1, 2])))
    0.4714045
    """
    means = centered_means(statistics, Convention.preset(convention))
    groups = _levels(_counts(statistics))
    sizes = np.bincount(groups)
    spreads = [_spread(_take(means, groups == g)) for g in np.flatnonzero(sizes > 1)]
    return math.fsum(spreads) / len(spreads) if spreads else math.nan


@metric(
    "imbalance",
    sources=(by.THRAMPOULIDIS,),
    most_classes=5_000,
    interval="[0, sqrt(2)]",
    undefined=(ZERO_WEIGHTS,),
    unchanged_by="rotations and uniform scaling",
)
def imb_seli_w(statistics: AnyStatistics, head: LinearHead) -> float:
    r"""
    Distance of the Gram matrix of the head from that of the SELI geometry.

    .. math::
        \left\lVert \frac{W W^\top}{\lVert W W^\top \rVert_F}
        - \frac{V \Lambda V^\top}{\lVert V \Lambda V^\top \rVert_F} \right\rVert_F,
        \qquad (I - \mathbf{1}\mathbf{1}^\top/K) \operatorname{diag}(\sqrt{n})
        = V \Lambda B^\top

    See Also
    --------
    nc2_etf_head : The same, and equal to it, on balanced data.

    Notes
    -----
    The singular value decomposition of size K has the left factors and values of
    that of the K x N matrix of simplex-encoded labels in [1]_. In O(K^3) time and
    O(K^2) memory. Counts are those of the samples which the centers come from.
    It is 0 in the SELI geometry, which is a simplex on balanced data only.

    Examples
    --------
    Two classes have one direction, whatever their counts:

    >>> statistics = ClassStatistics.from_samples(np.zeros((3, 1)), np.array([0, 1, 1]))
    >>> head = LinearHead(np.array([[1.0], [0.0]]), None)
    >>> imb_seli_w(statistics, head)  # |(1, 0; 0, 0) - (1, -1; -1, 1) / 2|
    1.0
    """
    left, values, _ = _seli_factors(statistics)
    return _gram_distance(head.weights, left, values)


@metric(
    "imbalance",
    sources=(by.THRAMPOULIDIS,),
    most_classes=5_000,
    interval="[0, sqrt(2)]",
    undefined=(MEANS_COINCIDE,),
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

    See Also
    --------
    nc2_etf : The same, and equal to it, on balanced data.

    Notes
    -----
    The rows of U are those of the right factor of the K x N matrix of
    simplex-encoded labels in [1]_, one for each class: they are the same for all its
    samples. In O(K^3) time and O(K^2) memory. Counts are those of the samples which
    the centers come from.
    It is 0 in the SELI geometry, which is a simplex on balanced data only.
    Its class means sum to zero, so only the mean of class means as center, or none,
    leaves it in place.

    Examples
    --------
    Any two class means, seen from their middle, are in the SELI geometry:

    >>> X = np.array([[5.0, 0], [1, 2], [1, 2]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1, 1]))
    >>> round(imb_seli_h(statistics), 12)
    0.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    _, values, right = _seli_factors(statistics)
    counts = statistics.centers.counts
    rows = right / namespace(counts).sqrt(counts)[:, None]
    return _gram_distance(means, rows, values)


@metric(
    "imbalance",
    sources=(by.THRAMPOULIDIS,),
    most_classes=5_000,
    interval="[0, 2]",
    undefined=PRODUCTS_VANISH,
    unchanged_by="shifts, by rotations of both sides, and by scaling of either",
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
    nc3_structure : The same number: SELI keeps this of neural collapse.

    Notes
    -----
    One column of the label matrix for each class. Equal to `nc3_structure` for any
    counts, and listed so that the three parts of the SELI geometry are together.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1, 1]))
    >>> imb_seli_z(statistics, LinearHead(-X[:2], None))
    2.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return distance_from_simplex(head.weights, means)


# Which classes --------------------------------------------------------------------


def _counts(statistics: AnyStatistics) -> np.ndarray:
    return to_numpy(statistics.centers.counts)


def _levels(values: np.ndarray) -> np.ndarray:
    """Return the place of each value among the distinct ones, from 0."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    steps = np.diff(ascending) > _TIED * np.abs(ascending[1:])
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = np.concatenate([[0], np.cumsum(steps)])
    return levels


def minority_classes(
    statistics: AnyStatistics, minority: float | Iterable[Any]
) -> np.ndarray:
    """
    Return which classes are of the minority.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    minority : float or iterable of labels
        A quantile of the counts, or labels.

    Returns
    -------
    bool ndarray of shape (K,)
        A mask.

    Raises
    ------
    ValueError
        If it is neither a quantile inside (0, 1) nor labels of classes with samples.
    """
    if isinstance(minority, Real):
        return _rarest(_levels(_counts(statistics)), float(minority))
    classes = statistics.centers.classes.tolist()
    if isinstance(minority, str) or not isinstance(minority, Iterable):
        msg = f"minority must be a quantile or a list of labels, got {minority!r}."
        raise ValueError(msg)
    named = set(np.asarray(list(minority)).tolist())
    unknown = named - set(classes)
    if unknown:
        msg = (
            f"minority names {sorted(unknown)}, which are not classes with samples: "
            f"expected some of {classes[:10]}{' and others' * (len(classes) > 10)}."
        )
        raise ValueError(msg)
    return np.array([label in named for label in classes])


def _rarest(levels: np.ndarray, quantile: float) -> np.ndarray:
    if not 0 < quantile < 1:
        msg = f"minority must be a quantile inside (0, 1) or labels, got {quantile!r}."
        raise ValueError(msg)
    # Rounding of q K must not add a class: 0.7 * 10 is above 7.
    position = math.ceil(quantile * len(levels) - _TIED) - 1
    most = np.sort(levels)[max(position, 0)]
    rare: np.ndarray = (levels <= most) & (levels < levels.max())
    return rare


def _take(rows: Array, mask: np.ndarray) -> Array:
    xp = namespace(rows)
    index = xp.asarray(np.flatnonzero(mask), device=device_of(rows))
    return xp.take(rows, index, axis=0)


# What is asked of them ------------------------------------------------------------


def _mean_cosine(rows: Array) -> float:
    """Return the mean cosine over pairs of rows; NaN without a pair."""
    n_rows = int(rows.shape[0])
    if n_rows < 2:
        return math.nan
    xp = namespace(rows)
    total = xp.sum(unit_rows(rows), axis=0)
    mean = (float(total @ total) - n_rows) / (n_rows * (n_rows - 1))
    return min(max(mean, -1.0), 1.0)  # in this order NaN passes


def _mean_distance(rows: Array, rounding: Array) -> float:
    """Return the mean distance over pairs of rows; NaN without a pair."""
    if rows.shape[0] < 2:
        return math.nan
    xp = namespace(rows)
    squared_norms = row_squared_norms(rows)
    noise = (8 * float(xp.finfo(rows.dtype).eps)) ** 2 * squared_norms + rounding**2
    found = Summary()
    for block in pair_blocks(rows):
        squares = squared_distances(block, rows, squared_norms, noise)
        found = found.merge(Summary.of(xp.sqrt(squares)))
    return found.mean


def _norm_count_correlation(statistics: AnyStatistics, rows: Array) -> float:
    """Return Spearman's correlation of the norms of rows and the counts."""
    xp = namespace(rows)
    if statistics.n_classes < 3:
        return math.nan
    norms = to_numpy(xp.sqrt(row_squared_norms(rows)))
    first, second = (_centered_ranks(values) for values in (norms, _counts(statistics)))
    squares = float(first @ first) * float(second @ second)
    if squares == 0:
        return math.nan
    return float(first @ second) / math.sqrt(squares)


def _centered_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks less their mean; tied values share their average rank."""
    levels = _levels(values)
    sizes = np.bincount(levels)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    centered: np.ndarray = ranks[levels] - (len(values) + 1) / 2
    return centered


def _spread(rows: Array) -> float:
    """Return the spread of norms and that of cosines, added."""
    cosines = summarize_pairs(rows).excess
    if math.isnan(cosines.mean):
        return math.nan
    xp = namespace(rows)
    return relative_spread(xp.sqrt(row_squared_norms(rows))) + cosines.std


# SELI -----------------------------------------------------------------------------


def _seli_factors(statistics: AnyStatistics) -> tuple[Array, Array, Array]:
    """Return V (K, K), the values, and B (K, K), as columns; computed once."""
    check_two_classes(statistics)
    centers = statistics.centers

    def factors() -> tuple[Array, Array, Array]:
        xp, counts = namespace(centers.counts), centers.counts
        n_classes = centers.n_classes
        eye = xp.eye(n_classes, dtype=counts.dtype, device=device_of(counts))
        labels = (eye - 1 / n_classes) * xp.sqrt(counts)[None, :]
        left, values, right = xp.linalg.svd(labels)
        # The last value is zero but for rounding: rows sum to zero.
        return left[:, :-1], values[:-1], right[:-1, :].T

    return centers.once(("seli",), factors)


def _gram_distance(rows: Array, factor: Array, values: Array) -> float:
    """Return the distance of two Gram matrices, each of unit norm."""
    difference = unit_product(rows, rows) - unit_product(factor * values, factor)
    return float(namespace(rows).linalg.matrix_norm(difference))
