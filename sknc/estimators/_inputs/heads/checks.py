"""Check heads against classes and features."""

from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import in_common, kind_of, shown_labels
from sknc.estimators._inputs.class_index import padding
from sknc.estimators._inputs.heads.parts import (
    Outline,
    Parts,
    classes_of_head,
    outline_of,
    parts_of,
)
from sknc.estimators._inputs.labels import check_classes, plain_labels
from sknc.head import LinearHead

TRANSPOSED = "It would fit transposed: pass weights.T."


def check_head(head: Any, classes: np.ndarray, like: Array) -> LinearHead:
    """
    Return a head in float64, with rows in the order of the sorted `classes`.

    It has the library and device of `like`, whose last axis has the number of features.
    """
    n_features = int(like.shape[-1])
    parts = parts_of(head, n_features)
    _check_outline(parts.outline, classes, n_features)
    weights, bias = parts_beside(parts, like)
    head_classes, xp = parts.classes, namespace(like)
    if _is_one_sided(weights.shape[0], classes, head_classes):
        # One row decides by its sign, as two opposite halves do.
        weights = xp.concat([-weights / 2, weights / 2])
        bias = None if bias is None else xp.concat([-bias / 2, bias / 2])
    found = LinearHead(weights, bias)
    if head_classes is None:
        return found
    return found.rows(_row_order(head_classes, classes))


def parts_beside(parts: Parts, like: Array) -> tuple[Array, Array | None]:
    """Return float64 weights, (R, D), and bias, (R,), with the device of `like`."""
    weights, bias, xp = parts.weights, parts.bias, namespace(like)
    weights = arrays.move_like(weights, like, xp.float64)
    if bias is not None:
        bias = xp.reshape(arrays.move_like(bias, like, xp.float64), (-1,))
    if weights.ndim == 1:
        weights = weights[None, :]
    if bias is not None and bias.shape[0] == 1 and weights.shape[0] > 1:
        bias = xp.broadcast_to(bias, (weights.shape[0],))
    for part, what in ((weights, "weights hold"), (bias, "bias holds")):
        if part is not None and not bool(xp.all(xp.isfinite(part))):
            msg = (
                f"The head's {what} NaN or infinity: expected finite numbers. Use the "
                "head of an epoch before training diverged, or measure without it: "
                "head=None."
            )
            raise ValueError(msg)
    return weights, bias


def default_classes(head: Any, found: np.ndarray, n_features: int) -> np.ndarray | None:
    """
    Return the classes of the rows of a head, or None if they are unknown.

    They are its ``classes_``; or 0 ... K - 1, if `found` are integers below the number
    of rows K; or `found`, if they are K other integers.
    """
    outline = outline_of(head, n_features)
    _check_outline(outline, found, n_features, complete=False)
    if outline.classes is not None:
        return in_common(check_classes(outline.classes), found)[0]
    if found.dtype.kind not in "iu":
        return None
    n_rows = max(2, outline.shape[0])
    outside = found[(found < 0) | (found >= n_rows)]
    if not len(outside):
        fits = n_rows - 1 <= np.iinfo(found.dtype).max
        return np.arange(n_rows, dtype=found.dtype if fits else np.int64)
    if len(found) == n_rows:
        return found
    msg = (
        f"y has labels {shown_labels(outside)}, but the head has {n_rows} rows: "
        f"expected labels from 0 to {n_rows - 1}, or all {n_rows} labels in the first "
        "batch. If its rows have other labels, list them all: classes=[...]. "
        f"{padding(found)}"
    )
    raise ValueError(msg.rstrip())


def n_unused_rows(head: Any, classes: np.ndarray) -> int:
    """Return how many classes of a head are not in `classes`."""
    known = classes_of_head(head)
    if known is None:
        return 0
    known, classes = in_common(plain_labels(np.asarray(known), "classes_"), classes)
    return int(np.sum(~np.isin(known, classes)))


def check_head_shape(head: Any, classes: np.ndarray, n_features: int) -> None:
    """Raise if the shape of a head does not fit, without reading its numbers."""
    _check_outline(outline_of(head, n_features), classes, n_features)


def _check_outline(
    head: Outline, classes: np.ndarray, n_features: int, *, complete: bool = True
) -> None:
    """Raise if a head does not fit; `complete` if there are no other classes."""
    shape, known = head.shape, head.classes
    n_rows = 2 if _is_one_sided(shape[0], classes, known) else shape[0]
    wanted = len(classes) if known is None else len(known)
    spare = not complete and known is None and n_rows > wanted
    if shape[1:] != (n_features,) or (n_rows != wanted and not spare):
        more = "" if complete or known is not None else " or more"
        msg = (
            f"The head has weights of shape {shape}, but there are {len(classes)} "
            f"classes of {n_features} features: expected ({wanted}{more}, "
            f"{n_features}). {_remedy_of_shape(shape, wanted, n_features, bool(more))}"
        )
        raise ValueError(msg)
    check_n_biases(head)
    if known is not None:
        _row_order(known, classes)


def check_n_biases(head: Outline) -> None:
    """Raise if a head has neither one bias for each row nor one for all."""
    n_rows = head.shape[0]
    if head.n_biases not in (None, 1, n_rows):
        msg = (
            f"The head has a bias of {head.n_biases} entries and weights of {n_rows} "
            "rows: expected one entry per row. Pass weights and bias of the same layer."
        )
        raise ValueError(msg)


def _is_one_sided(
    n_rows: int, classes: np.ndarray, head_classes: np.ndarray | None
) -> bool:
    """Whether the head is binary: one row of weights, positive for the second class."""
    return n_rows == 1 and len(classes if head_classes is None else head_classes) == 2


def _remedy_of_shape(
    shape: tuple[int, ...], n_rows: int, n_features: int, more: bool
) -> str:
    if shape == (n_features, n_rows) or (
        more and len(shape) == 2 and shape[0] == n_features and shape[1] > n_rows
    ):
        return TRANSPOSED
    if shape[1:] != (n_features,):
        return "Pass the layer that reads these features."
    if shape[0] < n_rows:
        return "Pass the layer that separates these classes, with a row for each."
    return (
        "If some of its classes have no samples, list all classes in classes= of fit, "
        "fit_batches or the first partial_fit; else pass the layer of these classes."
    )


def _row_order(head_classes: Any, classes: np.ndarray) -> np.ndarray:
    """Return the head's row for each of `classes`."""
    labels, rows = plain_labels(np.asarray(head_classes), "classes_"), None
    missing = classes
    if kind_of(labels) == kind_of(classes):
        labels, classes = in_common(labels, classes)
        order = np.argsort(labels)
        position = np.searchsorted(labels[order], classes)
        rows = order[np.minimum(position, len(labels) - 1)]
        missing = classes[labels[rows] != classes]
    if rows is None or len(missing):
        msg = (
            f"The head does not know the classes {shown_labels(missing)}: expected the "
            f"labels it was fitted on, such as {shown_labels(labels)}."
        )
        raise ValueError(msg)
    return rows
