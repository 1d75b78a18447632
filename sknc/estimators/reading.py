"""Data that figures and PyTorch read from estimators and heads, on the host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.parameters import shown
from sknc.convention import Convention
from sknc.estimators._inputs.class_index import ClassIndex
from sknc.estimators._inputs.heads import check_head, digest_of_head
from sknc.estimators._inputs.heads.parts import parts_of
from sknc.estimators._inputs.validation import check_batch, check_finite
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import centered_means
from sknc.statistics.class_statistics import ClassStatistics


@dataclass(frozen=True, eq=False)
class FittedFrames:
    """The vectors of the classes with samples, as float64 NumPy arrays."""

    classes: np.ndarray
    class_means: np.ndarray
    centered: np.ndarray  # minus the convention's global mean
    head: np.ndarray | None
    n_without: int  # number of classes without samples, which are skipped


def frames_of(estimator: Any, caller: str) -> FittedFrames:
    """Read the vectors of a fitted estimator, for the method `caller`."""
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


def head_digest_of(estimator: Any, n_features: int) -> str | None:
    """Return a text that differs between different heads; None without a head."""
    return digest_of_head(getattr(estimator, "head", None), n_features)


def samples_of(
    estimator: Any, X: Any, y: Any, choose: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples that `choose` selects, float64, and their labels."""
    with arrays.plain_arithmetic(X):
        batch = check_batch(estimator, X, y, reset=False)
        index = ClassIndex.of_fitted(estimator.classes_)
        rows = arrays.to_numpy(index.known_rows(batch.labels, batch.features))
        labels = estimator.classes_[rows]
        places = choose(labels)
        features = arrays.to_numpy(arrays.take_rows(batch.features, places))
    features = features.astype(np.float64)
    check_finite(features, None)
    return features, labels[places]


def linear_head_of(head: Any, n_features: int) -> LinearHead:
    """Return weights and bias unchanged, with a row for each output."""
    parts = parts_of(head, n_features)
    return LinearHead(parts.weights, parts.bias)
