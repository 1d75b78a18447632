"""How well a head predicts the targets, computed from second moments."""

import math

from sknc._utils.arrays import Array, namespace
from sknc.head import LinearHead
from sknc.metrics._catalogue import regression_why_undefined as when
from sknc.metrics._catalogue.regression import ANDRIOPOULOS, regression_metric
from sknc.metrics._shared.subspaces import squared_errors
from sknc.metrics._shared.target_gram import total_variance
from sknc.statistics.regression_statistics import RegressionStatistics


def head_errors(statistics: RegressionStatistics, head: LinearHead) -> Array:
    """Return the mean squared error of each target, (n,)."""
    mean, n_features = statistics.mean, statistics.n_features
    error = head.weights @ mean[:n_features] - mean[n_features:]
    error = error if head.bias is None else error + head.bias
    return squared_errors(statistics, head.weights, error)


@regression_metric("fit", ANDRIOPOULOS)
def mse(statistics: RegressionStatistics, head: LinearHead) -> float:
    r"""
    Mean squared error of the head, over samples and targets.

    Parameters
    ----------
    head : LinearHead
        Weights of shape (n_targets, n_features), and bias.

    Returns
    -------
    float
        In units of the squared targets.

    Notes
    -----
    Computed from second moments: errors below about 1e-15 of the variance of the
    targets are rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import LinearHead, RegressionStatistics
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> statistics = RegressionStatistics.from_samples(X, 2 * X[:, 0])
    >>> mse(statistics, LinearHead(np.array([[2.0]]), np.array([0.5])))
    0.25
    """
    errors = head_errors(statistics, head)
    return float(namespace(errors).mean(errors))


@regression_metric(
    "fit",
    ANDRIOPOULOS,
    lower_is_collapsed=False,
    ideal=1.0,
    headline=True,
    undefined=(when.NO_TARGETS,),
)
def r2(statistics: RegressionStatistics, head: LinearHead) -> float:
    r"""
    Share of the targets' variance that the head predicts.

    .. math::
        1 - \frac{\sum_i \lVert W h_i + b - y_i \rVert^2}
        {\sum_i \lVert y_i - \bar y \rVert^2}

    Parameters
    ----------
    head : LinearHead
        Weights of shape (n_targets, n_features), and bias.

    Returns
    -------
    float
        At most 1; NaN if the targets do not vary.

    See Also
    --------
    sklearn.metrics.r2_score : Equal with ``multioutput="variance_weighted"``.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import LinearHead, RegressionStatistics
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> statistics = RegressionStatistics.from_samples(X, X)
    >>> r2(statistics, LinearHead(np.array([[1.0]]), np.array([1.0])))  # 1 - 3 / 2
    -0.5
    """
    variance = total_variance(statistics)
    errors = head_errors(statistics, head)
    return 1 - float(namespace(errors).sum(errors)) / (variance or math.nan)
