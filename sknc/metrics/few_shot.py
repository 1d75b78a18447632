"""How the spread of features limits learning new classes from few samples."""

import math

import numpy as np

from sknc._utils.arrays import namespace, row_squared_norms
from sknc._utils.parameters import check_integer
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.pairs import pair_blocks, squared_distances
from sknc.metrics.sample_margins import nc1_cdnv_directional
from sknc.metrics.variability import nc1_cdnv
from sknc.statistics.held_out import AnyStatistics
from sknc.statistics.sample_measures import SampleMeasures


@metric(
    "NC1",
    needs=("directional",),
    sources=(by.after(by.LUTHRA, "with the constants of other code"),),
    most_classes=5_000,
    interval="[0, inf]; values from 1 on are vacuous",
    undefined=when.NO_DIRECTIONAL_CDNV,
    infinite="two class means coincide",
    raises="If `n_shots` is not an integer of at least 10.",
)
def nc1_few_shot_bound(
    statistics: AnyStatistics, measures: SampleMeasures, *, n_shots: int = 10
) -> float:
    r"""
    Bound on the error of the nearest center with few samples per class.

    .. math::
        (K - 1) \Bigl( 8 \tilde V + \tfrac{8}{\sqrt m} V_s
        + \bigl( \tfrac{8}{\sqrt m} + \tfrac{4}{m} \bigr) V \Bigr), \qquad
        V_s = \operatorname{mean}_{i \neq j}
        \frac{\sigma_i}{\lVert \mu_i - \mu_j \rVert}

    with V the `nc1_cdnv`, :math:`\tilde V` the `nc1_cdnv_directional` and m samples of
    each class.

    Parameters
    ----------
    n_shots : int, default=10
        Number m of samples per class, at least 10.

    See Also
    --------
    nc1_cdnv_directional : Its limit for many samples, divided by 8 (K - 1).

    Notes
    -----
    For two of the classes, divide by K - 1. Requires a (K, K) matrix.

    Examples
    --------
    Means 4 apart, variance 1 along their line: V and its directional part are 1/16, and
    V_s is 1/4.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> analyzer = NeuralCollapseAnalyzer(metrics=["nc1_few_shot_bound"])
    >>> report = analyzer.fit(X, [0, 0, 1, 1]).score(X, [0, 0, 1, 1])
    >>> report.nc1_few_shot_bound  # 1/2 + (2 + 1/2) / sqrt(10) + 1/40
    1.3155694
    """
    check_integer("n_shots", n_shots, "an integer of at least 10", lambda m: m >= 10)
    spread, root = nc1_cdnv(statistics), math.sqrt(n_shots)
    along = nc1_cdnv_directional(statistics, measures)
    corrections = 8 / root * _mean_ratio(statistics) + (8 / root + 4 / n_shots) * spread
    return (statistics.n_classes - 1) * (8 * along + corrections)


def _mean_ratio(statistics: AnyStatistics) -> float:
    """Return the mean standard deviation over distance, over ordered pairs."""
    centers, variances = statistics.centers, statistics.class_variances
    xp, means = namespace(variances), centers.equally_centered_means
    norms, noise = row_squared_norms(means), centers.mean_rounding() ** 2
    deviations, total, n_pairs = xp.sqrt(variances), 0.0, 0
    for block in pair_blocks(means):
        distances = xp.sqrt(squared_distances(block, means, norms, noise))
        both = block.of_rows(deviations) + block.of_cols(deviations)
        with np.errstate(divide="ignore", invalid="ignore"):
            total += float(xp.sum(both / distances))
        n_pairs += 2 * math.prod(distances.shape)
    return total / n_pairs
