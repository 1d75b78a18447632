"""Map labels to class indices, with classes that may appear at any time."""

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
    Sorted labels, and the row of the accumulator for each.

    Rows are assigned in the order in which classes appear, so a new class does not move
    any other.
    """

    labels: np.ndarray  # (K,), sorted
    rows: np.ndarray  # (K,), a permutation of 0 ... K - 1
    fixed: bool = False  # whether other labels are an error
    # Whether the classes are those of a fit, about whose centers others are measured.
    of_centers: bool = False

    @classmethod
    def of(cls, labels: np.ndarray, *, fixed: bool = False) -> "ClassIndex":
        """Index sorted unique labels in their order."""
        return cls(labels, np.arange(len(labels)), fixed)

    @classmethod
    def of_fitted(cls, labels: np.ndarray) -> "ClassIndex":
        """Index the classes of a fit; samples of other classes raise an error."""
        return cls(labels, np.arange(len(labels)), fixed=True, of_centers=True)

    def including(self, y: Array) -> "ClassIndex":
        """Return an index that includes the labels in `y`."""
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
        Return the row of each label, on the device of `like`, and an unknown flag.

        Rows of unknown labels are arbitrary; the flag may be a 0-d tensor.
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
        """Return labels, in a dtype wide enough for comparisons with `y`, and rows."""
        if isinstance(y, np.ndarray):
            return self.labels, self.rows
        return self.cached(("tensors", str(y.device)), lambda: self._as_tensors(y))

    def known_rows(self, y: Array, like: Array) -> Array:
        """Return the row of each label, as `encode` does; raise if one is unknown."""
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
        """Whether labels are consecutive integers."""
        labels = self.labels
        return (
            labels.dtype.kind in "iu"
            and len(labels) > 0
            and int(labels[-1]) - int(labels[0]) == len(labels) - 1
            and not self._beyond_int64
        )

    @cached_property
    def _in_order(self) -> bool:
        """Whether each row is its label's position."""
        return np.array_equal(self.rows, np.arange(len(self.rows)))

    def _has_range_of(self, y: Array) -> bool:
        """Whether consecutive labels include all of `y`, checked without sorting."""
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
                f"y has labels {unknown} without fitted samples: expected only the "
                f"{known}. Drop these rows, or fit samples of every class; in "
                "cross-validation, use cv=StratifiedKFold()."
            )
        return ValueError(
            f"y has labels {unknown} that are not among the {known} given by classes= "
            "or by the head. List every class in classes=."
        )

    def check_kind(self, y: np.ndarray) -> None:
        """Raise if strings are mixed with numbers, and so on."""
        known, found = kind_of(self.labels), kind_of(y)
        if known != found:
            msg = (
                f"y has {found}s, but the classes so far are {known}s "
                f"{shown_labels(self.labels)}: expected labels of the same kind."
            )
            raise ValueError(msg)


def distinct_labels(y: Array) -> np.ndarray:
    """Return the sorted unique labels of a checked batch."""
    found = namespace(y).unique_values(y) if arrays.is_tensor(y) else y
    return np.unique(arrays.to_numpy(found))


def padding(labels: np.ndarray) -> str:
    """
    Return a hint about negative labels, which are often padding, or "".

    Two classes may be -1 and 1.
    """
    if labels.dtype.kind != "i" or labels[0] >= 0 or labels.tolist() == [-1, 1]:
        return ""
    return (
        f"The label {labels[0]} is negative. It is often padding (ignore_index), but "
        "here it is a class with a row of the head. To drop these samples: keep = y != "
        f"{labels[0]}, then X[keep], y[keep]."
    )


def sorted_as_text(labels: np.ndarray) -> str:
    """Return a hint about numbers that are sorted as text, or ""."""
    if labels.dtype.kind not in "US":
        return ""
    texts = labels.astype(str).tolist()
    if not all(text.removeprefix("-").isdecimal() for text in texts):
        return ""
    if sorted(texts, key=int) == texts:
        return ""
    return (
        f"The labels are numbers as text, sorted as text: {shown_labels(labels)}. The "
        "rows of the head must have this order. If they have the order of the numbers, "
        "pass integers: y.astype(int)."
    )
