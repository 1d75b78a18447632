"""The state of a stream as arrays in a file: sums, and buffered rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.estimators._fitting.stream import HeldStream
from sknc.estimators._inputs.class_index import ClassIndex
from sknc.statistics._accumulation import Rows, State, Totals, room_after
from sknc.statistics.class_statistics import ClassStatistics

_COLUMNS = {"values": "rows", "index": "index", "squares": "squares"}


def arrays_of_sums(held: HeldStream) -> dict[str, np.ndarray]:
    """
    Return copies of all numbers of a stream, on the host.

    These are the arrays of `ClassStatistics.to_arrays` for the rows that were added
    (class scatters are those of all rows); "order", the row of the sums for each class;
    "room", for how many classes, and a zero; and "waiting_rows", residuals of the
    buffered rows, with "waiting_index", "waiting_squares" and, if there are weights,
    "waiting_weights".
    """
    sums, index = held.sums, held.index
    moments = sums.summed_moments.take(index.rows)
    added = ClassStatistics(
        index.labels, moments, sums.n_summed, held.dtype, held.scatters
    )
    found = added.to_arrays()
    found["order"] = np.array(index.rows, np.int64)
    n_rows = min(int(sums.totals.counts.shape[0]), room_after(added.n_classes))
    found["room"] = np.array([n_rows, 0], np.int64)
    if sums.n_waiting:
        columns = dict(_COLUMNS)
        if found["counts"].dtype.kind == "f":
            columns["weights"] = "weights"
        for name, stored in columns.items():
            values = arrays.to_numpy(getattr(sums.waiting, name))
            found[f"waiting_{stored}"] = np.array(values, order="C")
    return found


def sums_of_arrays(found: Mapping[str, np.ndarray], *, fixed: bool) -> HeldStream:
    """Return the state of a stream from the arrays of `arrays_of_sums`, or raise."""
    added = ClassStatistics.from_arrays(found)
    n_classes = added.n_classes
    order = _column(found, "order", "int64", n_classes)
    if not np.array_equal(np.sort(order), np.arange(n_classes)):
        _refuse(f"'order' that is a permutation of {n_classes} classes")
    n_rows, room = _column(found, "room", "int64", 2).tolist()
    if not n_classes <= n_rows <= room_after(n_classes) or room < 0:
        _refuse(f"'room' for {n_classes} classes, got {n_rows} and {room} rows")
    moments = added.moments.take(np.argsort(order)).map_all(np.array)
    if n_rows > n_classes:
        moments = moments.grown(n_rows)
    waiting = _waiting(found, added)
    totals = Totals(**vars(moments))
    sums = State(totals, added.n_samples, waiting, waiting.n_rows)
    index = ClassIndex(added.classes, order, fixed)
    return HeldStream(index, sums, added.input_dtype, added.class_scatters)


def _waiting(found: Mapping[str, np.ndarray], added: ClassStatistics) -> Rows:
    """Return the buffered rows."""
    anchors = added.moments.anchors
    if "waiting_rows" not in found:
        return Rows.empty(anchors, 0)
    values = found["waiting_rows"]
    n_rows = len(values) if values.ndim else 0
    if values.dtype != anchors.dtype or values.shape != (n_rows, added.n_features):
        _refuse(f"'waiting_rows' like the anchors, got {values.dtype} {values.shape}")
    index = _column(found, "waiting_index", "int64", n_rows)
    squares = _column(found, "waiting_squares", "float64", n_rows)
    weights = np.ones(n_rows)
    if added.weighted:
        weights = _column(found, "waiting_weights", "float64", n_rows)
    if not np.all((index >= 0) & (index < added.n_classes)):
        _refuse(f"'waiting_index' below {added.n_classes}")
    if not np.all((weights > 0) & (weights < np.inf)):
        _refuse("'waiting_weights' above 0")
    return Rows(values, index, weights, squares)


def _column(
    found: Mapping[str, np.ndarray], name: str, dtype: str, length: int
) -> np.ndarray:
    array = found[name] if name in found else np.empty(0)
    if array.dtype != np.dtype(dtype) or array.shape != (length,):
        _refuse(f"{name!r} of {length} {dtype}, got {array.shape} of {array.dtype}")
    return array


def _refuse(expected: str, *_: Any) -> None:
    msg = f"expected {expected}"
    raise ValueError(msg)
