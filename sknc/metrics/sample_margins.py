"""Metrics of single samples: margins (NC4), and NC1 split by the head's decision."""

import math
from collections.abc import Sequence

import numpy as np

from sknc._array import namespace, row_squared_norms
from sknc.convention import Convention
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import spectrum
from sknc.metrics._pairs import pair_blocks, squared_distances
from sknc.sample_measures import SampleMeasures, centered_alike

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def nc1_correct(
    statistics: AnyStatistics,
    measures: SampleMeasures,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    NC1 of the samples that the head assigns to their own class.

    .. math::
        \tfrac{1}{K} \operatorname{tr}(\Sigma_W^{\mathrm{correct}} \Sigma_B^\dagger)

    with the within-class covariance taken over those samples, about the same centers.

    Parameters
    ----------
    statistics : HeldOutStatistics
        Statistics of K classes.
    measures : SampleMeasures
        Energies of the samples, and whether the head is right.
    convention : str or Convention, default="default"
        Its division by K.

    Returns
    -------
    float
        Dimensionless, in [0, inf); lower is more collapsed, 0 at collapse. NaN if
        there is no such sample, or if the class means do not span what the convention
        inverts (see `nc1_pinv`). Unchanged by shifts, rotations and uniform scaling of
        features and head together.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117 (of which this is a part).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> head = LogisticRegression(max_iter=1000).fit(X, y)
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc1_correct", "nc1_wrong"])
    >>> report = analyzer.fit(X, y).score(X, y)
    >>> report.nc1_correct < report.nc1_wrong
    True
    """
    return _split(statistics, measures, convention, right=True)


def nc1_wrong(
    statistics: AnyStatistics,
    measures: SampleMeasures,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    NC1 of the samples that the head assigns to another class.

    .. math::
        \tfrac{1}{K} \operatorname{tr}(\Sigma_W^{\mathrm{wrong}} \Sigma_B^\dagger)

    with the within-class covariance taken over those samples, about the same centers.

    Parameters
    ----------
    statistics : HeldOutStatistics
        Statistics of K classes.
    measures : SampleMeasures
        Energies of the samples, and whether the head is right.
    convention : str or Convention, default="default"
        Its division by K.

    Returns
    -------
    float
        Dimensionless, in [0, inf); lower is more collapsed. NaN if there is no such
        sample, as at full train accuracy. Otherwise as `nc1_correct`.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117 (of which this is a part).

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> head = (np.array([[1.0], [-1.0]]), np.array([-2.0, 2.0]))  # 1 taken for class 1
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc1_wrong"])
    >>> analyzer.fit(X, y).score(X, y).nc1_wrong  # (1 / 4) / 2
    0.125
    """
    return _split(statistics, measures, convention, right=False)


def nc4_ncc_margin(measures: SampleMeasures) -> float:
    r"""
    Mean signed distance to the boundary of the own class's nearest-center cell.

    .. math::
        \operatorname{mean}_i \min_{j \neq y_i}
        \frac{\lVert x_i - \mu_j \rVert^2 - \lVert x_i - \mu_{y_i} \rVert^2}
        {2 \lVert \mu_j - \mu_{y_i} \rVert}

    Parameters
    ----------
    measures : SampleMeasures
        Margins of the samples.

    Returns
    -------
    float
        In units of the features; negative where the nearest center is another
        class's. Half the distance to the nearest other center at collapse. Unchanged
        by shifts and rotations.

    See Also
    --------
    margin_quantiles : Quantiles of the same numbers, in ``report.quantiles``.

    References
    ----------
    .. [1] T. Galanti, A. György, M. Hutter. "On the role of neural collapse in
       transfer learning." ICLR 2022. https://arxiv.org/abs/2112.15121 (the rule whose
       margin this is).

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> analyzer = NeuralCollapseAnalyzer(metrics=["nc4_ncc_margin"])
    >>> analyzer.fit(X, y).score(X, y).nc4_ncc_margin  # boundary at 0
    2.0
    """
    return _mean(measures.ncc_margins, measures.weights)


def nc4_cosine_margin(measures: SampleMeasures) -> float:
    r"""
    Mean lead of the true class in the cosines with the head.

    .. math::
        \operatorname{mean}_i \Big( z_{i y_i} - \max_{j \neq y_i} z_{ij} \Big), \qquad
        z_{ij} = \cos(w_j - \bar w, x_i - \mu_G)

    Parameters
    ----------
    measures : SampleMeasures
        Margins of the samples.

    Returns
    -------
    float
        Dimensionless, in [-2, 2]; higher is more collapsed, K/(K - 1) at collapse.
        Unchanged by scaling of features or head, and by shifts unless the convention
        has ``center="none"``.

    Notes
    -----
    The global mean is that of the convention of the analyzer, from the fitted samples.
    The paper's code divides the logits of uncentered features by the lengths of the
    centered ones; this function centers both.

    References
    ----------
    .. [1] J. Zhou et al. "On the optimization landscape of neural collapse under MSE
       loss: global optimality with unconstrained features." ICML 2022.
       https://arxiv.org/abs/2203.01238 (after which this is made).

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> head = np.array([[1.0], [-1.0]])
    >>> analyzer = NeuralCollapseAnalyzer(head, metrics=["nc4_cosine_margin"])
    >>> analyzer.fit(X, y).score(X, y).nc4_cosine_margin  # 1 - (-1)
    2.0
    """
    return _mean(measures.cosine_margins, measures.weights)


def nc1_cdnv_directional(statistics: AnyStatistics, measures: SampleMeasures) -> float:
    r"""
    Class-distance normalized variance along the line between both class means.

    .. math::
        \operatorname{mean}_{i \neq j}
        \frac{u_{ij}^\top \Sigma_i u_{ij}}{\lVert \mu_i - \mu_j \rVert^2}, \qquad
        u_{ij} = \frac{\mu_i - \mu_j}{\lVert \mu_i - \mu_j \rVert}

    Parameters
    ----------
    statistics : HeldOutStatistics
        Statistics of K classes.
    measures : SampleMeasures
        Sums of squared residuals along the lines.

    Returns
    -------
    float
        Dimensionless, in [0, inf]; lower is more collapsed, 0 at collapse. NaN if a
        class has no sample. Unchanged by shifts, rotations and uniform scaling.

    Notes
    -----
    Takes a (K, K) matrix.

    References
    ----------
    .. [1] A. Luthra, T. Yang, T. Galanti. "Self-supervised contrastive learning is
       approximately supervised contrastive learning." NeurIPS 2025.
       https://arxiv.org/abs/2506.04411

    Examples
    --------
    Means at +2 and -2, variance 1 along the line: 1/16.

    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X = np.array([[3.0, 5.0], [1.0, -5.0], [-1.0, 5.0], [-3.0, -5.0]])
    >>> y = np.array([0, 0, 1, 1])
    >>> analyzer = NeuralCollapseAnalyzer(metrics=["nc1_cdnv_directional"])
    >>> analyzer.fit(X, y).score(X, y).nc1_cdnv_directional
    0.0625
    """
    sums = measures.directional
    xp = namespace(sums)
    centers = statistics.centers
    means = centered_alike(centers)
    norms, noise = row_squared_norms(means), centers.mean_rounding() ** 2
    counts = statistics.counts
    variances = sums / xp.where(counts > 0, counts, xp.nan * counts)[:, None]
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
    """
    Return weighted quantiles of margins.

    Parameters
    ----------
    values : ndarray of shape (N,)
        Margins.
    weights : ndarray of shape (N,)
        Sample weights.
    levels : sequence of float
        Shares of the weight that lies below, in [0, 1].

    Returns
    -------
    dict of float to float
        The least margin with at least that share of the weight at or below it.
    """
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
