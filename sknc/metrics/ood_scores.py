"""Scores of single samples that are low for out-of-distribution samples."""

from sknc._utils.arrays import (
    Array,
    device_of,
    gram,
    move_like,
    namespace,
    plain_arithmetic,
    row_products,
    row_squared_norms,
    tiles,
)
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_integer, check_not_negative
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.arguments import check_arguments
from sknc.metrics._shared.geometry import check_two_classes, sample_mean
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics

_TILE_ELEMENTS = 1 << 19  # 4 MiB of float64


@documented(by.references(by.AMMAR))
def neco_scores(
    statistics: AnyStatistics,
    X: Array,
    *,
    n_directions: int | None = None,
    center: bool = True,
    head: LinearHead | None = None,
) -> Array:
    r"""
    Fraction of each sample's length that lies in the principal subspace.

    .. math::
        \lVert P_d z \rVert / \lVert z \rVert, \qquad z = x - \mu_S

    with :math:`\mu_S` the mean of the fitted samples and :math:`P_d` the projection
    on the first d principal directions of their total covariance.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features, with their scatter. For held-out ones,
        the fitted samples are used, from which the centers come.
    X : array of shape (B, D)
        Features to score, in any array library.
    n_directions : int, optional
        Number d of directions, by default K - 1, at most D.
    center : bool, default=True
        Whether to subtract the mean. Otherwise the directions are those of the second
        moment about zero.
    head : LinearHead, optional
        Multiply each score by the largest logit of this head.

    Returns
    -------
    array of shape (B,)
        In [0, 1] without a head, float64, in the library and on the device of the
        statistics. High for samples like the fitted ones, 1 at collapse, low for
        others. NaN for a sample equal to the mean. Unchanged by shifts (if centered),
        rotations and uniform scaling of all samples.

    Raises
    ------
    ValueError
        If fewer than two classes have samples and `n_directions` is not given, the
        scatter was not kept, `X` does not have D features, or `n_directions` is not in
        1, ..., D.

    See Also
    --------
    nc5_neco : The mean score.

    Notes
    -----
    This is the NECO score of [1]_, whose factor is the largest logit. The paper's code
    first standardizes the features; this function does not. If the d-th and the next
    variance are equal, the directions are not unique.

    Examples
    --------
    The fitted samples vary most along the first axis:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import neco_scores
    >>> X = np.array([[9.0, 1], [9, -1], [-9, 1], [-9, -1]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> neco_scores(statistics, np.array([[5.0, 0], [3, 4], [0, 2]]))
    array([1. , 0.6, 0. ])
    """
    centers = statistics.centers.observed_only()
    n_features = centers.n_features
    if n_directions is None:
        check_two_classes(centers)
        n_directions = min(centers.n_classes - 1, n_features)
    expected = f"an integer in 1, ..., {n_features}"
    check_integer(
        "n_directions", n_directions, expected, lambda n: 1 <= n <= n_features
    )
    _check_width(X, n_features)
    directions = _principal_directions(centers, centered=center)[:, -n_directions:]
    mean = sample_mean(centers)
    scores = _shares_of_length(X, mean if center else 0 * mean, directions)
    if head is None:
        return scores
    check_arguments({"head": head, "statistics": centers})
    return scores * _largest_logits(X, head.beside(mean))[1]


@documented(by.references(by.LIU_QIN))
def nci_scores(
    statistics: AnyStatistics, X: Array, head: LinearHead, *, alpha: float = 0.0
) -> Array:
    r"""
    Neural collapse inspired score: how far each sample lies along its row of the head.

    .. math::
        \frac{w_c^\top (x - \mu_S)}{\lVert x - \mu_S \rVert}
        + \alpha \lVert x \rVert_1

    with c the class that the head chooses and :math:`\mu_S` the mean of the fitted
    samples.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features. For held-out ones, the fitted samples.
    X : array of shape (B, D)
        Features to score, in any array library.
    head : LinearHead
        Weights of shape (K, D), one row per class.
    alpha : float, default=0.0
        Weight of the L1 norm of the features, which OpenOOD tunes.

    Returns
    -------
    array of shape (B,)
        Scores, float64, in the library and on the device of the statistics. High for
        samples like the fitted ones. NaN for a sample equal to the mean.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, the head does not fit, `X` does not
        have D features, or `alpha` is negative or not finite.

    See Also
    --------
    neco_scores : The share of a sample in the subspace of all classes.

    Examples
    --------
    Along its row, and at an angle to it:

    >>> import numpy as np
    >>> from sknc import ClassStatistics, LinearHead
    >>> from sknc.metrics import nci_scores
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> nci_scores(statistics, np.array([[2.0, 0.0], [3.0, 4.0]]), LinearHead(X, None))
    array([1. , 0.6])
    """
    alpha = check_not_negative("alpha", alpha)
    centers = statistics.centers.observed_only()
    check_arguments({"head": head, "statistics": centers})
    check_two_classes(centers)
    _check_width(X, centers.n_features)
    mean = sample_mean(centers)
    xp, head = namespace(mean), head.beside(mean)
    parts = [xp.zeros((0,), dtype=mean.dtype, device=device_of(mean))]
    for block in tiles(X.shape[0], max(1, _TILE_ELEMENTS // X.shape[1])):
        features = move_like(X[block, :], mean, xp.float64)
        rows, chosen = features - mean, _largest_logits(features, head)[0]
        lengths = xp.sqrt(row_squared_norms(rows))
        lengths = xp.where(lengths > 0, lengths, xp.nan)
        along = row_products(xp.take(head.weights, chosen, axis=0), rows)
        parts.append(along / lengths + alpha * xp.sum(xp.abs(features), axis=1))
    return xp.concat(parts)


def _check_width(X: Array, n_features: int) -> None:
    if X.ndim != 2 or X.shape[1] != n_features:
        msg = f"X must be of shape (B, {n_features}), got {tuple(X.shape)}."
        raise ValueError(msg)


def _largest_logits(X: Array, head: LinearHead) -> tuple[Array, Array]:
    """Return the class with the largest logit for each row, and that logit, (B,)."""
    xp = namespace(head.weights)
    logits = move_like(X, head.weights, xp.float64) @ head.weights.T
    if head.bias is not None:
        logits = logits + head.bias
    return xp.argmax(logits, axis=1), xp.max(logits, axis=1)


def _principal_directions(samples: ClassStatistics, *, centered: bool) -> Array:
    """Return the eigenvectors of the covariance, or second moment, ascending."""
    scatter = samples.within_scatter
    if scatter is None:
        msg = "NECO requires the scatter, which covariance=False does not store."
        raise ValueError(msg)

    def eigenvectors() -> Array:
        xp, counts = namespace(samples.counts), samples.counts
        weights = counts / xp.sum(counts) if centered else 0 * counts
        means = samples.centered_means(weights)
        total = scatter + gram(means * xp.sqrt(counts)[:, None])
        return xp.linalg.eigh(total)[1]

    return samples.cached(("principal_directions", centered), eigenvectors)


def _shares_of_length(X: Array, mean: Array, directions: Array) -> Array:
    """Return ``|(x - mean) directions| / |x - mean|`` of each row, in blocks."""
    xp = namespace(mean)
    parts = [xp.zeros((0,), dtype=mean.dtype, device=device_of(mean))]
    with plain_arithmetic(mean):
        for block in tiles(X.shape[0], max(1, _TILE_ELEMENTS // X.shape[1])):
            rows = move_like(X[block, :], mean, xp.float64) - mean
            lengths = row_squared_norms(rows)
            lengths = xp.where(lengths > 0, lengths, xp.nan)
            shares = xp.sqrt(row_squared_norms(rows @ directions) / lengths)
            parts.append(xp.where(shares > 1, xp.ones_like(shares), shares))
    return xp.concat(parts)
