"""Long tails: recall of frequent and rare classes, and where minorities merge."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils.arrays import to_numpy
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_number
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.arguments import check_arguments
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import centered_means
from sknc.metrics._shared.imbalance import class_counts
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import AnyStatistics

_RECALL: dict[str, Any] = {
    "group": "imbalance",
    "needs": ("head_decisions",),
    "lower_is_collapsed": None,
    "ideal": None,
    "interval": "[0, 1]; higher is more accurate",
    "unit": "A share",
    "unchanged_by": "",
    "raises": "",
}
_RECALL_BY_COUNT = _RECALL | {"sources": (by.LIU_TAIL,)}


def _none_there(words: str) -> tuple[when.Condition, ...]:
    return (when.otherwise(f"no scored class has {words}"),)


@metric(sources=(by.BRODERSEN,), **_RECALL)
def imb_balanced_accuracy(decisions: Decisions) -> float:
    r"""
    Balanced accuracy of the head: mean recall of the classes.

    .. math::
        \operatorname{mean}_k P(\arg\max_j (w_j^\top x + b_j) = k \mid y = k)

    Notes
    -----
    The mean is over the classes that have scored samples.

    Examples
    --------
    Recall 1/2 and 1:

    >>> truth, chosen = np.array([[0, 0, 1, 1], [0, 1, 1, 1]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, truth, chosen, None)
    >>> imb_balanced_accuracy(counted)
    0.75
    """
    return _mean_recall(decisions, np.ones(decisions.counts.shape[0], bool))


@metric(undefined=_none_there("more than `many` fitted samples"), **_RECALL_BY_COUNT)
def imb_many_recall(
    statistics: AnyStatistics, decisions: Decisions, *, many: float = 100
) -> float:
    r"""
    Mean recall of the head on classes of many fitted samples.

    .. math::
        \operatorname{mean}_{k : n_k > \text{many}}
        P(\arg\max_j (w_j^\top x + b_j) = k \mid y = k)

    Parameters
    ----------
    many : float, default=100
        Classes with more samples than this.

    See Also
    --------
    imb_medium_recall, imb_few_recall : For the other classes.

    Notes
    -----
    With sample weights, counts are sums of weights.

    Examples
    --------
    All three samples of the first class count, since `many` is low:

    >>> X, y = np.eye(4), np.array([0, 0, 0, 1])
    >>> statistics = ClassStatistics.from_samples(X, y)
    >>> counted = Decisions.count(np.zeros(2), y, y, y, np.array([0, 0, 1, 0]), None)
    >>> imb_many_recall(statistics, counted, many=2)
    0.6666667
    """
    return _mean_recall(decisions, class_counts(statistics) > many)


@metric(
    undefined=_none_there("from `few` to `many` fitted samples"), **_RECALL_BY_COUNT
)
def imb_medium_recall(
    statistics: AnyStatistics,
    decisions: Decisions,
    *,
    few: float = 20,
    many: float = 100,
) -> float:
    r"""
    Mean recall of the head on classes of neither many nor few fitted samples.

    .. math::
        \operatorname{mean}_{k : \text{few} \leq n_k \leq \text{many}}
        P(\arg\max_j (w_j^\top x + b_j) = k \mid y = k)

    Parameters
    ----------
    few : float, default=20
        Least number of samples.
    many : float, default=100
        Largest number of samples.

    See Also
    --------
    imb_many_recall, imb_few_recall : For the other classes.

    Examples
    --------
    >>> X, y = np.eye(4), np.array([0, 0, 0, 1])
    >>> statistics = ClassStatistics.from_samples(X, y)
    >>> counted = Decisions.count(np.zeros(2), y, y, y, np.array([0, 0, 1, 0]), None)
    >>> imb_medium_recall(statistics, counted, few=1, many=2)
    0.0
    """
    counts = class_counts(statistics)
    return _mean_recall(decisions, (counts >= few) & (counts <= many))


@metric(undefined=_none_there("fewer than `few` fitted samples"), **_RECALL_BY_COUNT)
def imb_few_recall(
    statistics: AnyStatistics, decisions: Decisions, *, few: float = 20
) -> float:
    r"""
    Mean recall of the head on classes of few fitted samples.

    .. math::
        \operatorname{mean}_{k : n_k < \text{few}}
        P(\arg\max_j (w_j^\top x + b_j) = k \mid y = k)

    Parameters
    ----------
    few : float, default=20
        Classes with fewer samples than this.

    See Also
    --------
    imb_many_recall, imb_medium_recall : For the other classes.

    Examples
    --------
    Recall 2/3 and 0, in classes that all have few samples:

    >>> X, y = np.eye(4), np.array([0, 0, 0, 1])
    >>> statistics = ClassStatistics.from_samples(X, y)
    >>> counted = Decisions.count(np.zeros(2), y, y, y, np.array([0, 0, 1, 0]), None)
    >>> imb_few_recall(statistics, counted)
    0.3333333
    """
    return _mean_recall(decisions, class_counts(statistics) < few)


def _mean_recall(decisions: Decisions, mask: np.ndarray) -> float:
    """Return the mean recall of the head on some classes; NaN if none has samples."""
    counts = to_numpy(decisions.counts)
    if decisions.head_correct is None or not (mask := mask & (counts > 0)).any():
        return math.nan
    correct = to_numpy(decisions.head_correct)
    return float(np.mean(correct[mask] / counts[mask]))


# Where minority collapse begins -----------------------------------------------------


@dataclass(frozen=True, eq=False)
class MinorityProfile:
    """
    Mean cosines of the rarest classes, from the two rarest to all.

    Parameters
    ----------
    labels : ndarray of shape (K,)
        Labels, by ascending count.
    counts : ndarray of shape (K,)
        Their counts.
    cosines : ndarray of shape (K - 1,)
        Entry m is the mean cosine over pairs of the m + 2 rarest classes, or NaN if one
        of their vectors is zero.
    begins : float
        Largest count at which classes have merged with all rarer ones: that of the last
        entry of `cosines` at or above the threshold. NaN if there is none.
    """

    labels: np.ndarray
    counts: np.ndarray
    cosines: np.ndarray
    begins: float


@documented(by.references(by.FANG))
def minority_profile(
    statistics: AnyStatistics,
    head: LinearHead | None = None,
    *,
    convention: str | Convention = "default",
    threshold: float = 0.9,
) -> MinorityProfile:
    """
    Return the mean cosine of the m rarest classes, for every m.

    It shows up to which count class means, or rows of a head, have merged.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features.
    head : LinearHead, optional
        Use its rows, uncentered, instead of the centered class means.
    convention : str or Convention, default="default"
        Its center.
    threshold : float, default=0.9
        Mean cosine from which classes count as merged, in (-1, 1].

    Returns
    -------
    MinorityProfile
        Labels, counts, cosines, and where minority collapse begins.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, or the threshold is out of range.

    See Also
    --------
    imb_minority_cosine : The value for one split into minority and majority.

    Notes
    -----
    Classes with equal counts are ordered by label. All K - 1 means are computed from
    running sums of directions, in O(K D).

    Examples
    --------
    The rows of the two rare classes have merged:

    >>> import numpy as np
    >>> from sknc import ClassStatistics, LinearHead
    >>> from sknc.metrics import minority_profile
    >>> y = np.repeat([0, 1, 2], [9, 2, 3])
    >>> statistics = ClassStatistics.from_samples(np.eye(3, 2)[y], y)
    >>> head = LinearHead(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), None)
    >>> profile = minority_profile(statistics, head)
    >>> profile.cosines, profile.begins
    (array([1.        , 0.33333333]), 3.0)
    """
    check_arguments({"statistics": statistics, "convention": convention})
    check_number("threshold", threshold, "in (-1, 1]", lambda t: -1 < t <= 1)
    if head is not None:
        check_arguments({"statistics": statistics, "head": head})
    means = centered_means(statistics, Convention.preset(convention))
    rows = to_numpy(means if head is None else head.weights)
    counts = class_counts(statistics)
    order = np.argsort(counts, kind="stable")
    cosines = _running_mean_cosines(rows[order])
    merged = np.flatnonzero(cosines >= threshold)
    begins = float(counts[order][merged[-1] + 1]) if len(merged) else math.nan
    return MinorityProfile(
        statistics.centers.classes[order], counts[order], cosines, begins
    )


def _running_mean_cosines(rows: np.ndarray) -> np.ndarray:
    """Return the mean cosine over pairs of the first two rows, three, and so on."""
    with np.errstate(invalid="ignore"):  # a zero row has no direction
        unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    sizes = np.arange(1, len(unit) + 1)
    squares = np.sum(np.cumsum(unit, axis=0) ** 2, axis=1)
    cosines: np.ndarray = (squares - sizes)[1:] / (sizes * (sizes - 1))[1:]
    return np.asarray(np.clip(cosines, -1, 1))
