"""When a value is undefined or cannot reach its ideal: tests, and words for them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sknc._array import Array, namespace, row_squared_norms
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import centered_means


@dataclass(frozen=True, eq=False)
class Case:
    """
    A value, and what it was computed from.

    Parameters
    ----------
    value : float
        The metric.
    statistics : ClassStatistics or HeldOutStatistics
        Of classes that all have centers.
    head : LinearHead or None
        Rows of the same classes.
    convention : Convention
        Choices.
    """

    value: float
    statistics: AnyStatistics
    head: LinearHead | None
    convention: Convention

    @property
    def mean_norms(self) -> Array:
        """Squared norms of the centered class means, (K,)."""
        return row_squared_norms(centered_means(self.statistics, self.convention))

    @property
    def row_norms(self) -> Array:
        """Squared norms of the rows of the head, (K,)."""
        assert self.head is not None
        return row_squared_norms(self.head.weights)


@dataclass(frozen=True)
class Condition:
    """
    A condition under which a metric is undefined.

    Parameters
    ----------
    words : str
        The condition, to be read after "NaN if" and "Undefined:".
    holds : callable
        Tells whether it holds in a `Case`, by a boolean or by more exact words.
    for_head : Condition, optional
        What corresponds to it for the rows of the head; by default itself.
    """

    words: str
    holds: Callable[[Case], Any]
    for_head: "Condition | None" = None


# Returns what a reader of a finite value has to know, or None.
Caveat = Callable[[Case], str | None]


def _none_positive(norms: Array) -> bool:
    return not bool(namespace(norms).any(norms > 0))


def _some_zero(norms: Array) -> bool:
    return not bool(namespace(norms).all(norms > 0))


ZERO_WEIGHTS = Condition(
    "all weights of the head are zero", lambda case: _none_positive(case.row_norms)
)
ZERO_ROW = Condition(
    "a row of the head is zero", lambda case: _some_zero(case.row_norms)
)
MEANS_COINCIDE = Condition(
    "all class means coincide",
    lambda case: _none_positive(case.mean_norms),
    for_head=ZERO_WEIGHTS,
)
MEAN_AT_CENTER = Condition(
    "a class mean is the global mean",
    lambda case: _some_zero(case.mean_norms),
    for_head=ZERO_ROW,
)
# Some of the vectors have no direction.
NO_DIRECTION = (MEANS_COINCIDE, MEAN_AT_CENTER)


def no_simplex(case: Case) -> str | None:
    """Say that zero cannot be reached where no simplex fits."""
    text = _without_simplex(case)
    return text and f"{text}: zero cannot be reached."


def least_distance_from_simplex(case: Case) -> str | None:
    """Say how near a Gram matrix can come to that of a simplex that does not fit."""
    text = _without_simplex(case)
    if text is None:
        return None
    n_classes, n_features = case.statistics.n_classes, case.statistics.n_features
    floor = math.sqrt(2 - 2 * math.sqrt(n_features / (n_classes - 1)))
    return f"{text}: the least possible value is {floor:.6g}."


def _without_simplex(case: Case) -> str | None:
    n_classes, n_features = case.statistics.n_classes, case.statistics.n_features
    if n_classes <= n_features + 1:
        return None
    return f"{n_classes} classes have no simplex in {n_features} dimensions"
