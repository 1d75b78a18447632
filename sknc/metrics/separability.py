"""More NC1: variability by discriminant analysis, by rank of pairs, by a logarithm."""

import math
from collections.abc import Iterator

import numpy as np

from sknc import _array
from sknc._array import namespace
from sknc.convention import Convention
from sknc.held_out import AnyStatistics
from sknc.metrics._frames import pairs_of
from sknc.metrics._geometry import centered_means, check_two_classes
from sknc.metrics.variability import cdnv_blocks, nc1_pinv

_COLLECTED = 1 << 24  # pairs whose values are sorted at once, 128 MiB


def nc1_vci(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variability collapse index: what linear regression on the classes leaves over.

    .. math::
        1 - \operatorname{tr}(\Sigma_T^{\dagger} \Sigma_B)
        / \operatorname{rank}(\Sigma_B)

    with :math:`\Sigma_T = \Sigma_W + \Sigma_B` and classes weighted by frequency.

    Parameters
    ----------
    statistics : ClassStatistics
        Statistics of K classes of D features, with their scatter.
    convention : str or Convention, default="default"
        Makes no difference to this metric.

    Returns
    -------
    float
        Dimensionless, in [0, 1]; lower is more collapsed, 0 at collapse. NaN unless
        N - 1 > D, since noise in fewer samples than dimensions looks collapsed; NaN
        without scatter or if all class means coincide. Unchanged by invertible
        linear maps and shifts.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    One minus the value, times the rank, is Pillai's trace.

    References
    ----------
    .. [1] J. Xu, H. Liu. "Quantifying the variability collapse of neural networks."
       ICML 2023. https://arxiv.org/abs/2306.03440

    Examples
    --------
    Variances 1 within and 4 between on the only axis: 1 - 4/5.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc1_vci
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> nc1_vci(ClassStatistics.from_samples(X, np.array([0, 0, 1, 1])))
    0.2
    """
    Convention.preset(convention)  # none makes a difference here
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
    means = centered_means(statistics, frequency) * shares[:, None]
    values = xp.linalg.svdvals(means)
    eps = float(xp.finfo(xp.float64).eps)
    rounding = float(xp.linalg.vector_norm(shares * statistics.centers.mean_rounding()))
    cutoff = max(means.shape) * eps * float(values[0]) + 2 * rounding
    rank = min(int(xp.sum(xp.astype(values > cutoff, xp.int64))), len(counts) - 1)
    if not rank:
        return math.nan
    total = scatter / xp.sum(counts) + means.T @ means
    levels, axes = xp.linalg.eigh(total)
    held = levels > max(means.shape) * eps * levels[-1]
    scale = xp.where(held, 1 / xp.sqrt(xp.where(held, levels, 1.0)), 0.0)
    explained = xp.sum(((means @ axes) * scale) ** 2)
    return max(0.0, 1 - float(explained) / rank)


def nc1_vci_adjusted(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variability collapse index over its mean for features of pure noise.

    .. math::
        \mathrm{VCI} \Big/ \left(1 - \frac{\max(D, K-1)}{N-1}\right)

    Parameters
    ----------
    statistics : ClassStatistics
        Statistics of N samples of K classes and D features, with their scatter.
    convention : str or Convention, default="default"
        Makes no difference to this metric.

    Returns
    -------
    float
        Dimensionless, at least 0; lower is more collapsed, 0 at collapse and about 1
        for noise. NaN where `nc1_vci` is, and unless N - 1 > K - 1.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] J. Xu, H. Liu. "Quantifying the variability collapse of neural networks."
       ICML 2023. https://arxiv.org/abs/2306.03440 (the index; the adjustment is that
       of an adjusted coefficient of determination).

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc1_vci_adjusted
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> nc1_vci_adjusted(ClassStatistics.from_samples(X, y))  # 0.2 / (1 - 1/3)
    0.3
    """
    value = nc1_vci(statistics, convention=convention)
    freedom = statistics.n_samples - 1
    fitted = max(statistics.n_features, statistics.n_classes - 1)
    return value / (1 - fitted / freedom) if freedom > fitted else math.nan


def nc1_fuzziness(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Logarithm of the separation fuzziness.

    .. math::
        \log \operatorname{tr}(\Sigma_W \Sigma_B^\dagger)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features, with their scatter.
    convention : str or Convention, default="default"
        Its center, weights and rank. The source uses ``"he_su2023"``. The value is
        not divided by K whatever the convention.

    Returns
    -------
    float
        In (-inf, inf), or -inf at collapse; lower is more collapsed. NaN where
        `nc1_pinv` is.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] H. He, W. J. Su. "A law of data separation in deep learning." PNAS 120
       (36), 2023. https://doi.org/10.1073/pnas.2221704120

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc1_fuzziness
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


def nc1_cdnv_max(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Greatest class-distance normalized variance of a pair of classes.

    .. math::
        \max_{i<j} \frac{\sigma_i^2 + \sigma_j^2}{2 \lVert \mu_i - \mu_j \rVert^2}

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes; no scatter is needed.
    convention : str or Convention, default="default"
        Whether variances and distances are corrected for their bias.

    Returns
    -------
    float
        Dimensionless, in [0, inf]; lower is more collapsed, 0 at collapse. Unchanged
        by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    References
    ----------
    .. [1] T. Galanti, A. György, M. Hutter. "On the role of neural collapse in
       transfer learning." ICLR 2022. https://arxiv.org/abs/2112.15121

    Examples
    --------
    Means at 0, 2 and 6, variances 1: the nearest pair has 2 / (2 * 4).

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc1_cdnv_max
    >>> X = np.array([[-1.0], [1.0], [1.0], [3.0], [5.0], [7.0]])
    >>> y = np.array([0, 0, 1, 1, 2, 2])
    >>> nc1_cdnv_max(ClassStatistics.from_samples(X, y))
    0.25
    """
    summary = pairs_of(statistics, convention).cdnv
    return summary.greatest if summary.count else math.nan


def nc1_cdnv_median(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Median over pairs of the class-distance normalized variance.

    .. math::
        \operatorname{median}_{i<j}
        \frac{\sigma_i^2 + \sigma_j^2}{2 \lVert \mu_i - \mu_j \rVert^2}

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes; no scatter is needed.
    convention : str or Convention, default="default"
        Whether variances and distances are corrected for their bias.

    Returns
    -------
    float
        Dimensionless, in [0, inf]; lower is more collapsed, 0 at collapse. Unchanged
        by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    Exact. Above some 5800 classes the values are not kept: the pairs are swept five
    times, each time for 16 further bits of the median.

    References
    ----------
    .. [1] T. Galanti, A. György, M. Hutter. "On the role of neural collapse in
       transfer learning." ICLR 2022. https://arxiv.org/abs/2112.15121

    Examples
    --------
    Means at 0, 2 and 6, variances 1: values 1/4, 1/16 and 1/36.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc1_cdnv_median
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
    """Yield the values of all pairs whose classes both have samples, on the host."""
    missing = statistics.counts == 0
    for block, spread, distances in cdnv_blocks(statistics, convention):
        with np.errstate(invalid="ignore", divide="ignore"):
            values = _array.to_numpy(spread / distances).reshape(-1)
        left_out = block.of_rows(missing) | block.of_cols(missing)
        yield values[~_array.to_numpy(left_out).reshape(-1)]


def _median_by_bits(statistics: AnyStatistics, convention: Convention) -> float:
    """Find the two middle values; non-negative floats sort as their bit patterns."""
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
