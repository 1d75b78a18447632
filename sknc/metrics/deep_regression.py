"""The conditions of deep neural regression collapse, for any layer."""

import math

from sknc._utils.arrays import namespace
from sknc._utils.parameters import check_not_negative
from sknc.head import LinearHead
from sknc.metrics._catalogue import regression_why_undefined as when
from sknc.metrics._catalogue.regression import RANGAMANI_UNAL, regression_metric
from sknc.metrics._shared.subspaces import (
    collapsed_directions,
    least_squares_weights,
    row_space,
    square_outside,
    squared_errors,
)
from sknc.statistics.regression_statistics import RegressionStatistics


@regression_metric(
    "deep NRC",
    RANGAMANI_UNAL,
    undefined=(when.NO_VARIANCE,),
    caveats=(when.ALL_DIRECTIONS,),
)
def deep_nrc1(
    statistics: RegressionStatistics, *, fitted: RegressionStatistics | None = None
) -> float:
    r"""
    Share of the features' variance outside as many principal directions as targets.

    .. math::
        1 - \frac{\operatorname{tr}(V_n^\top S V_n)}{\operatorname{tr} S}

    with S the covariance of the features, and :math:`V_n` its first n eigenvectors.

    Parameters
    ----------
    fitted : RegressionStatistics, optional
        Samples whose principal directions, and the mean of whose features, are taken;
        by default the same.

    Returns
    -------
    float
        In [0, 1], lower is more collapsed; NaN if the features do not vary.

    See Also
    --------
    sknc.metrics.regression.nrc1 : The same for directions, about the origin.

    Examples
    --------
    One target, and variances 2 and 0.5.

    >>> import numpy as np
    >>> from sknc import RegressionStatistics
    >>> X = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> deep_nrc1(RegressionStatistics.from_samples(X, X[:, 0]))
    0.2
    """
    source = statistics if fitted is None else fitted
    covariance, inside = statistics.feature_covariance, collapsed_directions(source)
    xp, shift = namespace(covariance), statistics.mean_difference(source)
    shift = shift[: statistics.n_features]
    total = float(xp.linalg.trace(covariance) + shift @ shift)
    if not inside.shape[0] or not total:
        return math.nan
    return min(square_outside(shift, covariance, inside) / total, 1.0)


@regression_metric(
    "deep NRC",
    RANGAMANI_UNAL,
    lower_is_collapsed=False,
    ideal=1.0,
    undefined=(when.NO_VARIANCE, when.NO_TARGETS),
)
def deep_nrc2(statistics: RegressionStatistics) -> float:
    r"""
    Linear centered kernel alignment of features and targets.

    .. math::
        \frac{\lVert C_{XY} \rVert_F^2}
        {\lVert C_{XX} \rVert_F \lVert C_{YY} \rVert_F}

    with C the covariances.

    Returns
    -------
    float
        In [0, 1], higher is more collapsed; NaN if one side does not vary.

    Notes
    -----
    Unchanged by shifts, rotations and uniform scaling of either side. The authors' code
    keeps only the first n features; this function uses all, as in [2]_.

    References
    ----------
    .. [2] S. Kornblith, M. Norouzi, H. Lee, G. Hinton. "Similarity of neural network
       representations revisited." ICML 2019. https://arxiv.org/abs/1905.00414

    Examples
    --------
    The target is one of two uncorrelated features of equal variance: 1 / sqrt(2).

    >>> import numpy as np
    >>> from sknc import RegressionStatistics
    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> deep_nrc2(RegressionStatistics.from_samples(X, X[:, 0]))
    0.7071068
    """
    parts = (
        statistics.cross_covariance,
        statistics.feature_covariance,
        statistics.target_covariance,
    )
    cross, features, targets = (
        float(namespace(part).linalg.matrix_norm(part)) for part in parts
    )
    if not features or not targets:
        return math.nan
    return min(cross / features * (cross / targets), 1.0)


@regression_metric(
    "deep NRC",
    RANGAMANI_UNAL,
    lower_is_collapsed=False,
    ideal=1.0,
    of_fit=True,
    undefined=(when.NO_VARIANCE, when.ZERO_HEAD),
)
def deep_nrc3(statistics: RegressionStatistics, head: LinearHead) -> float:
    r"""
    Mean cosine of the principal angles between features and rows of the head.

    .. math::
        \tfrac{1}{r} \lVert V_H^\top V_W \rVert_*

    with :math:`V_H` the first n principal directions of the features, :math:`V_W` a
    basis of the span of the rows of W, and r = min(n, D).

    Returns
    -------
    float
        In [0, 1], higher is more collapsed; NaN if the features do not vary or the head
        is zero.

    Notes
    -----
    If the head or the covariance of the features has a lower rank than r, the missing
    directions count as right angles.

    Examples
    --------
    The features vary along the first axis, at 60 degrees to the row.

    >>> import numpy as np
    >>> from sknc import LinearHead, RegressionStatistics
    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0]])
    >>> statistics = RegressionStatistics.from_samples(X, X[:, 0])
    >>> deep_nrc3(statistics, LinearHead(np.array([[1.0, 3.0**0.5]])))
    0.5
    """
    features, rows = collapsed_directions(statistics), row_space(head.weights)
    if not features.shape[0] or not rows.shape[0]:
        return math.nan
    xp, n = namespace(features), min(statistics.n_targets, statistics.n_features)
    return min(float(xp.sum(xp.linalg.svdvals(features @ rows.T))) / n, 1.0)


@regression_metric("deep NRC", RANGAMANI_UNAL, undefined=(when.NO_VARIANCE,))
def deep_nrc4(
    statistics: RegressionStatistics,
    *,
    fitted: RegressionStatistics | None = None,
    rtol: float = 1e-3,
) -> float:
    """
    Mean squared error of the best linear prediction of the targets.

    Parameters
    ----------
    fitted : RegressionStatistics, optional
        Samples from which the prediction is learned; by default the same.
    rtol : float, default=1e-3
        Principal directions of the features are skipped if their standard deviation is
        at most this share of the largest one.

    Returns
    -------
    float
        Mean over samples and targets, in units of the squared targets. Compare it with
        `mse`, the error of the head. NaN if the features do not vary.

    Raises
    ------
    ValueError
        If `rtol` is not a number of at least 0.

    Notes
    -----
    An intercept is included, because networks have one. The authors' code omits it; for
    centered features both are equal. Targets are not standardized.

    Examples
    --------
    One of two targets is a multiple of the feature, the other is uncorrelated with it.

    >>> import numpy as np
    >>> from sknc import RegressionStatistics
    >>> Y = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    >>> deep_nrc4(RegressionStatistics.from_samples(3 * Y[:, :1], Y))
    2.0
    """
    check_not_negative("rtol", rtol)
    source = statistics if fitted is None else fitted
    if not collapsed_directions(source).shape[0]:
        return math.nan
    weights = least_squares_weights(source, rtol)
    shift, n_features = statistics.mean_difference(source), statistics.n_features
    error = weights @ shift[:n_features] - shift[n_features:]
    errors = squared_errors(statistics, weights, error)
    return float(namespace(errors).mean(errors))
