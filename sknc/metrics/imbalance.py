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
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center. With the mean of samples an exact simplex of imbalanced classes
        shows a minority collapse that is not there.
    minority : float or iterable of labels, default=0.5
        Labels of the minority classes; or a quantile q, 0 < q < 1, and then those
        whose count is at most the q-quantile of the counts (the least count that
        ``q K`` classes do not exceed) and below the largest count.

    Returns
    -------
    float
        Dimensionless, in [-1, 1]; lower is more collapsed to a simplex, where it is
        -1/(K-1); 1 is minority collapse. NaN with fewer than two minority classes,
        so for balanced data unless they are named, or if the mean of one is the
        global mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, or `minority` is not a quantile
        inside (0, 1) nor labels of classes that have samples.

    Notes
    -----
    Counts are those of the samples which the centers come from.

    References
    ----------
    .. [1] C. Fang, H. He, Q. Long, W. J. Su. "Exploring deep neural networks via
       layer-peeled model: minority collapse in imbalanced training." PNAS 118 (43),
       2021. https://doi.org/10.1073/pnas.2103091118

    Examples
    --------
    The two rare classes are at a right angle, seen from the mean of class means:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.imbalance import imb_minority_cosine
    >>> X = np.array([[-2.0, 0], [-2, 0], [1, 1], [1, -1]])
    >>> imb_minority_cosine(ClassStatistics.from_samples(X, np.array([0, 0, 1, 2])))
    0.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return _mean_cosine(_take(means, minority_classes(statistics, minority)))


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
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes, of which the counts are read.
    head : LinearHead
        Weights of shape (K, D), in the order of the classes.
    minority : float or iterable of labels, default=0.5
        The minority classes, as in `imb_minority_cosine`.

    Returns
    -------
    float
        Dimensionless, in [-1, 1]; lower is more collapsed to a simplex, where it is
        -1/(K-1); 1 is minority collapse. NaN with fewer than two minority classes,
        so for balanced data unless they are named, or if a row of one is zero.
        Unchanged by rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, or `minority` is not a quantile
        inside (0, 1) nor labels of classes that have samples.

    References
    ----------
    .. [1] C. Fang, H. He, Q. Long, W. J. Su. "Exploring deep neural networks via
       layer-peeled model: minority collapse in imbalanced training." PNAS 118 (43),
       2021. https://doi.org/10.1073/pnas.2103091118

    Examples
    --------
    The rows of the two rare classes have merged:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics.imbalance import imb_minority_cosine_head
    >>> X = np.array([[-2.0, 0], [-2, 0], [1, 1], [1, -1]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 2]))
    >>> head = LinearHead(np.array([[-2.0, 0], [1, 0], [1, 0]]), None)
    >>> imb_minority_cosine_head(statistics, head)
    1.0
    """
    check_two_classes(statistics)
    return _mean_cosine(_take(head.weights, minority_classes(statistics, minority)))


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
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Has no influence: distances do not depend on the center.
    minority : float or iterable of labels, default=0.5
        The minority classes, as in `imb_minority_cosine`; the others are the
        majority.

    Returns
    -------
    float
        Dimensionless, in [0, inf]; 1 at collapse to a simplex, and towards 0 as the
        minority collapses. NaN with fewer than two minority or two majority classes,
        so for balanced data unless they are named, or if all classes coincide.
        Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, or `minority` is not a quantile
        inside (0, 1) nor labels of classes that have samples.

    References
    ----------
    .. [1] No paper: minority collapse, of C. Fang, H. He, Q. Long, W. J. Su, PNAS 118
       (43), 2021, https://doi.org/10.1073/pnas.2103091118, by distances.

    Examples
    --------
    Frequent classes at distance 4, rare ones at distance 1:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.imbalance import imb_minority_ratio
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


def imb_norm_count_corr(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Rank correlation of the norms of the centered class means with the counts.

    .. math::
        \operatorname{Spearman}_k(\lVert \bar\mu_k \rVert, n_k)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [-1, 1]; 0 if norms do not follow counts. NaN for fewer
        than three classes, for balanced data, and where all norms are equal, as at
        collapse to a simplex. Unchanged by shifts, rotations and uniform scaling, and
        by everything that keeps the order of the counts.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    Ties get their average rank. Values count as tied if they are within 1e-9 of each
    other, relatively, so that rounding is not ranked. Counts are those of the
    samples which the centers come from.

    References
    ----------
    .. [1] No paper: the norms are predicted to follow the counts by C. Thrampoulidis,
       G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble: revisiting
       neural-collapse geometry." NeurIPS 2022. https://arxiv.org/abs/2208.05512

    Examples
    --------
    Centered means at -1, -2 and 3; ranks (1, 2, 3) against (1, 3, 2):

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.imbalance import imb_norm_count_corr
    >>> X = np.array([[-1.0], [-2], [-2], [-2], [3], [3]])
    >>> y = np.array([0, 1, 1, 1, 2, 2])
    >>> imb_norm_count_corr(ClassStatistics.from_samples(X, y))
    0.5
    """
    means = centered_means(statistics, Convention.preset(convention))
    return _norm_count_correlation(statistics, means)


def imb_norm_count_corr_head(statistics: AnyStatistics, head: LinearHead) -> float:
    """
    Rank correlation of the norms of the rows of the head with the counts.

    The formula of `imb_norm_count_corr` on the rows of W, uncentered.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes, of which the counts are read.
    head : LinearHead
        Weights of shape (K, D), in the order of the classes.

    Returns
    -------
    float
        Dimensionless, in [-1, 1]; 0 if norms do not follow counts. NaN for fewer
        than three classes, for balanced data, and where all norms are equal, as at
        collapse to a simplex. Unchanged by rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] No paper: the norms are predicted to follow the counts by C. Thrampoulidis,
       G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble: revisiting
       neural-collapse geometry." NeurIPS 2022. https://arxiv.org/abs/2208.05512

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics.imbalance import imb_norm_count_corr_head
    >>> X, y = np.zeros((6, 1)), np.array([0, 1, 1, 1, 2, 2])
    >>> statistics = ClassStatistics.from_samples(X, y)
    >>> head = LinearHead(np.array([[1.0], [5.0], [2.0]]), None)
    >>> imb_norm_count_corr_head(statistics, head)
    1.0
    """
    check_two_classes(statistics)
    return _norm_count_correlation(statistics, head.weights)


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

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(K) + 1.5]; lower is more collapsed, 0 at collapse,
        to a simplex as to any other geometry that depends on the counts only. NaN if
        no two counts are equal, or if the mean of a class of a group is the global
        mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    Each group counts once, whatever its size. Standard deviations have divisor
    "number" - 1; the cosine of a group of two has none, which counts as 0. Counts
    are equal if they are within 1e-9 of each other, relatively. On balanced data of
    more than two classes it is `nc2_equinorm` + `nc2_cos_std`.

    References
    ----------
    .. [1] No paper: measures the block structure of W. Hong, S. Ling. "Neural
       collapse for unconstrained feature model under cross-entropy loss with
       imbalanced data." JMLR 25 (192), 2024. https://arxiv.org/abs/2309.09725

    Examples
    --------
    Two classes of two samples at distances 2 and 1 from the center: std sqrt(1/2)
    over mean 3/2. The third class is alone.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.imbalance import imb_block
    >>> X = np.array([[2.0], [2], [-1], [-1], [-1]])
    >>> imb_block(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1, 2])))
    0.4714045
    """
    means = centered_means(statistics, Convention.preset(convention))
    groups = _levels(_counts(statistics))
    sizes = np.bincount(groups)
    spreads = [_spread(_take(means, groups == g)) for g in np.flatnonzero(sizes > 1)]
    return math.fsum(spreads) / len(spreads) if spreads else math.nan


def imb_seli_w(statistics: AnyStatistics, head: LinearHead) -> float:
    r"""
    Distance of the Gram matrix of the head from that of the SELI geometry.

    .. math::
        \left\lVert \frac{W W^\top}{\lVert W W^\top \rVert_F}
        - \frac{V \Lambda V^\top}{\lVert V \Lambda V^\top \rVert_F} \right\rVert_F,
        \qquad (I - \mathbf{1}\mathbf{1}^\top/K) \operatorname{diag}(\sqrt{n})
        = V \Lambda B^\top

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes, of which the counts are read.
    head : LinearHead
        Weights of shape (K, D), in the order of the classes.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)]; lower is more collapsed, 0 in the SELI
        geometry, which is a simplex on balanced data only. NaN if all weights are
        zero. Unchanged by rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf_head : The same, and equal to it, on balanced data.

    Notes
    -----
    The singular value decomposition of size K has the left factors and values of
    that of the K x N matrix of simplex-encoded labels in [1]_. In O(K^3) time and
    O(K^2) memory. Counts are those of the samples which the centers come from.

    References
    ----------
    .. [1] C. Thrampoulidis, G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble:
       revisiting neural-collapse geometry." NeurIPS 2022.
       https://arxiv.org/abs/2208.05512

    Examples
    --------
    Two classes have one direction, whatever their counts:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics.imbalance import imb_seli_w
    >>> statistics = ClassStatistics.from_samples(np.zeros((3, 1)), np.array([0, 1, 1]))
    >>> head = LinearHead(np.array([[1.0], [0.0]]), None)
    >>> imb_seli_w(statistics, head)  # |(1, 0; 0, 0) - (1, -1; -1, 1) / 2|
    1.0
    """
    left, values, _ = _seli_factors(statistics)
    return _gram_distance(head.weights, left, values)


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

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center. The class means of the SELI geometry sum to zero, so that only
        the mean of class means, or none, leaves it in place.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)]; lower is more collapsed, 0 in the SELI
        geometry, which is a simplex on balanced data only. NaN if all class means
        coincide. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf : The same, and equal to it, on balanced data.

    Notes
    -----
    The rows of U are those of the right factor of the K x N matrix of
    simplex-encoded labels in [1]_, one for each class: they are the same for all its
    samples. In O(K^3) time and O(K^2) memory. Counts are those of the samples which
    the centers come from.

    References
    ----------
    .. [1] C. Thrampoulidis, G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble:
       revisiting neural-collapse geometry." NeurIPS 2022.
       https://arxiv.org/abs/2208.05512

    Examples
    --------
    Any two class means, seen from their middle, are in the SELI geometry:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.imbalance import imb_seli_h
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

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features.
    head : LinearHead
        Weights of shape (K, D), in the order of the classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 2]; lower is more collapsed, 0 at collapse, to the SELI
        geometry as to a simplex. NaN if the products vanish. Unchanged by shifts, by
        rotations of both sides, and by scaling of either.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc3_structure : The same number: SELI keeps this of neural collapse.

    Notes
    -----
    One column of the label matrix for each class. Equal to `nc3_structure` for any
    counts, and listed so that the three parts of the SELI geometry are together.

    References
    ----------
    .. [1] C. Thrampoulidis, G. R. Kini, V. Vakilian, T. Behnia. "Imbalance trouble:
       revisiting neural-collapse geometry." NeurIPS 2022.
       https://arxiv.org/abs/2208.05512

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics.imbalance import imb_seli_z
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
