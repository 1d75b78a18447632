"""More NC1: discriminant analysis, extremes over pairs, and a logarithm."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import namespace
from sknc._utils.parameters import check_choice
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.frames import pairs_of, spreads_of
from sknc.metrics._shared.geometry import centered_means, check_two_classes
from sknc.metrics._shared.pairs import pair_blocks
from sknc.metrics.variability import CDNV, nc1_pinv
from sknc.statistics.held_out import AnyStatistics

_COLLECTED = 1 << 24  # number of pairs up to which values are sorted together, 128 MiB

_NO_VCI = (
    when.ONE_SAMPLE_EACH,
    when.Condition(
        "N - 1 <= D, but it requires more samples than features",
        lambda case: case.statistics.n_samples - 1 <= case.statistics.n_features,
    ),
    when.otherwise("the between-class covariance has rank zero"),
)


@metric(
    "NC1",
    needs=("scatter",),
    sources=(by.XU,),
    interval="[0, 1]",
    undefined=_NO_VCI,
    unchanged_by="invertible linear maps and shifts",
    convention="Not used.",
)
def nc1_vci(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    weights: Literal["frequency", "uniform"] = "frequency",
) -> float:
    r"""
    Variability collapse index: the residual of linear regression on the classes.

    .. math::
        1 - \operatorname{tr}(\Sigma_T^{\dagger} \Sigma_B)
        / \operatorname{rank}(\Sigma_B)

    with :math:`\Sigma_T = \Sigma_W + \Sigma_B` and classes weighted by frequency.

    Parameters
    ----------
    weights : {"frequency", "uniform"}, default="frequency"
        Weights of the classes in :math:`\Sigma_B`, about the mean of all samples. Some
        code uses 1/K, with which the value may be below 0 if counts differ.

    Notes
    -----
    One minus the value, times the rank, is Pillai's trace. With fewer samples than
    features even pure noise would look collapsed.

    Examples
    --------
    Variances 1 within and 4 between on the only axis: 1 - 4/5.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> nc1_vci(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))
    0.2
    """
    Convention.preset(convention)  # checked, but without effect
    check_two_classes(statistics)
    scatter = statistics.within_scatter
    n_samples = statistics.n_samples
    too_few = n_samples - 1 <= statistics.n_features
    if scatter is None or too_few or statistics.all_singletons:
        return math.nan
    xp = namespace(scatter)
    frequency = Convention.preset("frequency")
    counts = statistics.counts
    shares = xp.sqrt(counts / xp.sum(counts))
    if check_choice("weights", weights, ("frequency", "uniform")) == "uniform":
        shares = xp.sqrt(xp.ones_like(counts) / statistics.n_classes)
    means = centered_means(statistics, frequency) * shares[:, None]
    values = xp.linalg.svdvals(means)
    eps = float(xp.finfo(xp.float64).eps)
    rounding = float(xp.linalg.vector_norm(shares * statistics.centers.mean_rounding()))
    cutoff = max(means.shape) * eps * float(values[0]) + 2 * rounding
    rank = min(
        int(xp.sum(xp.astype(values > cutoff, xp.int64))), statistics.n_classes - 1
    )
    if not rank:
        return math.nan
    total = scatter / xp.sum(counts) + means.T @ means
    levels, axes = xp.linalg.eigh(total)
    held = levels > max(means.shape) * eps * levels[-1]
    scale = xp.where(held, 1 / xp.sqrt(xp.where(held, levels, 1.0)), 0.0)
    explained = xp.sum(((means @ axes) * scale) ** 2)
    value = 1 - float(explained) / rank
    return value if weights == "uniform" else max(0.0, value)


@metric(
    "NC1",
    needs=("scatter",),
    sources=(
        by.after(by.XU, "the index, adjusted like a coefficient of determination"),
    ),
    interval="[0, inf)",
    undefined=_NO_VCI,
    caveats=(),  # its divisor is exact for classes with one sample too
    unchanged_by="",
    convention="Not used.",
)
def nc1_vci_adjusted(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variability collapse index, relative to its mean for pure noise.

    .. math::
        \mathrm{VCI} \Big/ \left(1 - \frac{\max(D, K-1)}{N-1}\right)

    Notes
    -----
    About 1 for pure noise.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> nc1_vci_adjusted(ClassStatistics.from_samples(X, y))  # 0.2 / (1 - 1/3)
    0.3
    """
    value = nc1_vci(statistics, convention=convention)
    freedom = statistics.n_samples - 1
    fitted = max(statistics.n_features, statistics.n_classes - 1)
    return value / (1 - fitted / freedom) if freedom > fitted else math.nan


@metric(
    "NC1",
    needs=("within",),
    ideal="-inf",
    sources=(by.HE_SU,),
    interval="[-inf, inf)",
    undefined=(*when.NO_INVERSE, when.ONE_SAMPLE_EACH),
    infinite="nothing varies within the classes",
    unchanged_by="",
    convention="Its center, weights and rank.",
)
def nc1_fuzziness(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Logarithm of the separation fuzziness.

    .. math::
        \log \operatorname{tr}(\Sigma_W \Sigma_B^\dagger)

    Notes
    -----
    The source uses ``convention="he_su2023"``. The value is never divided by K.

    Examples
    --------
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> nc1_fuzziness(ClassStatistics.from_samples(X, y))  # log(1/4)
    -1.3862944
    """
    convention = Convention.preset(convention)
    value = nc1_pinv(statistics, convention=convention)
    if convention.divide_by_classes:
        value *= statistics.n_classes
    return -math.inf if value == 0 else math.log(value)


@metric("NC1", sources=(by.after(by.GALANTI),), **CDNV)
def nc1_cdnv_max(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Largest class-distance normalized variance of any pair of classes.

    .. math::
        \max_{i<j} \frac{\sigma_i^2 + \sigma_j^2}{2 \lVert \mu_i - \mu_j \rVert^2}

    Examples
    --------
    Means at 0, 2 and 6, variances 1: the nearest pair has 2 / (2 * 4).

    >>> X = np.array([[-1.0], [1.0], [1.0], [3.0], [5.0], [7.0]])
    >>> y = np.array([0, 0, 1, 1, 2, 2])
    >>> nc1_cdnv_max(ClassStatistics.from_samples(X, y))
    0.25
    """
    summary = pairs_of(statistics, convention).cdnv
    return summary.greatest if summary.count else math.nan


@metric("NC1", sources=(by.after(by.GALANTI),), **CDNV)
def nc1_cdnv_median(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Median over pairs of the class-distance normalized variance.

    .. math::
        \operatorname{median}_{i<j}
        \frac{\sigma_i^2 + \sigma_j^2}{2 \lVert \mu_i - \mu_j \rVert^2}

    Notes
    -----
    Exact. With more than about 5800 classes the values are not stored; five sweeps over
    the pairs each determine 16 more bits of the median.

    Examples
    --------
    Means at 0, 2 and 6, variances 1: values 1/4, 1/16 and 1/36.

    >>> X = np.array([[-1.0], [1.0], [1.0], [3.0], [5.0], [7.0]])
    >>> y = np.array([0, 0, 1, 1, 2, 2])
    >>> nc1_cdnv_median(ClassStatistics.from_samples(X, y))
    0.0625
    """
    convention = Convention.preset(convention)
    n_classes = statistics.n_classes
    if n_classes * (n_classes - 1) // 2 <= _COLLECTED:
        values = np.concatenate(list(_values(statistics, convention)) or [np.empty(0)])
        return float(np.median(values)) if len(values) else math.nan
    return _median_by_bits(statistics, convention)


def _values(statistics: AnyStatistics, convention: Convention) -> Iterator[np.ndarray]:
    """Yield the values of all pairs of observed classes, as NumPy arrays."""
    spreads = spreads_of(statistics, convention)
    for block in pair_blocks(spreads.means):
        yield arrays.to_numpy(spreads.observed_ratios(block)).reshape(-1)


def _median_by_bits(statistics: AnyStatistics, convention: Convention) -> float:
    """Find the two middle values; non-negative floats sort like their bit patterns."""
    count = sum(len(values) for values in _values(statistics, convention))
    if not count:
        return math.nan
    ranks = [(count - 1) // 2, count // 2]
    prefixes = [0, 0]
    if any(np.isnan(values).any() for values in _values(statistics, convention)):
        return math.nan
    for shift in (48, 32, 16, 0):
        bins = np.zeros((2, 1 << 16), dtype=np.int64)
        for values in _values(statistics, convention):
            bits = values.view(np.uint64)
            above = bits >> np.uint64(shift)
            digits = (above & np.uint64(0xFFFF)).astype(np.int64)
            for side in (0, 1):
                mine = (above >> np.uint64(16)) == np.uint64(prefixes[side])
                bins[side] += np.bincount(digits[mine], minlength=1 << 16)
        for side in (0, 1):
            below = np.cumsum(bins[side])
            digit = int(np.searchsorted(below, ranks[side], side="right"))
            ranks[side] -= int(below[digit - 1]) if digit else 0
            prefixes[side] = (prefixes[side] << 16) | digit
    middle = np.array(prefixes, dtype=np.uint64).view(np.float64)
    return float(middle.mean())
