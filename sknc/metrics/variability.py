"""NC1: the features of each class shrink to their class mean."""

import math
from typing import Any, Literal

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import namespace
from sknc._utils.parameters import check_choice, check_positive
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.frames import pairs_of, spreads_of
from sknc.metrics._shared.geometry import (
    between_trace,
    check_two_classes,
    spectrum,
    spectrum_key,
    within_trace,
)
from sknc.metrics._shared.instability import unstable
from sknc.statistics.held_out import AnyStatistics

# Shared by the class-distance normalized variances.
CDNV: dict[str, Any] = {
    "interval": "[0, inf]",
    "undefined": when.NO_CDNV,
    "infinite": "the means of two classes coincide",
    "convention": "Whether variances and distances are corrected for their bias.",
}
_NOTHING_VARIES = when.otherwise("both traces are 0")


def _fewer_directions(case: when.Case) -> str | None:
    found = spectrum(case.statistics, case.convention)
    if found.rank == found.possible:
        return None
    return (
        f"The class means span {found.rank} of {found.possible} possible directions. "
        "Only these are compared."
    )


@metric(
    "NC1",
    needs=("within",),
    headline=True,
    sources=(by.PAPYAN,),
    interval="[0, inf)",
    undefined=(*when.NO_INVERSE, when.ONE_SAMPLE_EACH),
    caveats=(_fewer_directions, unstable, when.single_samples),
    convention="Its center, weights, rank, and division by K.",
)
def nc1_pinv(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Within-class relative to between-class covariance, direction by direction.

    .. math::
        \tfrac{1}{K} \operatorname{tr}(\Sigma_W \Sigma_B^\dagger)

    with :math:`\Sigma_W` the within-class and :math:`\Sigma_B` the between-class
    covariance, and :math:`\dagger` the pseudo-inverse.

    See Also
    --------
    nc1_trace_ratio : The same comparison by traces, without a pseudo-inverse.

    Notes
    -----
    Computed from the singular value decomposition of the weighted centered class means,
    never from a D x D pseudo-inverse, so rounding cannot make it negative or huge. Some
    published code omits the factor 1/K.

    Examples
    --------
    Two classes at +2 and -2 on the first axis, each with variance 1 along it:

    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> nc1_pinv(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))  # (1/4)/2
    0.125
    """
    convention = Convention.preset(convention)
    check_two_classes(statistics)
    found = spectrum(statistics, convention)
    xp = namespace(found.values)
    counts = statistics.counts
    if not found.inverts(convention) or statistics.all_singletons:
        return math.nan
    energies = statistics.class_projected_squares(spectrum_key(convention))
    if energies is not None:
        held = counts > 0
        means = xp.where(held, energies / xp.where(held, counts, 1.0), 0.0)
        value = float(xp.sum(convention.within_weights(counts) * means))
    elif statistics.within_scatter is not None and convention.within == "sample":
        along = (found.directions @ statistics.within_scatter) * found.directions
        lengths = xp.sum(along, axis=1)
        # Rounding may make a direction without variance slightly negative.
        lengths = xp.where(lengths < 0, xp.zeros_like(lengths), lengths)
        value = float(xp.sum(lengths / found.values**2) / xp.sum(counts))
    else:
        return math.nan
    return value / statistics.n_classes if convention.divide_by_classes else value


@metric(
    "NC1",
    headline=True,
    sources=(by.TIRER,),
    interval="[0, inf]",
    undefined=(when.NOTHING_LEFT, _NOTHING_VARIES),
    infinite="all class means coincide",
    convention="Its center and weights.",
)
def nc1_trace_ratio(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Total within-class variance divided by total between-class variance.

    .. math::
        \operatorname{tr} \Sigma_W / \operatorname{tr} \Sigma_B

    Examples
    --------
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> nc1_trace_ratio(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))
    0.25
    """
    convention = Convention.preset(convention)
    between = between_trace(statistics, convention)
    within = within_trace(statistics, convention)
    if convention.bias_correction and between <= 0:
        return math.nan
    if not within + between < math.inf:
        return math.nan  # infinite only after overflow
    if between == 0:
        return math.inf if within else math.nan
    return within / between


@metric(
    "NC1",
    essential=True,
    headline=True,
    sources=(by.RANGAMANI,),
    interval="[0, 1]",
    undefined=(when.NOTHING_LEFT, _NOTHING_VARIES),
    convention="Its center and weights.",
)
def nc1_within_fraction(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Within-class variance as a fraction of within-class plus between-class variance.

    .. math::
        \operatorname{tr} \Sigma_W / (\operatorname{tr} \Sigma_W
        + \operatorname{tr} \Sigma_B)

    Notes
    -----
    With weights ``"frequency"``, one minus the coefficient of determination of the
    features by the class.

    Examples
    --------
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> nc1_within_fraction(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))
    0.2
    """
    convention = Convention.preset(convention)
    between = between_trace(statistics, convention)
    within = within_trace(statistics, convention)
    if between < 0 or not 0 < within + between < math.inf:
        return math.nan
    return within / (within + between)


@metric("NC1", headline=True, sources=(by.GALANTI,), **CDNV)
def nc1_cdnv(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    power: float = 1.0,
    weights: Literal["uniform", "frequency"] = "uniform",
) -> float:
    r"""
    Class-distance normalized variance, averaged over pairs of classes.

    .. math::
        \frac{2}{K(K-1)} \sum_{i<j}
        \frac{\sigma_i^2 + \sigma_j^2}{2 \lVert \mu_i - \mu_j \rVert^2}

    Parameters
    ----------
    power : float, default=1.0
        Exponent of the squared distance. With values other than 1, scale matters.
    weights : {"uniform", "frequency"}, default="uniform"
        Weights of the pairs: equal, or the product of both classes' shares.

    Examples
    --------
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> nc1_cdnv(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))  # 2/(2*16)
    0.0625
    """
    convention = Convention.preset(convention)
    if power != 1 or weights != "uniform":
        return _weighted_cdnv(statistics, convention, power, weights)
    summary = pairs_of(statistics, convention).cdnv
    return summary.mean if summary.count else math.nan


def _weighted_cdnv(
    statistics: AnyStatistics, convention: Convention, power: float, weights: str
) -> float:
    xp = namespace(statistics.counts)
    check_choice("weights", weights, ("uniform", "frequency"))
    check_positive("power", power)
    held = xp.astype(statistics.counts > 0, xp.float64)
    shares = held if weights == "uniform" else held * statistics.centers.counts
    total = weight = 0.0
    for block, spread, distances in spreads_of(statistics, convention).blocks():
        pair = block.of_rows(shares) * block.of_cols(shares)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = pair * spread / distances**power
        # Shares of classes without samples are zero, and so are their pairs.
        total += float(xp.sum(xp.where(pair > 0, values, 0.0)))
        weight += float(xp.sum(pair + 0 * distances))
    return total / weight if weight else math.nan


def per_class_pinv(statistics: AnyStatistics, convention: Convention) -> object:
    """Return each class's part of ``nc1_pinv``, (K,), or None without samples."""
    energies = statistics.class_projected_squares(spectrum_key(convention))
    if energies is None:
        return None
    xp = namespace(energies)
    if not spectrum(statistics, convention).inverts(convention):
        return arrays.to_numpy(xp.nan * energies)
    counts = statistics.counts
    weights = convention.within_weights(counts)
    parts = weights * energies / xp.where(counts > 0, counts, xp.nan)
    if convention.divide_by_classes:
        parts = parts / statistics.n_classes
    return arrays.to_numpy(parts)
