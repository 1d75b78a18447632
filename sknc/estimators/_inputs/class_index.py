"""From labels to class indices, with classes that may appear at any time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.cached import Cached
from sknc._utils.label_kinds import exactly, in_common, kind_of, shown_labels


@dataclass(frozen=True, eq=False)
class ClassIndex(Cached):
    """
    Sorted labels, and the row of the accumulator that each belongs to.

    Rows are handed out in the order in which classes appear, so that a new class
    moves none of the others.
    """

    labels: np.ndarray  # (K,), sorted
    rows: np.ndarray  # (K,), a permutation of 0 ... K - 1
    fixed: bool = False  # whether other labels are an error
    of_centers: bool = False  # whether of a fit, by which other samples are judged

    @classmethod
    def of(cls, labels: np.ndarray, *, fixed: bool = False) -> "ClassIndex":
        """Index sorted distinct labels in their own order."""
        return cls(labels, np.arange(len(labels)), fixed)

    @classmethod
    def of_fitted(cls, labels: np.ndarray) -> "ClassIndex":
        """Index the classes of a fit; samples of others cannot be judged by it."""
        return cls(labels, np.arange(len(labels)), fixed=True, of_centers=True)

    def including(self, y: Array) -> "ClassIndex":
        """Return an index that knows the labels in `y` too."""
        if self.fixed or self._has_range_of(y):
            return self
        found = distinct_labels(y)
        if not len(self.labels):
            return ClassIndex.of(found)
        self.check_kind(found)
        known, found = in_common(self.labels, found)
        new = np.setdiff1d(found, known)
        if not len(new):
            return self
        labels = np.concatenate([known, new])
        rows = np.concatenate([self.rows, len(self.rows) + np.arange(len(new))])
        order = np.argsort(labels, kind="stable")
        return ClassIndex(labels[order], rows[order])

    def encode(self, y: Array, like: Array) -> tuple[Array, Any]:
        """
        Return the row of each label beside `like`, and whether one is unknown.

        Rows are arbitrary where the label is unknown; the flag may be a 0-d tensor.
        """
        if arrays.is_tensor(y) and arrays.is_tensor(like) and not self._beyond_int64:
            self.check_kind(np.empty(0))
            y = y.to(like.device)
            if self._consecutive:
                return self._encode_consecutive(y)
            labels, rows = self._beside(y)
            xp = namespace(y)
            y = xp.astype(y, labels.dtype)
            place = xp.searchsorted(labels, y)
            place = xp.clip(place, 0, len(self.labels) - 1)
            return rows[place], xp.any(labels[place] != y)
        y = arrays.to_numpy(y)
        self.check_kind(y)
        if self._consecutive and y.dtype.kind in "iu" and y.dtype != np.uint64:
            index, unknown = self._encode_consecutive(y)
            return arrays.move_like(index, like, namespace(like).int64), bool(unknown)
        labels, y = in_common(self.labels, y)
        place = np.minimum(np.searchsorted(labels, y), len(labels) - 1)
        unknown = bool(np.any(labels[place] != y))
        index = arrays.move_like(self.rows[place], like, namespace(like).int64)
        return index, unknown

    def _beside(self, y: Array) -> tuple[Array, Array]:
        """Return labels, wide enough for any label they are compared to, and rows."""
        if isinstance(y, np.ndarray):
            return self.labels, self.rows
        return self.cached(("tensors", str(y.device)), lambda: self._as_tensors(y))

    def known_rows(self, y: Array, like: Array) -> Array:
        """Return the row of each label beside `like`, or raise if one is unknown."""
        rows, unknown = self.encode(y, like)
        if unknown:
            raise self.unknown_label(y)
        return rows

    def _as_tensors(self, like: Array) -> tuple[Array, Array]:
        whole = exactly(self.labels, np.int64)
        labels = arrays.move_like(self.labels if whole is None else whole, like)
        return labels, arrays.move_like(self.rows, like)

    @property
    def _beyond_int64(self) -> bool:
        """Whether a label is too large for tensors."""
        return self.labels.dtype == np.uint64 and int(self.labels[-1]) >= 2**63

    @cached_property
    def _consecutive(self) -> bool:
        """Whether labels are integers without gaps."""
        labels = self.labels
        return (
            labels.dtype.kind in "iu"
            and len(labels) > 0
            and int(labels[-1]) - int(labels[0]) == len(labels) - 1
            and not self._beyond_int64
        )

    @cached_property
    def _in_order(self) -> bool:
        """Whether each row is its label's place."""
        return np.array_equal(self.rows, np.arange(len(self.rows)))

    def _has_range_of(self, y: Array) -> bool:
        """Whether labels without gaps hold all of `y`, told without sorting it."""
        if not isinstance(y, np.ndarray) or y.dtype.kind not in "iu":
            return False
        if not y.size or not self._consecutive:
            return False
        least, greatest = int(self.labels[0]), int(self.labels[-1])
        return least <= int(y.min()) and int(y.max()) <= greatest

    def _encode_consecutive(self, y: Array) -> tuple[Array, Any]:
        """Encode by subtraction, without a search."""
        xp = namespace(y)
        index = xp.astype(y, xp.int64) - int(self.labels[0])
        outside = (index < 0) | (index >= len(self.labels))
        index = xp.where(outside, 0 * index, index)
        if not self._in_order:
            index = xp.take(self._beside(y)[1], index)
        return index, xp.any(outside)

    def unknown_label(self, y: Array) -> ValueError:
        """Return the error for labels that are not among the classes."""
        found, labels = in_common(arrays.to_numpy(y), self.labels)
        unknown = shown_labels(np.setdiff1d(found, labels))
        known = f"{len(self.labels)} classes {shown_labels(self.labels)}"
        if self.of_centers:
            return ValueError(
                f"y holds labels {unknown} of which no sample was fitted: expected "
                f"only the {known}. Drop these rows, or fit samples of every class; in "
                "cross-validation with cv=StratifiedKFold()."
            )
        return ValueError(
            f"y holds labels {unknown} that are not among the {known} named by "
            "classes= or by the head: expected only those. Name every class with "
            "classes=."
        )

    def check_kind(self, y: np.ndarray) -> None:
        """Refuse strings for numbers, numbers for strings, and so on."""
        known, found = kind_of(self.labels), kind_of(y)
        if known != found:
            msg = (
                f"y holds {found}s where the classes so far are {known}s "
                f"{shown_labels(self.labels)}: expected labels of the same kind."
            )
            raise ValueError(msg)


def distinct_labels(y: Array) -> np.ndarray:
    """Return the sorted distinct labels of a checked batch."""
    found = namespace(y).unique_values(y) if arrays.is_tensor(y) else y
    return np.unique(arrays.to_numpy(found))


def padding(labels: np.ndarray) -> str:
    """
    Return what to do about negative labels, most often padding; else nothing.

    Of two classes, -1 and 1 are usual names.
    """
    if labels.dtype.kind != "i" or labels[0] >= 0 or labels.tolist() == [-1, 1]:
        return ""
    return (
        f"The label {labels[0]} is negative, most often padding (ignore_index), which "
        "is a class here and takes a row of the head. Drop these samples: "
        f"keep = y != {labels[0]}, then X[keep], y[keep]."
    )


def sorted_as_text(labels: np.ndarray) -> str:
    """Return what to do about numbers in the order of their text; else nothing."""
    if labels.dtype.kind not in "US":
        return ""
    texts = labels.astype(str).tolist()
    if not all(text.removeprefix("-").isdecimal() for text in texts):
        return ""
    if sorted(texts, key=int) == texts:
        return ""
    return (
        "The labels are numbers as text, in the order of text: "
        f"{shown_labels(labels)}. "
        "The head's rows are taken in this order; if they are in the order of the "
        "numbers, pass integers: y.astype(int)."
    )
