"""The number of directions in which the samples of each class vary."""

import math
from typing import Any

from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import label_keys
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import check_two_classes
from sknc.metrics._shared.spectra import (
    singular_values_about_mean,
    singular_values_about_zero,
)
from sknc.statistics.held_out import AnyStatistics

_SPECTRUM: dict[str, Any] = {
    "needs": ("class_scatters",),
    "most_classes": 100,
    "interval": "[1, sqrt(D)]",
}


@metric(
    "spectrum",
    ideal=1.0,
    sources=(by.ZHOU,),
    undefined=(when.otherwise("all features of a class are zero"),),
    unchanged_by="rotations and uniform scaling, but not by shifts",
    **_SPECTRUM,
)
def spec_class_nuclear_ratio(statistics: AnyStatistics) -> float:
    r"""
    Mean over classes of the ratio of nuclear to Frobenius norm of the features.

    .. math::
        \operatorname{mean}_k \frac{\lVert X_k \rVert_*}{\lVert X_k \rVert_F}
        = \operatorname{mean}_k \frac{\sum_r \sigma_r}{\sqrt{\sum_r \sigma_r^2}}

    with :math:`\sigma` the singular values of the uncentered features of class k.

    See Also
    --------
    spec_class_stable_rank : The same about the class means.

    Notes
    -----
    At collapse each class has one direction, that of its mean. Some code squares the
    ratio of each class; ``report.per_class["nuclear_ratio"]`` has all ratios. For
    held-out statistics, the fitted samples are used. Each class requires a D x D
    eigendecomposition.

    Examples
    --------
    Singular values sqrt(2) and sqrt(2) in one class, and a single one in the other:

    >>> X = np.array([[1.0, 1.0], [1.0, -1.0], [3.0, 0.0], [4.0, 0.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> statistics = ClassStatistics.from_samples(X, y, covariance="by_class")
    >>> spec_class_nuclear_ratio(statistics)  # (sqrt(2) + 1) / 2
    1.2071068
    """
    return _mean(nuclear_ratios(statistics))


@metric(
    "spectrum",
    lower_is_collapsed=None,
    ideal=None,
    sources=(by.RANGAMANI,),
    undefined=(when.otherwise("nothing varies within a class"),),
    **_SPECTRUM | {"interval": "[1, D]"},
)
def spec_class_stable_rank(statistics: AnyStatistics) -> float:
    r"""
    Stable rank of the features of a class about its mean, mean over classes.

    .. math::
        \operatorname{mean}_k \frac{\lVert R_k \rVert_F^2}{\lVert R_k \rVert_2^2}
        = \operatorname{mean}_k
        \frac{\operatorname{tr} \Sigma_k}{\lambda_{\max}(\Sigma_k)}

    with :math:`R_k` the features of class k minus their mean and :math:`\Sigma_k` their
    covariance.

    See Also
    --------
    spec_within_pr : For the covariance within all classes.

    Notes
    -----
    Collapse does not determine it: it counts the directions in which the samples of a
    class still vary. Classes with one sample make the mean NaN;
    ``report.per_class["stable_rank"]`` has all values. For held-out statistics, the
    fitted samples are used.

    Examples
    --------
    Variances in the ratio 4 to 1 in one class, along one direction in the other:

    >>> offsets = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> X = np.concatenate([offsets + 9, [[0.0, 1.0], [0.0, 3.0]]])
    >>> y = np.array([0, 0, 0, 0, 1, 1])
    >>> statistics = ClassStatistics.from_samples(X, y, covariance="by_class")
    >>> spec_class_stable_rank(statistics)  # (5/4 + 1) / 2
    1.125
    """
    return _mean(stable_ranks(statistics))


def nuclear_ratios(statistics: AnyStatistics) -> list[float] | None:
    """Return the ratio of norms of each class's features; None without scatters."""
    return _of_classes(statistics, "nuclear", _nuclear_ratio)


def stable_ranks(statistics: AnyStatistics) -> list[float] | None:
    """Return the stable rank of each class; None without scatters."""
    return _of_classes(statistics, "stable", _stable_rank)


def _of_classes(statistics: AnyStatistics, name: str, of: Any) -> list[float] | None:
    check_two_classes(statistics)
    centers = statistics.centers
    scatters = centers.class_scatters
    if scatters is None:
        return None
    labels = label_keys(centers.classes)
    return centers.cached(
        ("class_spectra", name), lambda: [of(scatters.by_label[k]) for k in labels]
    )


def _nuclear_ratio(spread: Any) -> float:
    values = singular_values_about_zero(spread)
    return _over(values, namespace(values).linalg.vector_norm(values))


def _stable_rank(spread: Any) -> float:
    values = singular_values_about_mean(spread)
    return _over(values**2, values[-1] ** 2)


def _over(values: Array, norm: Array) -> float:
    if not float(norm) > 0:
        return math.nan
    return float(namespace(values).sum(values) / norm)


def _mean(values: list[float] | None) -> float:
    return math.nan if values is None else sum(values) / len(values)
