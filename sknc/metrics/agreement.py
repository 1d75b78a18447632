"""NC4: the head decides like the nearest class center."""

import math

from sknc._utils.arrays import Array, namespace
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.define import metric
from sknc.statistics.decisions import Decisions

_NO_PAPER = by.Source(
    "no paper: accuracy", "No paper: the accuracy, to compare with `nc4_ncc_accuracy`."
)


@metric(
    "NC4",
    needs=("head_decisions",),
    essential=True,
    headline=True,
    sources=(by.PAPYAN,),
    interval="[0, 1]",
    unit="A share",
    unchanged_by="",
)
def nc4_mismatch(decisions: Decisions) -> float:
    r"""
    Fraction of samples on which the head and the nearest center disagree.

    .. math::
        P(\arg\max_k (w_k^\top x + b_k) \neq \arg\min_k \lVert x - \mu_k \rVert)

    Notes
    -----
    The bias of the head is included. If the head chooses a class without samples, the
    two disagree.

    Examples
    --------
    >>> truth, nearest, chosen = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, nearest, chosen, None)
    >>> nc4_mismatch(counted)
    0.25
    """
    return _share(decisions.mismatched, decisions)


@metric(
    "NC4",
    lower_is_collapsed=None,
    ideal=None,
    headline=True,
    sources=(by.GALANTI,),
    interval="[0, 1]; higher is more accurate",
    unit="A share",
    unchanged_by="",
)
def nc4_ncc_accuracy(decisions: Decisions) -> float:
    r"""
    Fraction of samples that are nearest to the center of their own class.

    .. math::
        P(\arg\min_k \lVert x - \mu_k \rVert = y)

    Examples
    --------
    >>> truth, nearest = np.array([[0, 0, 1, 1], [0, 0, 1, 0]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, nearest, None, None)
    >>> nc4_ncc_accuracy(counted)
    0.75
    """
    return _share(decisions.ncc_correct, decisions)


@metric(
    "NC4",
    needs=("head_decisions",),
    lower_is_collapsed=None,
    ideal=None,
    headline=True,
    sources=(_NO_PAPER,),
    interval="[0, 1]; higher is more accurate",
    unit="A share",
    unchanged_by="",
)
def nc4_head_accuracy(decisions: Decisions) -> float:
    r"""
    Fraction of samples that the head assigns to their own class.

    .. math::
        P(\arg\max_k (w_k^\top x + b_k) = y)

    See Also
    --------
    nc4_ncc_accuracy : The accuracy of the nearest class center.

    Examples
    --------
    >>> truth, nearest, chosen = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, nearest, chosen, None)
    >>> nc4_head_accuracy(counted)
    0.75
    """
    return _share(decisions.head_correct, decisions)


def _share(part: Array | None, decisions: Decisions) -> float:
    if part is None:
        return math.nan
    xp = namespace(part)
    return float(xp.sum(part) / xp.sum(decisions.counts))
