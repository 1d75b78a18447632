"""Prior probabilities of the classes."""

from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.parameters import refuse
from sknc.statistics.class_statistics import ClassStatistics

_EXPECTED = (
    '"uniform", "empirical" or a 1-D array of finite, non-negative numbers that are '
    "not all zero"
)


def check_priors(priors: Any) -> str | np.ndarray:
    """Return "uniform", "empirical", or an array of non-negative numbers, (K,)."""
    if isinstance(priors, str) and priors in ("uniform", "empirical"):
        return priors
    try:
        values = np.asarray(arrays.to_numpy(priors), np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    weights = (values >= 0) & np.isfinite(values)
    if values.ndim != 1 or not weights.all() or not values.any():
        refuse("priors", _EXPECTED, priors)
    return values


def check_length(priors: np.ndarray, n_classes: int) -> None:
    """Check that an array of priors has one entry for each class."""
    if len(priors) != n_classes:
        msg = (
            "priors must have one entry for each class, in the order of classes_, got "
            f"{len(priors)} entries for {n_classes} classes."
        )
        raise ValueError(msg)


def class_priors(statistics: ClassStatistics, priors: Any) -> Array:
    """Return prior probabilities, float64, (K,); zero for classes without samples."""
    priors, counts = check_priors(priors), statistics.counts
    xp = namespace(counts)
    shares = counts
    if isinstance(priors, np.ndarray):
        check_length(priors, statistics.n_classes)
        shares = arrays.move_like(priors, counts, xp.float64)
    elif priors == "uniform":
        shares = xp.ones_like(counts)
    shares = xp.where(counts > 0, shares, 0.0)
    total = xp.sum(shares)
    if not float(total) > 0:
        msg = (
            "priors are zero for every class that has samples, so no class can be "
            f"predicted. Give one of {statistics.classes[statistics.observed]} a "
            "positive prior."
        )
        raise ValueError(msg)
    return shares / total
