"""Why a value is NaN, in words; and notes on values that are not."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sknc._utils.arrays import Array, namespace, row_squared_norms
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import centered_means, spectrum
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics


@dataclass(frozen=True, eq=False)
class Case:
    """The arguments of a metric, in which its value is explained."""

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

    Its words follow "NaN if" and "Undefined:". `holds` returns whether it is met, as a
    boolean or as more precise words. `for_head` is the same condition for the rows of
    the head, by default this one.
    """

    words: str
    holds: Callable[[Case], Any]
    for_head: "Condition | None" = None


# Returns a note about a finite value, or None.
Caveat = Callable[[Case], str | None]


def _none_positive(norms: Array) -> bool:
    return not bool(namespace(norms).any(norms > 0))


def _some_zero(norms: Array) -> bool:
    return not bool(namespace(norms).all(norms > 0))


ZERO_WEIGHTS = Condition(
    "every row of the head's weights is zero",
    lambda case: _none_positive(case.row_norms),
)
ZERO_ROW = Condition(
    "a row of the head's weights is zero", lambda case: _some_zero(case.row_norms)
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
# Some of the vectors are zero.
NO_DIRECTION = (MEANS_COINCIDE, MEAN_AT_CENTER)


def _always(case: Case) -> bool:
    return True


def otherwise(words: str) -> Condition:
    """Return a condition that applies if no condition before it holds."""
    return Condition(words, _always)


PRODUCTS_VANISH = (
    ZERO_WEIGHTS,
    MEANS_COINCIDE,
    otherwise("all products of a row of the head and a class mean vanish"),
)
NO_RANK = Condition(
    "all class means coincide up to rounding",
    lambda case: not spectrum(case.statistics, case.convention).rank,
)
ONE_SAMPLE_EACH = Condition(
    "every class has one sample, so no variance is seen",
    lambda case: case.statistics.all_singletons,
)
# The between-class covariance has no inverse of the convention's kind.
NO_INVERSE = (
    NO_RANK,
    Condition(
        '``rank="full"`` and the class means span fewer than min(K - 1, D) directions',
        lambda case: _missing_directions(case),
    ),
)
NOTHING_LEFT = Condition(
    "nothing is left of a distance of class means after the correction for noise, or a "
    "class has one sample",
    lambda case: case.convention.bias_correction,
)
COINCIDE_WITHOUT_VARIANCE = otherwise("two classes coincide and have no variance")
NO_CDNV = (
    NOTHING_LEFT,
    Condition(
        "fewer than two classes have samples here",
        lambda case: _n_scored_classes(case.statistics) < 2,
    ),
    COINCIDE_WITHOUT_VARIANCE,
)
CLASS_WITHOUT_SAMPLES = Condition(
    "a class has no sample here", lambda case: (case.statistics.counts == 0).any()
)
NO_DIRECTIONAL_CDNV = (
    CLASS_WITHOUT_SAMPLES,
    COINCIDE_WITHOUT_VARIANCE,
)


def _missing_directions(case: Case) -> str | None:
    found = spectrum(case.statistics, case.convention)
    if found.inverts(case.convention):
        return None
    return (
        f"the class means span {found.rank} of {found.possible} possible directions, "
        'and rank="full" inverts them all. Choose a convention with rank="numerical"'
    )


def _n_scored_classes(statistics: AnyStatistics) -> int:
    return int((statistics.counts > 0).sum())


def no_simplex(case: Case) -> str | None:
    """Return a note that zero cannot be reached if no simplex fits."""
    text = _without_simplex(case)
    return text and f"{text}: zero cannot be reached."


def least_distance_from_simplex(case: Case) -> str | None:
    """Return a note on the least distance from a simplex that does not fit."""
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


SINGLE_SAMPLES = "Classes with one sample count with zero variance."


def single_samples(case: Case) -> str | None:
    """Return a note that variance is too low if a class has one sample."""
    return SINGLE_SAMPLES if has_single_samples(case.statistics) else None


def has_single_samples(statistics: AnyStatistics) -> bool:
    """
    Whether a class has one sample, whose distance to its own mean is zero.

    Never true for samples about the means of others, where distances are real.
    """
    centers = statistics.centers
    if not centers.cached("single_samples", lambda: _any_single(centers)):
        return False
    return not isinstance(statistics, HeldOutStatistics) or statistics.are_fitted


def _any_single(centers: ClassStatistics) -> bool:
    # Weights may sum to one over several samples, which do vary.
    spread = centers.class_variances > 1e-6 * centers.moments.squares
    return bool(namespace(spread).any((centers.counts == 1) & ~spread))
