"""Class means and head of a fitted estimator, on the host."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.parameters import shown
from sknc.convention import Convention
from sknc.estimators._inputs.heads import check_head
from sknc.metrics._shared.geometry import centered_means
from sknc.statistics.class_statistics import ClassStatistics


@dataclass(frozen=True, eq=False)
class FittedFrames:
    """The vectors of the classes that have samples, NumPy arrays in float64."""

    classes: np.ndarray
    class_means: np.ndarray
    centered: np.ndarray  # less the convention's global mean
    head: np.ndarray | None
    n_without: int  # classes without samples, which are left out


def frames_of(estimator: Any, caller: str) -> FittedFrames:
    """Read the vectors of a fitted estimator for the method `caller`."""
    if not hasattr(type(estimator), "statistics_"):
        msg = (
            f"{caller} expected a fitted NeuralCollapseAnalyzer, got "
            f"{shown(estimator)}."
        )
        raise TypeError(msg)
    statistics: ClassStatistics = estimator.statistics_
    seen = statistics.observed_only()
    convention = Convention.preset(getattr(estimator, "convention", "default"))
    with arrays.plain_arithmetic(statistics.moments.sums):
        head = getattr(estimator, "head", None)
        if head is not None:
            head = check_head(head, statistics.classes, statistics.moments.anchors)
            head = arrays.to_numpy(head.weights)[statistics.observed]
        return FittedFrames(
            seen.classes,
            arrays.to_numpy(seen.class_means),
            arrays.to_numpy(centered_means(seen, convention)),
            head,
            statistics.n_classes - seen.n_classes,
        )


def check_rows(name: str, values: Any, n_rows: int | None = None) -> np.ndarray:
    """Return finite vectors, one a class, as float64, (K, D)."""
    found = np.asarray(arrays.to_numpy(values), dtype=np.float64)
    count = "n_classes" if n_rows is None else str(n_rows)
    if found.ndim != 2 or n_rows not in (None, len(found)):
        msg = (
            f"{name} must have one row a class, shape ({count}, n_features), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    if not np.isfinite(found).all():
        msg = f"{name} must be finite, got NaN or infinity. Leave those classes out."
        raise ValueError(msg)
    return found


def check_labels(classes: Any, n_classes: int) -> np.ndarray:
    """Return one label a class, by default its number."""
    found = np.arange(n_classes) if classes is None else np.asarray(classes)
    if found.shape != (n_classes,):
        msg = (
            f"classes must have one label a class, shape ({n_classes},), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    return found
