"""NC2: class means, or rows of the head, become a simplex equiangular tight frame."""

import math

from sknc._array import (
    Array,
    device_of,
    namespace,
    row_products,
    row_squared_norms,
)
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import centered_means
from sknc.metrics._pairs import PairSummaries, summarize_pairs
from sknc.metrics._rows import relative_spread, unit_product
from sknc.metrics.variability import class_mean_pairs


def nc2_equinorm(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Coefficient of variation of the norms of the centered class means.

    .. math::
        \operatorname{std}_k \lVert \bar\mu_k \rVert
        / \operatorname{mean}_k \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(K)]; lower is more collapsed, 0 at collapse. NaN
        if all class means coincide. Unchanged by shifts, rotations and uniform
        scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    The standard deviation has divisor K - 1.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    Centered means at distance 2, 1 and 1: mean 4/3, standard deviation 1/sqrt(3).

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_equinorm
    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> nc2_equinorm(ClassStatistics.from_samples(X, np.array([0, 1, 2])))
    0.4330127
    """
    return _equinorm(centered_means(statistics, Convention.preset(convention)))


def nc2_cos_std(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Spread of the cosines between centered class means.

    .. math::
        \operatorname{std}_{i<j} c_{ij}, \qquad
        c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1.5]; lower is more collapsed, 0 at collapse. NaN for
        two classes, which have one pair, or if a class mean is the global mean.
        Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    The standard deviation has divisor "number of pairs" - 1.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    A square: two cosines of -1 and four of 0.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_cos_std
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cos_std(ClassStatistics.from_samples(X, np.arange(4)))  # sqrt(4/15)
    0.5163978
    """
    return _cos_std(class_mean_pairs(statistics, Convention.preset(convention)))


def nc2_equiangular(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Mean distance of the cosines between class means from those of a simplex.

    .. math::
        \operatorname{mean}_{i<j} \left| c_{ij} + \tfrac{1}{K-1} \right|

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse.
        Above 0 whenever K > D + 1. NaN if a class mean is the global mean.
        Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    A square: (2 |-1 + 1/3| + 4 |0 + 1/3|) / 6.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_equiangular
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular(ClassStatistics.from_samples(X, np.arange(4)))
    0.4444444
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return pairs.absolute_excess.mean


def nc2_etf(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the Gram matrix of the class means from that of a simplex.

    .. math::
        \left\lVert \frac{\bar M \bar M^\top}{\lVert \bar M \bar M^\top \rVert_F}
        - \frac{I - \mathbf{1}\mathbf{1}^\top/K}{\sqrt{K-1}} \right\rVert_F

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)]; lower is more collapsed, 0 at collapse. For
        K > D + 1 no simplex exists and the least value is
        ``sqrt(2 - 2 sqrt(D / (K - 1)))``. NaN if all class means coincide.
        Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] V. Kothapalli. "Neural collapse: a review on modelling principles and
       generalization." TMLR 2023. https://arxiv.org/abs/2206.04041
    .. [2] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375 (of the head).

    Examples
    --------
    A square has a spectrum of two equal values where a simplex of four has three:
    ``sqrt(2 - 2 sqrt(2/3))``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_etf
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf(ClassStatistics.from_samples(X, np.arange(4)))
    0.6058109
    """
    means = centered_means(statistics, Convention.preset(convention))
    return distance_from_simplex(means, means)


def nc2_equinorm_head(head: LinearHead) -> float:
    """
    Coefficient of variation of the norms of the rows of the head.

    The formula of `nc2_equinorm` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(K)]; lower is more collapsed, 0 at collapse.
        Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_equinorm_head
    >>> nc2_equinorm_head(LinearHead(np.array([[2.0], [-1.0], [-1.0]]), None))
    0.4330127
    """
    return _equinorm(head.weights)


def nc2_cos_std_head(head: LinearHead) -> float:
    """
    Spread of the cosines between rows of the head.

    The formula of `nc2_cos_std` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1.5]; lower is more collapsed, 0 at collapse. NaN for
        two classes, or if a row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_cos_std_head
    >>> square = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cos_std_head(LinearHead(square, None))
    0.5163978
    """
    return _cos_std(head_pairs(head))


def nc2_equiangular_head(head: LinearHead) -> float:
    """
    Mean distance of the cosines between rows of the head from those of a simplex.

    The formula of `nc2_equiangular` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse.
        NaN if a row is zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_equiangular_head
    >>> square = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_head(LinearHead(square, None))
    0.4444444
    """
    return head_pairs(head).absolute_excess.mean


def nc2_etf_head(head: LinearHead) -> float:
    """
    Distance of the Gram matrix of the head from that of a simplex.

    The formula of `nc2_etf` on the rows of W, uncentered.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 2]; lower is more collapsed, 0 at collapse. NaN if all
        weights are zero. Unchanged by rotations and uniform scaling.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc2_etf_head
    >>> square = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_head(LinearHead(square, None))
    0.6058109
    """
    return distance_from_simplex(head.weights, head.weights)


def head_pairs(head: LinearHead) -> PairSummaries:
    """Return the sums over pairs of rows of the head, from one sweep."""
    return head.once("pairs", lambda: summarize_pairs(head.weights))


def distance_from_simplex(left: Array, right: Array) -> float:
    """
    Return ``|A/|A| - T|`` for ``A = left right^T`` and the Gram T of a simplex.

    Where the distance can be zero, A is formed and subtracted from; with more than
    D + 1 classes it cannot, and D x D products do, without forming K x K.

    Parameters
    ----------
    left, right : array of shape (K, D)
        Rows of each class.

    Returns
    -------
    float
        The distance; NaN if the products vanish, up to rounding.
    """
    xp = namespace(left)
    n_classes, n_features = left.shape
    root = math.sqrt(n_classes - 1)
    if n_classes <= n_features + 1:
        difference = unit_product(left, right) + 1 / (n_classes * root)
        identity = xp.eye(n_classes, dtype=left.dtype, device=device_of(left))
        return float(xp.linalg.matrix_norm(difference - identity / root))
    first, second = left.T @ left, right.T @ right
    norms = [float(xp.linalg.trace(product)) for product in (first, second)]
    if not all(norms):
        return math.nan
    squared = float(xp.sum((first / norms[0]) * (second / norms[1])))
    if squared < 8 * float(xp.finfo(left.dtype).eps):
        return math.nan  # orthogonal up to rounding
    ones = xp.sum(left, axis=0) @ xp.sum(right, axis=0)
    inner = float(xp.sum(row_products(left, right)) - ones / n_classes) / root
    inner = inner / math.sqrt(norms[0]) / math.sqrt(norms[1])
    return math.sqrt(max(2 - 2 * inner / math.sqrt(squared), 0.0))


def _equinorm(vectors: Array) -> float:
    xp = namespace(vectors)
    return relative_spread(xp.sqrt(row_squared_norms(vectors)))


def _cos_std(pairs: PairSummaries) -> float:
    return pairs.excess.std if pairs.excess.count > 1 else math.nan
