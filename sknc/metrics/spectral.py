"""The number of directions that the class means, and the samples about them, span."""

import math
from typing import Any

from sknc._utils.arrays import Array, namespace
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import check_two_classes, spectrum
from sknc.statistics.held_out import AnyStatistics

_RANK: dict[str, Any] = {
    "lower_is_collapsed": False,
    "ideal": "K-1",
    "interval": "[1, min(K-1, D)]",
    "undefined": (when.NO_RANK,),
    "convention": "Its center and the weights of its between-class covariance.",
}
_CLASS_COVARIANCES = when.Condition(
    "the convention averages class covariances, which are not stored",
    lambda case: case.convention.within != "sample",
)
_NOTHING_VARIES = when.otherwise("nothing varies within the classes")


@metric("spectrum", sources=(by.GAO,), **_RANK)
def spec_between_pr(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Participation ratio of the between-class covariance.

    .. math::
        \frac{(\sum_r \lambda_r)^2}{\sum_r \lambda_r^2}, \qquad
        \lambda = \operatorname{eig} \Sigma_B

    See Also
    --------
    nc2_etf : ``sqrt(2 - 2 sqrt(PR / (K-1)))`` with the default convention.
    spec_effective_rank : The same, defined by an entropy.

    Examples
    --------
    Eigenvalues in the ratio 4 to 1: 25/17.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> spec_between_pr(ClassStatistics.from_samples(X, np.arange(4)))
    1.4705882
    """
    values = _singular_values(statistics, convention)
    if not values.shape[0]:
        return math.nan
    xp, squares = namespace(values), values**2
    shares = squares / xp.sum(squares)
    return 1 / float(xp.sum(shares**2))


@metric("spectrum", sources=(by.ROY,), **_RANK)
def spec_effective_rank(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Effective rank of the weighted centered class means.

    .. math::
        \exp \Bigl( -\sum_r p_r \log p_r \Bigr), \qquad
        p_r = \sigma_r / \textstyle\sum_s \sigma_s

    with :math:`\sigma` the singular values of :math:`B = \operatorname{diag}(\sqrt{w})
    \bar M`, so that :math:`\Sigma_B = B^\top B`.

    Notes
    -----
    As in the paper, uses the singular values, not the eigenvalues, which are their
    squares and would give a smaller number. Values within rounding are dropped.

    Examples
    --------
    Singular values in the ratio 2 to 1: ``exp(log(3) - 2/3 log(2))``.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> spec_effective_rank(ClassStatistics.from_samples(X, np.arange(4)))
    1.8898816
    """
    values = _singular_values(statistics, convention)
    if not values.shape[0]:
        return math.nan
    xp = namespace(values)
    shares = values / xp.sum(values)
    return math.exp(-float(xp.sum(shares * xp.log(shares))))


@metric("spectrum", sources=(by.RUDELSON,), **_RANK)
def spec_stable_rank(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Stable rank of the weighted centered class means.

    .. math::
        \frac{\lVert B \rVert_F^2}{\lVert B \rVert_2^2}
        = \frac{\operatorname{tr} \Sigma_B}{\lambda_{\max}(\Sigma_B)}

    with :math:`B = \operatorname{diag}(\sqrt{w}) \bar M` the weighted centered class
    means.

    Examples
    --------
    Eigenvalues in the ratio 4 to 1: 5/4.

    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> spec_stable_rank(ClassStatistics.from_samples(X, np.arange(4)))
    1.25
    """
    values = _singular_values(statistics, convention)
    if not values.shape[0]:
        return math.nan
    shares = values / values[0]
    return float(namespace(values).sum(shares**2))


@metric(
    "spectrum",
    needs=("scatter",),
    lower_is_collapsed=None,
    ideal=None,
    sources=(by.GAO,),
    interval="[1, D]",
    undefined=(_CLASS_COVARIANCES, _NOTHING_VARIES),
    caveats=(when.single_samples,),
    convention="Its within-class covariance.",
)
def spec_within_pr(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Participation ratio of the within-class covariance.

    .. math::
        \frac{(\operatorname{tr} \Sigma_W)^2}{\lVert \Sigma_W \rVert_F^2}

    Notes
    -----
    Collapse does not determine it: it counts the directions in which the samples still
    vary.

    Examples
    --------
    Variances in the ratio 4 to 1 along the axes: 25/17.

    >>> offsets = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> X = np.concatenate([offsets + 9, offsets - 9])
    >>> spec_within_pr(ClassStatistics.from_samples(X, np.repeat([0, 1], 4)))
    1.4705882
    """
    convention = Convention.preset(convention)
    check_two_classes(statistics)
    scatter = statistics.within_scatter
    if scatter is None or convention.within != "sample":
        return math.nan
    xp = namespace(scatter)
    trace = float(xp.linalg.trace(scatter))
    if not trace > 0:
        return math.nan
    return 1 / float(xp.linalg.matrix_norm(scatter / trace)) ** 2


def _singular_values(statistics: AnyStatistics, convention: str | Convention) -> Array:
    """Return the singular values of the weighted centered class means."""
    return spectrum(statistics, Convention.preset(convention)).values
