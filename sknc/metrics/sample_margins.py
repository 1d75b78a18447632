"""Metrics of single samples: margins (NC4), and NC1 split by decision of the head."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sknc._utils.arrays import namespace, row_squared_norms
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import spectrum
from sknc.metrics._shared.pairs import pair_blocks, squared_distances
from sknc.statistics.held_out import AnyStatistics
from sknc.statistics.sample_measures import SampleMeasures

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

_NONE_RIGHT = when.otherwise("the head classifies no sample correctly")
_NONE_WRONG = when.otherwise("the head classifies every sample correctly")
_NO_COSINE = when.otherwise(
    "a sample is at the global mean, or a row of the head is the mean of its rows"
)
_SPLIT: dict[str, Any] = {
    "needs": ("energies", "head_decisions"),
    "sources": (by.after(by.PAPYAN, "of which this is a part"),),
    "interval": "[0, inf)",
    "unchanged_by": "shifts, rotations and uniform scaling of features and head "
    "together",
    "convention": "Its rank and its division by K.",
    "raises": "",
}


@metric("NC1", undefined=(*when.NO_INVERSE, _NONE_RIGHT), **_SPLIT)
def nc1_correct(
    statistics: AnyStatistics,
    measures: SampleMeasures,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    NC1 of the samples that the head classifies correctly.

    .. math::
        \tfrac{1}{K} \operatorname{tr}(\Sigma_W^{\mathrm{correct}} \Sigma_B^\dagger)

    with the within-class covariance of these samples, about the same centers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> head = LogisticRegression(max_iter=1000).fit(X, y)
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc1_correct", "nc1_wrong"])
    >>> report = analyzer.fit(X, y).score(X, y)
    >>> report.nc1_correct < report.nc1_wrong
    True
    """
    return _split(statistics, measures, convention, right=True)


@metric("NC1", ideal=None, undefined=(*when.NO_INVERSE, _NONE_WRONG), **_SPLIT)
def nc1_wrong(
    statistics: AnyStatistics,
    measures: SampleMeasures,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    NC1 of the samples that the head misclassifies.

    .. math::
        \tfrac{1}{K} \operatorname{tr}(\Sigma_W^{\mathrm{wrong}} \Sigma_B^\dagger)

    with the within-class covariance of these samples, about the same centers.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> head = (np.array([[1.0], [-1.0]]), np.array([-2.0, 2.0]))  # 1 taken for class 1
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc1_wrong"])
    >>> analyzer.fit(X, y).score(X, y).nc1_wrong  # (1 / 4) / 2
    0.125
    """
    return _split(statistics, measures, convention, right=False)


@metric(
    "NC4",
    needs=("any_head", "cosine_margins"),
    lower_is_collapsed=False,
    ideal="K/(K-1)",
    sources=(by.after(by.ZHOU),),
    interval="[-2, 2]",
    undefined=(_NO_COSINE,),
    unchanged_by=(
        "scaling of features or head, and by shifts unless the convention has "
        '``center="none"``'
    ),
)
def nc4_cosine_margin(measures: SampleMeasures) -> float:
    r"""
    Mean margin of the true class in the cosines with the rows of the head.

    .. math::
        \operatorname{mean}_i \Big( z_{i y_i} - \max_{j \neq y_i} z_{ij} \Big), \qquad
        z_{ij} = \cos(w_j - \bar w, x_i - \mu_G)

    Notes
    -----
    The global mean is that of the analyzer's convention, from the fitted samples. The
    paper's code divides the logits of uncentered features by the lengths of the
    centered ones; this function centers both.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> head = np.array([[1.0], [-1.0]])
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc4_cosine_margin"])
    >>> analyzer.fit(X, y).score(X, y).nc4_cosine_margin  # 1 - (-1)
    2.0
    """
    return _mean(measures.cosine_margins, measures.weights)


@metric(
    "NC4",
    needs=("ncc_margins",),
    lower_is_collapsed=None,
    ideal="half the distance to the nearest center",
    sources=(by.after(by.GALANTI, "the margin of their rule"),),
    interval="(-inf, inf)",
    unit="In units of the features",
    unchanged_by="shifts and rotations",
)
def nc4_ncc_margin(measures: SampleMeasures) -> float:
    r"""
    Mean signed distance to the boundary of the true class's nearest-center cell.

    .. math::
        \operatorname{mean}_i \min_{j \neq y_i}
        \frac{\lVert x_i - \mu_j \rVert^2 - \lVert x_i - \mu_{y_i} \rVert^2}
        {2 \lVert \mu_j - \mu_{y_i} \rVert}

    See Also
    --------
    margin_quantiles : Quantiles of these distances, in ``report.quantiles``.

    Notes
    -----
    Negative if the nearest center is that of another class.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> analyzer = NeuralCollapseAnalyzer(metrics=["nc4_ncc_margin"])
    >>> analyzer.fit(X, y).score(X, y).nc4_ncc_margin  # boundary at 0
    2.0
    """
    return _mean(measures.ncc_margins, measures.weights)


@metric(
    "NC1",
    needs=("directional",),
    sources=(by.LUTHRA,),
    most_classes=5_000,
    interval="[0, inf]",
    undefined=when.NO_DIRECTIONAL_CDNV,
    infinite="the means of two classes coincide",
    raises="",
)
def nc1_cdnv_directional(statistics: AnyStatistics, measures: SampleMeasures) -> float:
    r"""
    Class-distance normalized variance along the line between both class means.

    .. math::
        \operatorname{mean}_{i \neq j}
        \frac{u_{ij}^\top \Sigma_i u_{ij}}{\lVert \mu_i - \mu_j \rVert^2}, \qquad
        u_{ij} = \frac{\mu_i - \mu_j}{\lVert \mu_i - \mu_j \rVert}

    Notes
    -----
    Requires a (K, K) matrix.

    Examples
    --------
    Means at +2 and -2, variance 1 along the line: 1/16.

    >>> X = np.array([[3.0, 5.0], [1.0, -5.0], [-1.0, 5.0], [-3.0, -5.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> analyzer = NeuralCollapseAnalyzer(metrics=["nc1_cdnv_directional"])
    >>> analyzer.fit(X, y).score(X, y).nc1_cdnv_directional
    0.0625
    """
    sums = measures.directional
    xp = namespace(sums)
    centers = statistics.centers
    means = centers.equally_centered_means
    norms, noise = row_squared_norms(means), centers.mean_rounding() ** 2
    counts = statistics.counts
    variances = sums / xp.where(counts > 0, counts, xp.nan)[:, None]
    largest = xp.where(xp.max(norms) > 0, xp.max(norms), 1.0)
    total, n_classes = 0.0, statistics.n_classes
    flat = xp.reshape(variances, (-1,))
    for block in pair_blocks(means):
        fourth = (squared_distances(block, means, norms, noise) / largest) ** 2
        there = xp.reshape(block.rows * n_classes + block.cols, (-1,))
        back = xp.reshape(block.cols * n_classes + block.rows, (-1,))
        both = xp.take(flat, there, axis=0) + xp.take(flat, back, axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            total += float(xp.sum(xp.reshape(both, fourth.shape) / fourth))
    return total / (n_classes * (n_classes - 1))


def margin_quantiles(
    values: np.ndarray, weights: np.ndarray, levels: Sequence[float] = QUANTILES
) -> dict[float, float]:
    """Return weighted quantiles: the least margin with that share at or below it."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / np.sum(weights)
    places = np.minimum(np.searchsorted(shares, levels), len(values) - 1)
    quantiles = values[order][places]
    return dict(zip(levels, quantiles.tolist(), strict=True))


def _mean(values: np.ndarray | None, weights: np.ndarray) -> float:
    return math.nan if values is None else float(np.average(values, weights=weights))


def _split(
    statistics: AnyStatistics,
    measures: SampleMeasures,
    convention: str | Convention,
    *,
    right: bool,
) -> float:
    convention = Convention.preset(convention)
    if measures.energies is None or measures.correct is None:
        return math.nan
    if not spectrum(statistics, convention).inverts(convention):
        return math.nan
    chosen = measures.correct if right else ~measures.correct
    if not chosen.any():
        return math.nan
    value = _mean(measures.energies[chosen], measures.weights[chosen])
    return value / statistics.n_classes if convention.divide_by_classes else value
