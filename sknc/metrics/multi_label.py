"""Samples with several labels: their means as averages of single-label means."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc.metrics._catalogue import sources as by


@dataclass(frozen=True, eq=False)
class TagWiseAverage:
    """
    How close the mean of each label set is to the sum of the means of its labels.

    Parameters
    ----------
    label_sets : bool ndarray of shape (S, K)
        The sets of at least two labels that occur, and whose labels all have
        single-label samples.
    counts : ndarray of shape (S,)
        Numbers of samples of the sets.
    angles : ndarray of shape (S,)
        One minus the cosine between mean and sum, both centered; 0 at collapse.
    scales : ndarray of shape (S,)
        Factor by which the sum is closest to the mean; at collapse it is equal for all
        sets of the same size.
    """

    label_sets: np.ndarray
    counts: np.ndarray
    angles: np.ndarray
    scales: np.ndarray

    @property
    def error(self) -> float:
        """Mean of the angles over label sets; NaN if there are none."""
        return float(np.mean(self.angles)) if len(self.angles) else math.nan

    @property
    def scale_spread(self) -> float:
        """Coefficient of variation of the scales in sets of equal size, averaged."""
        sizes = self.label_sets.sum(axis=1)
        groups = [self.scales[sizes == size] for size in np.unique(sizes)]
        found = [np.std(s, ddof=1) / abs(np.mean(s)) for s in groups if len(s) > 1]
        return float(np.mean(found)) if found else math.nan


@documented(by.references(by.LI))
def tag_wise_average(X: Array, Y: Any) -> TagWiseAverage:
    r"""
    Compare the means of label sets with the sums of the means of their labels.

    .. math::
        1 - \cos \Bigl( \mu_S - \mu_G, \sum_{k \in S} (\mu_k - \mu_G) \Bigr)

    with :math:`\mu_S` the mean of the samples whose labels are S, :math:`\mu_k` that of
    samples whose only label is k, and :math:`\mu_G` the mean of the :math:`\mu_k`.

    Parameters
    ----------
    X : array of shape (N, D)
        Features, NumPy or torch.
    Y : array of shape (N, K)
        Indicators: 1 where a sample has a label, else 0.

    Returns
    -------
    TagWiseAverage
        Angle and scale of each label set, on the host. For single labels only, use
        `NeuralCollapseAnalyzer`.

    Raises
    ------
    ValueError
        If `Y` is not a matrix of indicators with one row per sample, or fewer than two
        labels have single-label samples.

    Examples
    --------
    The mean of samples with both labels is halfway between the corners:

    >>> import numpy as np
    >>> from sknc.metrics import tag_wise_average
    >>> X = np.array([[3.0, 0], [0, 3], [-3, -3], [1.5, 1.5]])
    >>> Y = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
    >>> found = tag_wise_average(X, Y)
    >>> found.error, found.scales
    (0.0, array([0.5]))
    """
    tags, xp = _indicators(Y, int(X.shape[0])), namespace(X)
    features = arrays.to_numpy(xp.astype(X, xp.float64))
    sizes = tags.sum(axis=1)
    known = np.flatnonzero(tags[sizes == 1].any(axis=0))
    if len(known) < 2:
        msg = (
            "tag_wise_average compares with single-label samples: expected them for at "
            f"least 2 labels, got {len(known)}."
        )
        raise ValueError(msg)
    single = np.full((tags.shape[1], features.shape[1]), np.nan)
    for k in known:
        single[k] = features[(sizes == 1) & tags[:, k]].mean(axis=0)
    center = single[known].mean(axis=0)
    sets, index = np.unique(tags[sizes > 1], axis=0, return_inverse=True)
    members, index = features[sizes > 1], np.ravel(index)
    rows = [
        s for s, tag in enumerate(sets) if np.isin(np.flatnonzero(tag), known).all()
    ]
    found = [
        _compared(members[index == s].mean(axis=0) - center, single[sets[s]] - center)
        for s in rows
    ]
    pairs = np.array(found).reshape(-1, 2)
    counts = np.bincount(index, minlength=len(sets))[rows]
    return TagWiseAverage(sets[rows], counts, pairs[:, 0], pairs[:, 1])


def _compared(mean: np.ndarray, parts: np.ndarray) -> tuple[float, float]:
    """Return one minus the cosine of a mean and a sum, and the best factor."""
    total = parts.sum(axis=0)
    lengths = float(np.linalg.norm(mean)), float(np.linalg.norm(total))
    if not all(lengths):
        return math.nan, math.nan
    gap = mean / lengths[0] - total / lengths[1]
    return float(gap @ gap) / 2, float(mean @ total) / lengths[1] ** 2


def _indicators(Y: Any, n_samples: int) -> np.ndarray:
    values = arrays.to_numpy(Y)
    if (
        values.ndim != 2
        or len(values) != n_samples
        or not np.isin(values, (0, 1)).all()
    ):
        msg = (
            f"Y must be indicators of shape ({n_samples}, n_labels), 1 where a sample "
            f"has a label and else 0, got an array of shape {values.shape}."
        )
        raise ValueError(msg)
    return values.astype(bool)
