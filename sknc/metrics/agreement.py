"""NC4: decisions become those of the nearest class center."""

import math

from sknc._array import Array, namespace
from sknc.decisions import Decisions


def nc4_mismatch(decisions: Decisions) -> float:
    r"""
    Share of samples on which the head and the nearest center disagree.

    .. math::
        P(\arg\max_k (w_k^\top x + b_k) \neq \arg\min_k \lVert x - \mu_k \rVert)

    Parameters
    ----------
    decisions : Decisions
        Counts of decisions, of a head and of the nearest center.

    Returns
    -------
    float
        In [0, 1]; lower is more collapsed, 0 at collapse. NaN without a head. The
        bias of the head counts. The head may choose a class that has no samples, and
        then the two disagree.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.decisions import Decisions
    >>> from sknc.metrics import nc4_mismatch
    >>> truth, nearest, chosen = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, nearest, chosen, None)
    >>> nc4_mismatch(counted)
    0.25
    """
    return _share(decisions.mismatched, decisions)


def nc4_ncc_accuracy(decisions: Decisions) -> float:
    """
    Share of samples that are nearest to the center of their own class.

    Parameters
    ----------
    decisions : Decisions
        Counts of decisions of the nearest center.

    Returns
    -------
    float
        In [0, 1]; higher is more accurate.

    References
    ----------
    .. [1] T. Galanti, A. György, M. Hutter. "On the role of neural collapse in
       transfer learning." ICLR 2022. https://arxiv.org/abs/2112.15121

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.decisions import Decisions
    >>> from sknc.metrics import nc4_ncc_accuracy
    >>> truth, nearest = np.array([[0, 0, 1, 1], [0, 0, 1, 0]])
    >>> counted = Decisions.count(np.zeros(2), truth, truth, nearest, None, None)
    >>> nc4_ncc_accuracy(counted)
    0.75
    """
    return _share(decisions.ncc_correct, decisions)


def nc4_head_accuracy(decisions: Decisions) -> float:
    """
    Share of samples that the head assigns to their own class.

    Parameters
    ----------
    decisions : Decisions
        Counts of decisions of a head.

    Returns
    -------
    float
        In [0, 1]; higher is more accurate. NaN without a head.

    See Also
    --------
    nc4_ncc_accuracy : That of the nearest class center.

    References
    ----------
    .. [1] No paper: the accuracy, to compare with `nc4_ncc_accuracy`.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc.decisions import Decisions
    >>> from sknc.metrics import nc4_head_accuracy
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
