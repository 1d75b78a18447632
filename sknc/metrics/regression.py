"""
Neural regression collapse: features, targets and the head that predicts them.

NRC1 to NRC3 are defined here; the conditions of any layer, and the fit of the head, in
other modules. All are in a separate table because they are functions of
`RegressionStatistics`, without classes or a `Convention`.
"""

import math

from sknc._utils.arrays import Array
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_flag, check_not_negative
from sknc.head import LinearHead
from sknc.metrics._catalogue import regression_why_undefined as when
from sknc.metrics._catalogue.regression import (
    ANDRIOPOULOS,
    PARAMETERS,
    regression_metric,
)
from sknc.metrics._shared.subspaces import (
    collapsed_directions,
    row_space,
    square_outside,
)
from sknc.metrics._shared.target_gram import target_gram
from sknc.metrics.deep_regression import deep_nrc1, deep_nrc2, deep_nrc3, deep_nrc4
from sknc.metrics.regression_fit import mse, r2
from sknc.statistics.regression_statistics import RegressionStatistics

__all__ = [
    "best_gamma",
    "deep_nrc1",
    "deep_nrc2",
    "deep_nrc3",
    "deep_nrc4",
    "mse",
    "nrc1",
    "nrc2",
    "nrc3",
    "r2",
]


@regression_metric(
    "NRC1",
    ANDRIOPOULOS,
    headline=True,
    undefined=(when.NO_FEATURES,),
    caveats=(when.SOME_ZERO, when.ALL_DIRECTIONS, when.FEW_DIRECTIONS),
)
def nrc1(
    statistics: RegressionStatistics,
    *,
    fitted: RegressionStatistics | None = None,
    center: bool = True,
) -> float:
    r"""
    Share of the features' directions outside as many principal ones as targets.

    .. math::
        \frac{1}{N} \sum_i \lVert \tilde h_i - P_n \tilde h_i \rVert^2, \qquad
        \tilde h_i = h_i / \lVert h_i \rVert

    with :math:`P_n` the projection onto the first n principal directions of the
    features, n the number of targets.

    Parameters
    ----------
    fitted : RegressionStatistics, optional
        Samples that define the principal directions; by default the same.
    center : bool, default=True
        Whether principal directions are those of the centered features, as in the
        authors' code, or of second moments about the origin, as in ``nc_toolbox``.

    Returns
    -------
    float
        In [0, 1], lower is more collapsed; NaN if all features are zero.

    Notes
    -----
    The directions :math:`\tilde h_i` are never centered. Zero features have no
    direction and are skipped. Principal directions with a variance within rounding do
    not count. If the n-th and the next variance are equal, the subspace, and so the
    value, is not unique. Unchanged by rotations and uniform scaling, but not by shifts.

    Examples
    --------
    One target. The first axis has more variance; two of four samples lie off it.

    >>> import numpy as np
    >>> from sknc import RegressionStatistics
    >>> X = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> nrc1(RegressionStatistics.from_samples(X, X[:, 0]))
    0.5
    """
    check_flag("center", center)
    source = statistics if fitted is None else fitted
    inside = collapsed_directions(source, center=center)
    return _outside(statistics, inside)


@regression_metric(
    "NRC2",
    ANDRIOPOULOS,
    headline=True,
    undefined=(when.NO_FEATURES,),
    caveats=(when.SOME_ZERO, when.ALL_DIRECTIONS),
)
def nrc2(statistics: RegressionStatistics, head: LinearHead) -> float:
    r"""
    Share of the features' directions outside the span of the head's rows.

    .. math::
        \frac{1}{N} \sum_i \lVert \tilde h_i - P_W \tilde h_i \rVert^2, \qquad
        \tilde h_i = h_i / \lVert h_i \rVert

    with :math:`P_W` the projection onto the span of the rows of W.

    Returns
    -------
    float
        In [0, 1], lower is more collapsed; NaN if all features are zero. 1 for a zero
        head, which spans nothing.

    Notes
    -----
    Unchanged by rotations of both sides and by scaling of either, but not by shifts.

    Examples
    --------
    The row is at 60 degrees to every feature: sin(60°) squared.

    >>> import numpy as np
    >>> from sknc import LinearHead, RegressionStatistics
    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0]])
    >>> statistics = RegressionStatistics.from_samples(X, X[:, 0])
    >>> nrc2(statistics, LinearHead(np.array([[1.0, 3.0**0.5]])))
    0.75
    """
    return _outside(statistics, row_space(head.weights))


@regression_metric(
    "NRC3",
    ANDRIOPOULOS,
    headline=True,
    of_fit=True,
    undefined=(when.ZERO_HEAD, when.NO_TARGETS),
    caveats=(when.ONE_TARGET, when.SINGULAR, when.OUTSIDE),
)
def nrc3(
    statistics: RegressionStatistics, head: LinearHead, *, gamma: float | None = None
) -> float:
    r"""
    Distance of the head's Gram matrix from the form that the targets determine.

    .. math::
        \left\lVert \frac{W W^\top}{\lVert W W^\top \rVert_F} -
        \frac{\Sigma^{1/2} - \gamma^{1/2} I}
        {\lVert \Sigma^{1/2} - \gamma^{1/2} I \rVert_F} \right\rVert_F^2

    with :math:`\Sigma` the covariance of the targets.

    Parameters
    ----------
    gamma : float, optional
        The constant, in units of the squared targets. By default the value from 0 to
        the least eigenvalue of :math:`\Sigma` with the least distance, see
        `best_gamma`.

    Returns
    -------
    float
        In [0, 4], lower is more collapsed; NaN if the head is zero or the targets do
        not vary.

    Raises
    ------
    ValueError
        If `gamma` is not a number of at least 0.

    Notes
    -----
    In the unconstrained feature model, gamma is the product of the weight decay of W
    and that of the features. Networks are trained with other penalties, so [1]_ finds
    the best gamma once, for the head after training, and uses it for the heads of all
    earlier epochs. With one target the value is 0 for every head. Unchanged by shifts
    of either side, by rotations of features and head, by rotations of the targets and
    the rows of the head, and by scaling of the head.

    Examples
    --------
    Targets with standard deviations 1 and 2, and rows of equal length: the best gamma
    is 0, and the cosine of both matrices is 3 / sqrt(10).

    >>> import numpy as np
    >>> from sknc import LinearHead, RegressionStatistics
    >>> Y = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    >>> statistics = RegressionStatistics.from_samples(Y, Y)
    >>> nrc3(statistics, LinearHead(np.eye(2)))  # 2 - 6 / sqrt(10)
    0.1026334
    """
    found = target_gram(statistics, head)
    if gamma is None:
        return found.distance(found.best_root())
    return found.distance(math.sqrt(check_not_negative("gamma", gamma)) / found.unit)


@documented(PARAMETERS)
def best_gamma(statistics: RegressionStatistics, head: LinearHead) -> float:
    """
    Return the gamma that minimizes `nrc3`.

    Returns
    -------
    float
        From 0 to the least eigenvalue of the covariance of the targets, exact up to
        rounding; NaN where `nrc3` is.

    Notes
    -----
    As a function of the root of gamma, the cosine of both matrices has one stationary
    point, with a closed form. The optimum is there or at an end of the range.
    """
    found = target_gram(statistics, head)
    return float((found.best_root() * found.unit) ** 2)


def _outside(statistics: RegressionStatistics, directions: Array) -> float:
    """Return the mean square of the features' directions outside a subspace."""
    mean, covariance = statistics.mean_direction, statistics.direction_covariance
    return min(square_outside(mean, covariance, directions), 1.0)
