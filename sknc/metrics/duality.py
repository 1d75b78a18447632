"""NC0 and NC3: the rows of the head balance, and align with the class means."""

import math

from sknc._array import Array, namespace, row_squared_norms
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import centered_means
from sknc.metrics._rows import unit_rows
from sknc.metrics.simplex import distance_from_simplex


def nc0_weight_sum(head: LinearHead) -> float:
    r"""
    Norm of the sum of the rows of the head, against its largest possible value.

    .. math::
        \lVert W^\top \mathbf{1} \rVert / (\sqrt{K} \lVert W \rVert_F)

    Parameters
    ----------
    head : LinearHead
        Weights of shape (K, D).

    Returns
    -------
    float
        Dimensionless, in [0, 1]; lower is more collapsed, 0 at collapse. NaN if all
        weights are zero. Unchanged by rotations and uniform scaling.

    Notes
    -----
    Weight decay drives it to zero; without decay a head keeps its initial sum. Called
    NC0 in [1]_, where the norm is divided by D. Here it is divided by its bound, which
    makes it free of scale.

    References
    ----------
    .. [1] J. Zhao, T. S. Cheng, W. Masarczyk, A. Lucchi. "Optimizer choice matters
       for the emergence of neural collapse." ICLR 2026.
       https://arxiv.org/abs/2602.16642

    Examples
    --------
    Rows 1 and 0 sum to 1, of at most sqrt(2):

    >>> import numpy as np
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc0_weight_sum
    >>> nc0_weight_sum(LinearHead(np.array([[1.0], [0.0]]), None))
    0.7071068
    """
    xp = namespace(head.weights)
    norm = _norm(head.weights)
    if norm == 0:
        return math.nan
    total = float(xp.linalg.vector_norm(xp.sum(head.weights, axis=0)))
    return total / (math.sqrt(head.weights.shape[0]) * norm)


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

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features.
    head : LinearHead
        Weights of shape (K, D), in the order of the classes.
    convention : str or Convention, default="default"
        Its center, and whether the norm is squared.

    Returns
    -------
    float
        Dimensionless, in [0, 2], or [0, 4] if squared; lower is more collapsed, 0 at
        collapse. NaN if all weights are zero or all class means coincide. Unchanged
        by shifts, and by scaling of either side.

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
    A head that is turned by 90 degrees:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc3_self_duality
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
        Dimensionless, in [0, 2]; lower is more collapsed, 0 at collapse. NaN if the
        products vanish. Unchanged by shifts, and by scaling of either side.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    It compares the logits of the class means with those of a simplex, and is zero
    for some heads that are not aligned with the means; `nc3_self_duality` is not.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc3_structure
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> nc3_structure(statistics, LinearHead(-X, None))  # |-T - T|
    2.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return distance_from_simplex(head.weights, means)


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
        Dimensionless, in [0, 2]; lower is more collapsed, 0 at collapse. NaN if a
        row is zero or a class mean is the global mean. Unchanged by shifts, and by
        scaling of either side.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] J. Jiang, J. Zhou, P. Wang, Q. Qu, D. G. Mixon, C. You, Z. Zhu. "Generalized
       neural collapse for a large number of classes." ICML 2024.
       https://arxiv.org/abs/2310.05351

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc3_cosine
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


def head_cosines(
    statistics: AnyStatistics, head: LinearHead, convention: Convention
) -> Array:
    """Return ``cos(w_k, mean_k)`` of each class, (K,)."""
    xp = namespace(head.weights)
    means = centered_means(statistics, convention)
    return xp.sum(unit_rows(head.weights) * unit_rows(means), axis=1)


def nc4_bias_collapse(statistics: AnyStatistics, head: LinearHead) -> float:
    r"""
    Norm of the logits of the mean of all samples.

    .. math::
        \lVert W \mu_S + b \rVert_2

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features; the mean is that of the samples which
        the centers come from.
    head : LinearHead
        Weights of shape (K, D) and bias of shape (K,).

    Returns
    -------
    float
        In units of the logits, in [0, inf); lower is more collapsed, 0 at collapse.
        NaN for a head without bias.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.head import LinearHead
    >>> from sknc.metrics import nc4_bias_collapse
    >>> X = np.array([[3.0], [1.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[1.0], [-1.0]]), np.array([-2.0, 1.0]))
    >>> nc4_bias_collapse(statistics, head)  # |(2 - 2, -2 + 1)|
    1.0
    """
    if head.bias is None:
        return math.nan
    xp = namespace(head.weights)
    centers = statistics.centers
    shares = centers.counts / xp.sum(centers.counts)
    mean = shares @ centers.class_means
    return float(xp.linalg.vector_norm(head.weights @ mean + head.bias))


def _norm(matrix: Array) -> float:
    return float(namespace(matrix).linalg.matrix_norm(matrix))
