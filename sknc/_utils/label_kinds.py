"""Kinds of labels, and label arrays that compare exactly."""

from functools import reduce
from typing import Any

import numpy as np

from sknc._utils.parameters import shown

_KINDS = {"U": "string", "S": "string", "M": "date", "m": "duration"}

_ATTOSECONDS = {
    "W": 604_800 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3_600 * 10**18,
    "m": 60 * 10**18,
    "s": 10**18,
    "ms": 10**15,
    "us": 10**12,
    "ns": 10**9,
    "ps": 10**6,
    "fs": 10**3,
}


def kind_of(labels: np.ndarray) -> str:
    """Return the kind of labels: "number", "string", "date" or "duration"."""
    return _KINDS.get(labels.dtype.kind, "number")


def in_common(*arrays: np.ndarray) -> list[np.ndarray]:
    """
    Return labels of one kind, in dtypes that NumPy compares exactly.

    NumPy compares unsigned with signed integers, and integers with floats, in float64,
    which cannot distinguish all integers above 2^53. Raises if no exact dtype exists.
    """
    filled = [labels for labels in arrays if labels.size]
    if len(filled) < len(arrays):  # an empty array has no kind
        arrays = tuple(a if a.size or not filled else filled[0][:0] for a in arrays)
    kinds = {labels.dtype.kind for labels in filled}
    if not kinds <= set("biuf") or kinds <= {"f"}:
        return list(arrays)
    if np.result_type(*filled).kind != "f":
        return list(arrays)
    for dtype in (np.int64, np.uint64, np.float64):
        found = [exactly(labels, dtype) for labels in arrays]
        converted = [labels for labels in found if labels is not None]
        if len(converted) == len(arrays):
            return converted
    msg = (
        f"Labels such as {shown_labels(filled[0], 2)} and {shown_labels(filled[1], 2)} "
        "cannot be told apart: expected integers below 2^63, or below 2^53 beside "
        "fractions. Convert all of them to strings: y.astype(str)."
    )
    raise ValueError(msg)


def exactly(labels: np.ndarray, dtype: type) -> np.ndarray | None:
    """Return numbers in another 64-bit dtype, or None if it cannot hold them."""
    is_float = labels.dtype.kind == "f"
    if not labels.size or labels.dtype == dtype or (is_float and dtype is np.float64):
        return labels.astype(dtype)
    if is_float and not np.all(np.isfinite(labels) & (np.floor(labels) == labels)):
        return None
    least, greatest = -(2**53), 2**53
    if dtype is not np.float64:
        least, greatest = np.iinfo(dtype).min, np.iinfo(dtype).max
    fits = least <= int(labels.min()) and int(labels.max()) <= greatest
    return labels.astype(dtype) if fits else None


def union(*arrays: np.ndarray) -> np.ndarray:
    """Return the sorted unique labels of several arrays of one kind."""
    return reduce(np.union1d, in_common(*arrays))


def label_keys(labels: np.ndarray) -> list[Any]:
    """
    Return labels as Python objects that are equal, and hash alike, if labels are.

    Dates and durations become counts of one unit, because NumPy's may be in days in one
    batch and in nanoseconds in another.
    """
    if labels.dtype.kind not in "Mm":
        return labels.tolist()  # type: ignore[no-any-return]
    unit, step = np.datetime_data(labels.dtype)
    if unit in ("Y", "M"):  # not a fixed number of days
        unit, step = ("D", 1) if labels.dtype.kind == "M" else ("M", 1)
        labels = labels.astype(f"{labels.dtype.kind}8[{unit}]")
    factor = step * _ATTOSECONDS.get(unit, 1)  # Python integers do not overflow
    return [factor * count for count in labels.astype(np.int64).tolist()]


def shown_labels(labels: np.ndarray, most: int = 6) -> str:
    """Return labels as text; for many labels the first and the last."""
    if kind_of(labels) in ("date", "duration"):
        labels = labels.astype(str)
    texts = [shown(label) for label in labels[: most + 1].tolist()]
    if len(labels) > most:
        last = shown(labels[-1:].tolist()[0])
        texts = [*texts[: max(1, most // 2)], "...", last]
    return f"[{', '.join(texts)}]"
