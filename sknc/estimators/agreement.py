"""Compare the decisions of a head with those of the nearest center."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse


@dataclass(frozen=True, eq=False)
class AgreementReport:
    """
    How often a linear head and the nearest class center agree.

    Parameters
    ----------
    rate : float
        Share of samples on which they agree, in [0, 1]; higher is more collapsed.
    mismatch : float
        One minus the rate: ``nc4_mismatch``.
    classes : ndarray of shape (K,)
        Class labels.
    per_class : ndarray of shape (K,)
        Rate by true class if labels were given, else by the head's decision; NaN for a
        class without samples.
    contingency : scipy.sparse array of shape (K, K)
        Number of samples by decision of the head (row) and nearest center (column).
    ncc_accuracy, head_accuracy : float or None
        Share of correct decisions, if labels were given.
    """

    rate: float
    mismatch: float
    classes: np.ndarray
    per_class: np.ndarray
    contingency: Any
    ncc_accuracy: float | None = None
    head_accuracy: float | None = None

    def __str__(self) -> str:
        """Return the rates on one line."""
        text = f"agreement {self.rate:.4f}, mismatch {self.mismatch:.4f}"
        if self.ncc_accuracy is None:
            return text
        return (
            f"{text}, accuracy of nearest center {self.ncc_accuracy:.4f}, "
            f"of head {self.head_accuracy:.4f}"
        )


def compare_decisions(
    classes: np.ndarray,
    nearest: np.ndarray,
    chosen: np.ndarray,
    truth: np.ndarray | None,
) -> AgreementReport:
    """Compare the nearest center and the head on the same samples, by class indices."""
    agree = nearest == chosen
    by = chosen if truth is None else truth
    counts = np.bincount(by, minlength=len(classes))
    hits = np.bincount(by, agree, minlength=len(classes))
    shape = (len(classes), len(classes))
    ones = np.ones(len(nearest), dtype=np.int64)
    rate = float(np.mean(agree))
    return AgreementReport(
        rate=rate,
        mismatch=1 - rate,
        classes=classes,
        per_class=np.where(counts > 0, hits / np.maximum(counts, 1), np.nan),
        contingency=sparse.coo_array((ones, (chosen, nearest)), shape).tocsr(),
        ncc_accuracy=None if truth is None else float(np.mean(nearest == truth)),
        head_accuracy=None if truth is None else float(np.mean(chosen == truth)),
    )
