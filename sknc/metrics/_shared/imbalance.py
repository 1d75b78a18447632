"""Which classes are rare, and computations that imbalance metrics share."""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from sknc._utils.arrays import (
    Array,
    device_of,
    namespace,
    row_squared_norms,
    take_rows,
    to_numpy,
)
from sknc.metrics._catalogue.why_undefined import Case, Condition
from sknc.metrics._shared.geometry import check_two_classes
from sknc.metrics._shared.pairs import (
    Summary,
    pair_blocks,
    squared_distances,
    summarize_pairs,
)
from sknc.metrics._shared.rows import relative_spread, unit_product, unit_rows
from sknc.statistics.held_out import AnyStatistics

# Sums of weights, and norms, that differ by less are equal up to rounding.
_TIED = 1e-9
NO_MINORITY = Condition(
    "there are fewer than two minority classes, as for balanced data unless they are "
    "named",
    lambda case: why_no_pair(case, "minority"),
)
NO_MAJORITY = Condition(
    "there are fewer than two majority classes",
    lambda case: why_no_pair(case, "majority"),
)
NO_GROUP = Condition(
    "no two classes have the same count",
    lambda case: (
        len(np.unique(distinct_levels(class_counts(case.statistics))))
        == case.statistics.n_classes
    ),
)


def class_counts(statistics: AnyStatistics) -> np.ndarray:
    return to_numpy(statistics.centers.counts)


def distinct_levels(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value among the distinct values, from 0."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    steps = np.diff(ascending) > _TIED * np.abs(ascending[1:])
    levels = np.empty(len(values), dtype=np.int64)
    levels[order] = np.concatenate([[0], np.cumsum(steps)])
    return levels


def minority_classes(
    statistics: AnyStatistics, minority: float | Iterable[Any]
) -> np.ndarray:
    """Return which classes are minority classes, by a quantile or labels, (K,)."""
    if isinstance(minority, Real):
        return _rarest(distinct_levels(class_counts(statistics)), float(minority))
    classes = statistics.centers.classes.tolist()
    if isinstance(minority, str) or not isinstance(minority, Iterable):
        msg = f"minority must be a quantile or a list of labels, got {minority!r}."
        raise ValueError(msg)
    named = set(np.asarray(list(minority)).tolist())
    unknown = named - set(classes)
    if unknown:
        msg = (
            f"minority names {sorted(unknown)}, which are not classes with samples: "
            f"expected some of {classes[:10]}{' and others' * (len(classes) > 10)}."
        )
        raise ValueError(msg)
    return np.array([label in named for label in classes])


def why_no_pair(case: Case, side: str) -> str | None:
    """Return why one side has no pair of classes, and what to do about it."""
    few = minority_classes(case.statistics, case.convention.minority)
    if not few.any():
        return (
            "all counts are equal, so there is no minority class. Name some: "
            "convention=Convention(minority=[label, ...])"
        )
    mask = few if side == "minority" else ~few
    labels = case.statistics.centers.classes[mask].tolist()
    if len(labels) > 1:
        return None
    found = f"has one class, {labels}," if labels else "has no class"
    return (
        f"the {side} {found} and so no pair. Choose another split: "
        "convention=Convention(minority=...), a quantile or labels"
    )


def _rarest(levels: np.ndarray, quantile: float) -> np.ndarray:
    if not 0 < quantile < 1:
        msg = f"minority must be a quantile in (0, 1) or labels, got {quantile!r}."
        raise ValueError(msg)
    # Rounding of q K must not add a class: 0.7 * 10 is above 7.
    position = math.ceil(quantile * len(levels) - _TIED) - 1
    most = np.sort(levels)[max(position, 0)]
    rare: np.ndarray = (levels <= most) & (levels < levels.max())
    return rare


def rows_where(rows: Array, mask: np.ndarray) -> Array:
    return take_rows(rows, np.flatnonzero(mask))


def mean_cosine(rows: Array) -> float:
    """Return the mean cosine over pairs of rows; NaN without a pair."""
    n_rows = int(rows.shape[0])
    if n_rows < 2:
        return math.nan
    xp = namespace(rows)
    total = xp.sum(unit_rows(rows), axis=0)
    mean = (float(total @ total) - n_rows) / (n_rows * (n_rows - 1))
    return min(max(mean, -1.0), 1.0)  # this order keeps NaN


def mean_distance(rows: Array, rounding: Array) -> float:
    """Return the mean distance over pairs of rows; NaN without a pair."""
    if rows.shape[0] < 2:
        return math.nan
    xp = namespace(rows)
    squared_norms = row_squared_norms(rows)
    noise = (8 * float(xp.finfo(rows.dtype).eps)) ** 2 * squared_norms + rounding**2
    found = Summary()
    for block in pair_blocks(rows):
        squares = squared_distances(block, rows, squared_norms, noise)
        found = found.merge(Summary.of(xp.sqrt(squares)))
    return found.mean


def norm_count_correlation(statistics: AnyStatistics, rows: Array) -> float:
    """Return Spearman's correlation of the norms of rows with the counts."""
    xp = namespace(rows)
    if statistics.n_classes < 3:
        return math.nan
    norms = to_numpy(xp.sqrt(row_squared_norms(rows)))
    first, second = (
        _centered_ranks(values) for values in (norms, class_counts(statistics))
    )
    squares = float(first @ first) * float(second @ second)
    if squares == 0:
        return math.nan
    return float(first @ second) / math.sqrt(squares)


def _centered_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks minus their mean; tied values share their average rank."""
    levels = distinct_levels(values)
    sizes = np.bincount(levels)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    centered: np.ndarray = ranks[levels] - (len(values) + 1) / 2
    return centered


def added_spreads(rows: Array) -> float:
    """Return the spread of norms plus the spread of cosines."""
    cosines = summarize_pairs(rows).excess
    if math.isnan(cosines.mean):
        return math.nan
    xp = namespace(rows)
    return relative_spread(xp.sqrt(row_squared_norms(rows))) + cosines.std


def seli_factors(statistics: AnyStatistics) -> tuple[Array, Array, Array]:
    """Return V (K, K), the values, and B (K, K), as columns; computed once."""
    check_two_classes(statistics)
    centers = statistics.centers

    def factors() -> tuple[Array, Array, Array]:
        xp, counts = namespace(centers.counts), centers.counts
        n_classes = centers.n_classes
        eye = xp.eye(n_classes, dtype=counts.dtype, device=device_of(counts))
        labels = (eye - 1 / n_classes) * xp.sqrt(counts)[None, :]
        left, values, right = xp.linalg.svd(labels)
        # The last value is zero up to rounding, because rows sum to zero.
        return left[:, :-1], values[:-1], right[:-1, :].T

    return centers.cached(("seli",), factors)


def gram_distance(rows: Array, factor: Array, values: Array) -> float:
    """Return the distance between two Gram matrices of unit norm."""
    difference = unit_product(rows, rows) - unit_product(factor * values, factor)
    return float(namespace(rows).linalg.matrix_norm(difference))
