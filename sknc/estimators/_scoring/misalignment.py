"""Detect labels that probably do not match the order of the head's rows."""

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import shown_labels
from sknc.estimators._inputs.class_index import padding, sorted_as_text
from sknc.estimators._scoring.head_rule import head_rule
from sknc.head import LinearHead
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.nearest_center import nearest_center_rule

# Probability of a note for a head whose weights are unrelated to the class means.
_LOG_CHANCE = math.log(1e-6)
_SHARE_RIGHT = 0.9
# Classes whose row is more parallel to their mean than this are not checked. Of the
# others only the worst are, which bounds time and memory.
_PARALLEL = 0.5
_MOST_CLASSES = 1000
_TILE_ELEMENTS = 1 << 21


def misalignment_note(
    statistics: ClassStatistics, head: LinearHead, *, names_classes: bool
) -> str:
    """
    Return a note if rows of the head seem to belong to other classes, or None.

    `names_classes` if the head has ``classes_``, which determine the order of its rows.
    """
    labels = statistics.classes
    texts = [] if names_classes else [padding(labels), sorted_as_text(labels)]
    texts.append(_order_note(statistics, head, names_classes))
    return " ".join(text for text in texts if text)


def _order_note(
    statistics: ClassStatistics, head: LinearHead, names_classes: bool
) -> str:
    classes, rows = better_rows(statistics, head)
    if not len(classes):
        return ""
    first, other = (
        shown_labels(statistics.classes[[i]])[1:-1] for i in (classes[0], rows[0])
    )
    remedy = (
        "Pass the labels with which the head was fitted."
        if names_classes
        else "Row k of the head must belong to the k-th of the sorted labels: pass the "
        "labels with which the model was trained, list all classes in classes=, "
        "or pass a head with classes_."
    )
    return (
        f"The head assigns the means of {len(classes)} classes to other classes, and "
        "would assign them correctly with its rows in another order, for example with "
        f"the row of class {other} for class {first}. Its rows and the labels probably "
        f"do not match. {remedy}"
    )


def better_rows(
    statistics: ClassStatistics, head: LinearHead
) -> tuple[np.ndarray, np.ndarray]:
    """
    Find classes whose means fit rows of other classes too well for chance.

    For the classes whose mean the head assigns to another class, an assignment problem
    finds the rows that are most parallel to the means. The classes and these rows are
    returned if the head decides for them, and if the probability that random weights,
    alone or added to those of an aligned head, would fit as well in any order is less
    than about 1e-6.
    """
    none = statistics.observed[:0], statistics.observed[:0]
    if len(statistics.observed) < 2:
        return none
    classes, means = _suspects(statistics, head)
    if not len(classes):
        return none
    chosen = _chosen(statistics, head, classes)
    wrong = chosen != classes
    classes, chosen, means = classes[wrong], chosen[wrong], _units(means[wrong])
    candidates = _free_rows(statistics, head, classes, chosen)
    mean_row = arrays.to_numpy(namespace(head.weights).mean(head.weights, axis=0))
    weights = _units(_host_rows(head.weights, candidates) - mean_row)
    picked = linear_sum_assignment(means @ weights.T, maximize=True)[1]
    rows = candidates[picked]
    moved = rows != classes
    if not moved.any() or np.mean((rows == chosen)[moved]) < _SHARE_RIGHT:
        return none
    own, picked = np.searchsorted(candidates, classes)[moved], picked[moved]
    chance = _log_chance(means[moved], weights, own, picked)
    n_classes, n_rows = len(statistics.observed), int(head.weights.shape[0])
    if not chance + _log_orders(n_classes, n_rows, own, picked) < _LOG_CHANCE:
        return none
    return classes[moved], rows[moved]


def _suspects(
    statistics: ClassStatistics, head: LinearHead
) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes least parallel to their row, and their centered means."""
    seen = statistics.observed_only()
    xp = namespace(head.weights)
    means = seen.centered_means(xp.ones_like(seen.counts) / seen.n_classes)
    mean_row = xp.mean(head.weights, axis=0)
    cosines = []
    for tile in arrays.tiles(seen.n_classes, max(1, _TILE_ELEMENTS // seen.n_features)):
        rows = arrays.take_rows(head.weights, statistics.observed[tile]) - mean_row
        cosines.append(arrays.to_numpy(_row_cosines(rows, means[tile, :])))
    cosine = np.concatenate(cosines)
    worst = np.argsort(cosine, kind="stable")[:_MOST_CLASSES]
    places = np.sort(worst[cosine[worst] < _PARALLEL])
    return statistics.observed[places], _host_rows(means, places)


def _free_rows(
    statistics: ClassStatistics,
    head: LinearHead,
    classes: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """Return rows of `classes` and chosen rows, except those right for others."""
    others = np.intersect1d(np.setdiff1d(chosen, classes), statistics.observed)
    if len(others):
        right = others[_chosen(statistics, head, others) == others]
        chosen = np.setdiff1d(chosen, right)
    return np.union1d(classes, chosen)


def _row_cosines(left: Array, right: Array) -> Array:
    """Return the cosine of matching rows; 0 for zeros, 1 where lengths overflow."""
    xp = namespace(left)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = xp.sqrt(arrays.row_squared_norms(left))
        lengths = lengths * xp.sqrt(arrays.row_squared_norms(right))
        cosines = arrays.row_products(left, right)
        cosines = cosines / xp.where(lengths > 0, lengths, 1.0)
    return xp.where(xp.isfinite(lengths), cosines, 1.0)


def _host_rows(values: Array, rows: np.ndarray) -> np.ndarray:
    return arrays.to_numpy(arrays.take_rows(values, rows))


def _chosen(
    statistics: ClassStatistics, head: LinearHead, classes: np.ndarray
) -> np.ndarray:
    """Return the row that the head chooses at the mean of each class."""
    part = replace(
        statistics,
        classes=statistics.classes[classes],
        moments=statistics.moments.take(classes),
    )
    rule = head_rule(head, nearest_center_rule(part))
    return arrays.to_numpy(rule.decide(part.class_means))


def _units(vectors: np.ndarray) -> np.ndarray:
    """Return the rows at unit length; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1.0)


def _log_chance(
    means: np.ndarray, weights: np.ndarray, own: np.ndarray, picked: np.ndarray
) -> float:
    """
    Bound the probability that random rows gain as much by a change of order.

    The gain is the inner product of the rows with `change`, which sums to zero. A
    random direction in n dimensions has a cosine above c with a probability below ``(1
    - c^2)^((n - 1) / 2)``.
    """
    change = np.zeros_like(weights)
    np.add.at(change, picked, means)
    np.subtract.at(change, own, means)
    involved = np.union1d(own, picked)
    weights = weights[involved] - weights[involved].mean(axis=0)
    scale = np.linalg.norm(weights) * np.linalg.norm(change)
    cosine = np.clip(np.sum(weights * change[involved]) / scale, 0, 1)
    n_dimensions = (len(involved) - 1) * weights.shape[1]
    rest = max(1 - float(cosine) ** 2, np.finfo(float).tiny)
    return float((n_dimensions - 1) / 2 * math.log(rest))


def _log_orders(
    n_classes: int, n_rows: int, own: np.ndarray, picked: np.ndarray
) -> float:
    """Return the logarithm of the number of ways to give classes other rows."""
    n_moved = len(own)
    orders = math.lgamma(n_rows + 1) - math.lgamma(n_rows - n_moved + 1)
    if set(own) == set(picked):
        return orders
    which = math.lgamma(n_classes + 1) - math.lgamma(n_classes - n_moved + 1)
    return orders + which - math.lgamma(n_moved + 1)
