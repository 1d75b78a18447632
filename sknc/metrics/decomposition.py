r"""
The mean squared error of a head, split into parts that add up for any class counts.

With one-hot targets e_k, weight decay :math:`\lambda`, and a bias that decays like the
weights, the loss of a head (W, b) is

.. math::
    L(W, b) = \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i
    \lVert W x_i + b - e_{y_i} \rVert^2
    + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right].

Its minimum is the loss of the least-squares head. Both split into a part within classes
and a part of the class means, because residuals sum to zero in each class:

.. math::
    L = \tfrac{1}{2} \left[ \operatorname{tr}(W \Sigma_W W^\top)
    + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right]
    + \tfrac{1}{2} \sum_k p_k \lVert W \mu_k + b - e_k \rVert^2 .
"""

import math
from typing import Any

from sknc._utils.docstrings import documented
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.arguments import check_statistics
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.least_squares import regression_of
from sknc.statistics.held_out import AnyStatistics

_LINEAR_MAPS = (
    "rotations; without decay also by shifts and by every invertible linear map"
)
_LOSS: dict[str, Any] = {
    "needs": ("scatter",),
    "sources": (by.HAN,),
    "interval": "[0, inf)",
    "unit": "In squared units of the targets",
    "unchanged_by": "rotations of both sides",
    "raises": "If `weight_decay` is negative or not finite.",
}


@metric("MSE", ideal=None, **_LOSS)
def mse_total(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Half the mean squared error against one-hot targets, plus weight decay.

    .. math::
        \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i \lVert W x_i + b - e_{y_i} \rVert^2
        + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right]

    See Also
    --------
    mse_lnc1, mse_lnc23, mse_lperp : Its parts, which add up to it.

    Notes
    -----
    For each sample, errors are summed over all K outputs, not averaged. Computed from
    class means and scatter, without the samples. Held-out samples are measured about
    their own class means. A missing bias counts as zero. At collapse the value is 0 if
    there is no decay and the head fits.

    Examples
    --------
    Logits (1, 0) and (0, 0) for the targets (1, 0) and (0, 1):

    >>> X = np.array([[1.0], [0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[1.0], [0.0]]), None)
    >>> mse_total(statistics, head)  # (0 + 1) / 2 / 2
    0.25
    >>> mse_total(statistics, head, weight_decay=0.5)  # and 0.5 * 1 / 2
    0.5
    """
    problem = regression_of(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.loss(problem.map_of(head))


@metric("MSE", ideal=None, **_LOSS | {"unchanged_by": _LINEAR_MAPS})
def mse_lnc1(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Part of the least-squares loss due to variance within classes.

    .. math::
        \tfrac{1}{2} \left[ \operatorname{tr}(W_{LS} \Sigma_W W_{LS}^\top)
        + \lambda (\lVert W_{LS} \rVert_F^2 + \lVert b_{LS} \rVert^2) \right]

    with :math:`(W_{LS}, b_{LS})` the head with the least loss for these features.

    See Also
    --------
    mse_total : The loss it is a part of.

    Notes
    -----
    The bias is eliminated, which leaves a symmetric D x D system of the centered
    features, solved by its eigenvectors. Eigenvalues up to max(K, D) * 2.2e-16 of the
    largest count as zero. The limit is 1.2e-7 for float32 features with D > 256, if the
    scatter was summed from float32 products. Without decay, only the N - 1 largest
    eigenvalues of N samples count. So the solution is a pseudo-inverse if features are
    linearly dependent and there is no decay; every least-squares head then gives the
    same parts. Directions that vary by less than the limit are dropped too, and the
    parts then add up only approximately. The head matters only through its number of
    rows. Without decay the value at collapse is 0.

    Examples
    --------
    Two classes at +2 and -2, each with variance 1: the least-squares weights are (1,
    -1) / 5, and their squares sum to 2 / 25.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lnc1(statistics, LinearHead(np.array([[1.0], [0.0]]), None))
    0.04
    """
    problem = regression_of(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.within(problem.least_squares(head.weights.shape[0]))


@metric("MSE", ideal=None, **_LOSS | {"unchanged_by": _LINEAR_MAPS})
def mse_lnc23(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Part of the least-squares loss that is due to the positions of the class means.

    .. math::
        \tfrac{1}{2} \sum_k p_k \lVert W_{LS} \mu_k + b_{LS} - e_k \rVert^2

    with :math:`(W_{LS}, b_{LS})` the head with the least loss for these features and
    p_k the share of the samples in class k.

    See Also
    --------
    mse_total : The loss it is a part of.
    mse_lnc1 : Explains how the least-squares head is computed.

    Notes
    -----
    The head matters only through its number of rows. Without decay the value at
    collapse is 0.

    Examples
    --------
    Two classes at +2 and -2, each with variance 1: the least-squares head maps the
    means to (0.9, 0.1) and (0.1, 0.9), so each is off by 0.02.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lnc23(statistics, LinearHead(np.array([[1.0], [0.0]]), None))
    0.01
    """
    problem = regression_of(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.of_means(problem.least_squares(head.weights.shape[0]), target=1.0)


@metric("MSE", **_LOSS)
def mse_lperp(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Excess loss of the head over the least-squares head.

    .. math::
        \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i \lVert \Delta W x_i + \Delta b
        \rVert^2 + \lambda (\lVert \Delta W \rVert_F^2 + \lVert \Delta b \rVert^2)
        \right], \qquad \Delta = (W, b) - (W_{LS}, b_{LS})

    See Also
    --------
    mse_total : The loss it is a part of.
    mse_lnc1 : Explains how the least-squares head is computed.

    Notes
    -----
    Computed from the difference of the heads, which is more precise than the difference
    of two losses. It is 0 on the central path, where the head is the least-squares
    head. The least-squares head has a bias even if the given head has none.

    Examples
    --------
    Two classes at +2 and -2, each with variance 1: the least-squares head is ``+-x / 5
    + 1/2``, and a head of zeros is off by ``2 (1/5 + 1/4)``, halved.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lperp(statistics, LinearHead(np.zeros((2, 1)), None))
    0.45
    """
    problem = regression_of(statistics, weight_decay)
    if problem is None:
        return math.nan
    given, best = problem.map_of(head), problem.least_squares(head.weights.shape[0])
    return problem.loss(given.minus(best), target=0.0)


@documented(by.references(by.HAN))
def least_squares_head(
    statistics: AnyStatistics, *, weight_decay: float = 0.0
) -> LinearHead:
    r"""
    Return the head with the least squared error against one-hot targets.

    .. math::
        \arg\min_{W, b} \tfrac{1}{N} \sum_i \lVert W x_i + b - e_{y_i} \rVert^2
        + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features, with their scatter. For held-out ones,
        the scored samples are used.
    weight_decay : float, default=0.0
        The factor :math:`\lambda`.

    Returns
    -------
    LinearHead
        Weights of shape (K, D) and bias, in the library and on the device of the
        statistics. Rows of classes without scored samples are zero.

    Raises
    ------
    ValueError
        If the scatter was not kept, a fitted class has no samples, or `weight_decay` is
        negative or not finite.

    See Also
    --------
    mse_lperp : The excess loss of a given head.
    mse_lnc1 : Explains how it is computed, also for linearly dependent features.

    Examples
    --------
    Two classes at +2 and -2, each with variance 1:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import least_squares_head
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> head = least_squares_head(statistics)
    >>> head.weights.round(6), head.bias.round(6)
    (array([[ 0.2],
           [-0.2]]), array([0.5, 0.5]))
    """
    check_statistics("statistics", statistics)
    problem = regression_of(statistics, weight_decay)
    if problem is None:
        msg = (
            "least_squares_head requires the scatter, which covariance=False does not "
            "store: use covariance=True."
        )
        raise ValueError(msg)
    best = problem.least_squares(statistics.n_classes)
    return LinearHead(best.weights, best.bias)
