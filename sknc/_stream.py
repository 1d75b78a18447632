"""A stream of checked batches on its way into class statistics."""

from typing import Any

import numpy as np

from sknc import _array
from sknc._accumulation import WAITING_BLOCKS, Accumulator
from sknc._array import Array
from sknc._label_checks import check_classes
from sknc._labels import ClassIndex
from sknc._validation import Batch, not_finite
from sknc.statistics import ClassStatistics


class Stream:
    """
    Accumulates batches with labels; a rejected batch leaves it as it was.

    Parameters
    ----------
    covariance : bool
        Whether to keep the (D, D) scatter.
    one_of_many : bool
        Whether there are other streams beside it, so that it has to save memory.
    """

    def __init__(self, *, covariance: bool, one_of_many: bool = False) -> None:
        self._covariance = covariance
        self._waiting_blocks = 1 if one_of_many else WAITING_BLOCKS
        self.index: ClassIndex | None = None
        self._accumulator: Accumulator | None = None
        self._dtype = ""
        self._statistics: ClassStatistics | None = None

    @classmethod
    def resumed(
        cls, statistics: ClassStatistics, *, covariance: bool, fixed: bool = False
    ) -> "Stream":
        """Return a stream that goes on from statistics."""
        self = cls(covariance=covariance)
        moments = statistics.moments
        if moments.scatter is not None and not covariance:
            moments = moments.without_scatter()
        self.index = ClassIndex.of(statistics.classes, fixed=fixed)
        self._accumulator = Accumulator(
            moments.anchors,
            len(statistics.classes),
            moments=moments,
            n_samples=statistics.n_samples,
        )
        self._dtype = statistics.input_dtype
        self._statistics = statistics
        return self

    @property
    def like(self) -> Array | None:
        """An array of the library and device of the stream; None before any batch."""
        return None if self._accumulator is None else self._accumulator.like

    def parts(self) -> list[ClassStatistics | None]:
        """Return the statistics in a list, as a stream of groups does."""
        return [self.statistics()]

    @property
    def fixed(self) -> bool:
        """Whether the classes were named."""
        return self.index is not None and self.index.fixed

    def update(self, batch: Batch, classes: Any = None) -> None:
        """Add a batch, or raise and change nothing."""
        index = self.known_classes(classes).including(batch.labels)
        accumulator = self._place(batch.features, len(index.labels))
        accumulator.grow(len(index.labels))
        self._statistics = None
        add_batch(accumulator, index, batch)
        dtype = _array.dtype_name(batch.features)
        if self._dtype:
            dtype = _array.common_dtype_name(self._dtype, dtype)
        self.index, self._accumulator, self._dtype = index, accumulator, dtype

    def known_classes(self, classes: Any) -> ClassIndex:
        """Return the index of the classes so far, or of those named first."""
        if classes is None:
            return self.index or ClassIndex.of(np.empty(0))
        if isinstance(classes, np.ndarray) and self.index is not None:
            held = self.index.labels
            if held.dtype == classes.dtype and np.array_equal(held, classes):
                return self.index  # as on most calls; a check would sort them
        labels = check_classes(classes)
        if self.index is None:
            return ClassIndex.of(labels, fixed=True)
        if not np.array_equal(self.index.labels, labels):
            msg = (
                f"classes={labels.tolist()[:10]} is not the same as on the last "
                f"call to partial_fit: expected the classes "
                f"{self.index.labels.tolist()[:10]}, or no classes=."
            )
            raise ValueError(msg)
        return self.index

    def _place(self, features: Array, n_classes: int) -> Accumulator:
        """Return the accumulator, after checking that it lies beside the features."""
        held = self._accumulator
        if held is None:
            return self._new_accumulator(features, n_classes)
        check_same_place(features, held.like, "This batch")
        return held

    def _new_accumulator(self, features: Array, n_classes: int) -> Accumulator:
        try:
            return Accumulator(
                features,
                n_classes,
                covariance=self._covariance,
                waiting_blocks=self._waiting_blocks,
            )
        except MemoryError as error:
            width = int(features.shape[1])
            msg = (
                f"The scatter of {width} features takes {8e-9 * width**2:.0f} GB, "
                "which are not there: expected fewer features, or covariance=False, "
                "which does without it."
            )
            raise MemoryError(msg if self._covariance else str(error)) from error

    def statistics(self) -> ClassStatistics:
        """Return the statistics of all batches so far."""
        if self._statistics is None:
            assert self.index is not None
            assert self._accumulator is not None
            with _array.plain_arithmetic(self._accumulator.like):
                moments = self._accumulator.moments().take(self.index.rows)
            self._statistics = ClassStatistics(
                self.index.labels, moments, self._accumulator.n_samples, self._dtype
            )
        return self._statistics


def add_batch(accumulator: Accumulator, index: ClassIndex, batch: Batch) -> Array:
    """Add a batch and return its class indices, or raise and change nothing."""
    rows, unknown = index.encode(batch.labels, batch.features)
    if unknown is True:
        raise index.unknown_label(batch.labels)
    invalid = batch.invalid if unknown is False else batch.invalid | unknown
    if not accumulator.update(batch.features, rows, batch.weights, invalid):
        if unknown:
            raise index.unknown_label(batch.labels)
        raise not_finite(batch.features)
    return rows


def check_same_place(features: Array, held: Array, what: str) -> None:
    """Refuse features of another array library or device than the statistics."""
    if _array.same_place(features, held):
        return
    msg = (
        f"{what} is {_array.describe(features)}, but the statistics are "
        f"{_array.describe(held)}: all inputs must use the same namespace and device. "
        f"Convert it first, for example with {_remedy(held)}."
    )
    raise ValueError(msg)


def _remedy(held: Array) -> str:
    if isinstance(held, np.ndarray):
        return "X.cpu().numpy()"
    if _array.is_tensor(held):
        return f"torch.as_tensor(X, device={str(held.device)!r})"
    return f"{type(held).__module__.partition('.')[0]}.asarray(X)"
