"""The number of directions that all features span."""

import math
from typing import Any

from sknc._utils.arrays import Array, namespace
from sknc._utils.parameters import check_not_negative
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.spectra import singular_values_of_features
from sknc.statistics.held_out import AnyStatistics

_ALL_ZERO = when.otherwise("all features are zero")
_ALL_EQUAL = when.otherwise("all samples are equal")
_RANK: dict[str, Any] = {"needs": ("scatter",), "lower_is_collapsed": None}


@metric(
    "spectrum",
    ideal=None,
    sources=(by.GARRIDO,),
    interval="[1, min(N, D)], plus a few `epsilon`",
    undefined=(_ALL_ZERO,),
    unchanged_by="rotations and uniform scaling, but not by shifts",
    raises="If a class has no samples, or `epsilon` is negative or not finite.",
    **_RANK,
)
def spec_rankme(statistics: AnyStatistics, *, epsilon: float = 1e-7) -> float:
    r"""
    RankMe: the effective rank of all features, uncentered.

    .. math::
        \exp \Bigl( -\sum_r p_r \log p_r \Bigr), \qquad
        p_r = \sigma_r / \textstyle\sum_s \sigma_s + \epsilon

    with :math:`\sigma` the min(N, D) singular values of the N x D features.

    Parameters
    ----------
    epsilon : float, default=1e-7
        The constant of the paper; other code uses 1e-6 or 0.

    See Also
    --------
    spec_total_effective_rank : For centered features, without a constant.
    spec_effective_rank : For the class means.

    Notes
    -----
    Computed from class means and scatter. The paper uses it to compare representations:
    more is better for later tasks, but full collapse leaves only K - 1 directions and
    that of the mean. For held-out statistics, the scored samples are used.

    Singular values within the classes below 1e-8 of the largest (3e-4 for float32
    features) are within rounding, and are dropped.

    Examples
    --------
    Singular values in the ratio 2 to 1: ``exp(log(3) - 2/3 log(2))``.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.arange(2))
    >>> spec_rankme(statistics, epsilon=0.0)
    1.8898816
    """
    epsilon = check_not_negative("epsilon", epsilon)
    values = singular_values_of_features(statistics, centered=False)
    return _exponential_entropy(values, epsilon)


@metric(
    "spectrum",
    ideal="K-1",
    sources=(by.ROY,),
    interval="[1, min(N-1, D)]",
    undefined=(_ALL_EQUAL,),
    raises="If a class has no samples.",
    **_RANK,
)
def spec_total_effective_rank(statistics: AnyStatistics) -> float:
    r"""
    Effective rank of all features about their mean.

    .. math::
        \exp \Bigl( -\sum_r p_r \log p_r \Bigr), \qquad
        p_r = \sigma_r / \textstyle\sum_s \sigma_s

    with :math:`\sigma^2` the eigenvalues of the total covariance.

    See Also
    --------
    spec_rankme : For uncentered features.
    spec_effective_rank : For the class means.

    Notes
    -----
    The value at collapse assumes classes with equal counts. Less than K - 1 means that
    class means have lost directions too. For held-out statistics, the scored samples
    are used.

    Examples
    --------
    Standard deviations in the ratio 2 to 1 along the axes:

    >>> X = np.array([[3.0, 1.0], [1.0, 0.0], [-1.0, 1.0], [1.0, 2.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> spec_total_effective_rank(statistics)  # exp(log(3) - 2/3 log(2))
    1.8898816
    """
    values = singular_values_of_features(statistics, centered=True)
    return _exponential_entropy(values, 0.0)


def _exponential_entropy(values: Array | None, epsilon: float) -> float:
    if values is None or not float(values[0]) > 0:
        return math.nan
    xp = namespace(values)
    shares = values / xp.sum(values) + epsilon
    logs = xp.log(xp.where(shares > 0, shares, xp.ones_like(shares)))
    return math.exp(-float(xp.sum(shares * logs)))
