"""A stream of checked batches for class statistics."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.label_kinds import shown_labels
from sknc.estimators._inputs.class_index import ClassIndex
from sknc.estimators._inputs.labels import check_classes
from sknc.estimators._inputs.validation import Batch, not_finite
from sknc.statistics._accumulation import WAITING_BLOCKS, Accumulator, State
from sknc.statistics.class_scatters import ClassScatters
from sknc.statistics.class_statistics import ClassStatistics

# Which scatters are kept: none, their sum, or also that of each class.
Covariance: TypeAlias = bool | Literal["by_class"]


class Locked:
    """Base of objects that one thread at a time may change or read."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.RLock] = {}

    def lock(self) -> AbstractContextManager[Any]:
        """Return the lock of this process."""
        # In a forked child, the thread that holds the parent's lock does not exist.
        return self._locks.setdefault(os.getpid(), threading.RLock())


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums of a stream, and the classes of their rows."""

    index: ClassIndex  # labels, and their rows of the accumulator
    accumulator: Accumulator
    dtype: str  # name of a dtype that holds all features
    n_samples: int  # expected in the accumulator once this is valid
    # Scatters of its samples by class, if they are kept.
    scatters: ClassScatters | None = None


@dataclass(frozen=True, eq=False)
class HeldStream:
    """The state of a stream, from which another continues with the same bits."""

    index: ClassIndex  # labels, and their rows of the sums
    sums: State
    dtype: str  # name of a dtype that holds all features
    # Scatters of all its samples by class, if they are kept.
    scatters: ClassScatters | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples, including buffered ones."""
        return self.sums.n_samples

    def map(self, function: Callable[[Array], Array]) -> "HeldStream":
        """Return a state with the copies that `function` makes of every array."""
        scatters = None if self.scatters is None else self.scatters.map(function)
        return replace(self, sums=self.sums.map(function), scatters=scatters)


class Stream(Locked):
    """
    Accumulates batches with labels; a rejected batch changes nothing.

    A batch is added when the accumulator counts its samples. Other changes are prepared
    before, so that an interruption cannot separate them. Next to other streams it
    should save memory.
    """

    def __init__(self, *, covariance: Covariance, save_memory: bool = False) -> None:
        super().__init__()
        self._covariance = covariance
        self._waiting_blocks = 1 if save_memory else WAITING_BLOCKS
        self._sums: _Sums | None = None
        self._next: _Sums | None = None
        self._statistics: ClassStatistics | None = None

    @classmethod
    def resumed(
        cls, statistics: ClassStatistics, *, covariance: Covariance, fixed: bool = False
    ) -> "Stream":
        """Return a stream that continues from statistics."""
        self = cls(covariance=covariance)
        moments = statistics.moments
        if moments.scatter is not None and not covariance:
            moments = moments.without_scatter()
        self._sums = _Sums(
            ClassIndex.of(statistics.classes, fixed=fixed),
            Accumulator(State.of(moments, statistics.n_samples)),
            statistics.input_dtype,
            statistics.n_samples,
            statistics.class_scatters if covariance == "by_class" else None,
        )
        self._statistics = statistics
        return self

    @classmethod
    def of_held(
        cls, held: HeldStream, *, covariance: Covariance, save_memory: bool = False
    ) -> "Stream":
        """Return a stream that continues from another's state, bit for bit."""
        self = cls(covariance=covariance, save_memory=save_memory)
        accumulator = Accumulator(held.sums, waiting_blocks=self._waiting_blocks)
        self._sums = _Sums(
            held.index, accumulator, held.dtype, held.n_samples, held.scatters
        )
        return self

    def held(self) -> HeldStream | None:
        """Return the state, or None before the first batch; use it under lock."""
        sums = self._settled()
        if sums is None:
            return None
        return HeldStream(sums.index, sums.accumulator.state, sums.dtype, sums.scatters)

    @property
    def like(self) -> Array | None:
        """An array in the library and on the device of the stream, or None if empty."""
        held = self._settled()
        return None if held is None else held.accumulator.like

    @property
    def n_samples(self) -> int:
        """Number of samples so far."""
        held = self._settled()
        return 0 if held is None else held.n_samples

    @property
    def n_groups(self) -> int:
        """Number of groups; 0 because this stream has none."""
        return 0

    @property
    def fixed(self) -> bool:
        """Whether the classes were passed by the user."""
        held = self._settled()
        return held is not None and held.index.fixed

    def read(self) -> tuple[ClassStatistics, list[ClassStatistics | None]]:
        """Return the statistics, also as a list for its only group."""
        statistics = self.statistics()
        return statistics, [statistics]

    def update(self, batch: Batch, classes: Any = None) -> None:
        """Add a batch, or raise and change nothing."""
        with self.lock():
            held = self._settled()
            index = known_classes(None if held is None else held.index, classes)
            new = self._including(held, batch, index.including(batch.labels))
            new.accumulator.grow(len(new.index.labels))
            self._next, self._statistics = new, None
            add_batch(new.accumulator, new.index, batch)
            self._settled()

    def _including(self, held: _Sums | None, batch: Batch, index: ClassIndex) -> _Sums:
        """Return the sums after a batch is added."""
        dtype, n_rows = arrays.dtype_name(batch.features), int(batch.features.shape[0])
        if held is None:
            accumulator = self._new_accumulator(batch.features, len(index.labels))
            empty = ClassScatters() if self._covariance == "by_class" else None
            scatters = _including(empty, batch, index)
            return _Sums(index, accumulator, dtype, n_rows, scatters)
        accumulator = held.accumulator
        check_same_place(batch.features, accumulator.like, "This batch")
        dtype = arrays.common_dtype_name(held.dtype, dtype)
        scatters = _including(held.scatters, batch, index)
        return _Sums(index, accumulator, dtype, held.n_samples + n_rows, scatters)

    def _new_accumulator(self, features: Array, n_classes: int) -> Accumulator:
        try:
            covariance = bool(self._covariance)
            state = State.empty(features, n_classes, covariance=covariance)
            return Accumulator(state, waiting_blocks=self._waiting_blocks)
        except MemoryError as error:
            width = int(features.shape[1])
            msg = (
                f"The scatter of {width} features needs {8e-9 * width**2:.0f} GB, "
                "which are not available. Use fewer features, or covariance=False, "
                "which does not store the scatter."
            )
            raise MemoryError(msg if self._covariance else str(error)) from error

    def _settled(self) -> _Sums | None:
        """Return the sums, with the last batch if the accumulator has it."""
        with self.lock():
            new = self._next
            if new is not None and new.accumulator.n_samples == new.n_samples:
                self._sums = new
            self._next = None
            return self._sums

    def statistics(self) -> ClassStatistics:
        """Return the statistics of all batches so far."""
        with self.lock():
            held = self._settled()
            if self._statistics is None:
                assert held is not None
                with arrays.plain_arithmetic(held.accumulator.like):
                    moments = held.accumulator.moments().take(held.index.rows)
                self._statistics = ClassStatistics(
                    held.index.labels,
                    moments,
                    held.n_samples,
                    held.dtype,
                    held.scatters,
                )
            return self._statistics


def _including(
    scatters: ClassScatters | None, batch: Batch, index: ClassIndex
) -> ClassScatters | None:
    """Return class scatters with a batch added, if they are kept."""
    if scatters is None:
        return None
    n_classes = len(index.labels)
    return scatters.including(batch.features, batch.labels, batch.weights, n_classes)


def known_classes(held: ClassIndex | None, classes: Any) -> ClassIndex:
    """Return the index of the classes so far, or of those passed first."""
    if classes is None:
        return held or ClassIndex.of(np.empty(0))
    if isinstance(classes, np.ndarray) and held is not None:
        labels = held.labels
        if labels.dtype == classes.dtype and np.array_equal(labels, classes):
            return held  # as on most calls; a check would sort them
    labels = check_classes(classes)
    if held is None:
        return ClassIndex.of(labels, fixed=True)
    if not np.array_equal(held.labels, labels):
        msg = (
            f"classes={shown_labels(labels, 10)} is not the same as on the last "
            f"call to partial_fit: expected the classes "
            f"{shown_labels(held.labels, 10)}, or no classes=."
        )
        raise ValueError(msg)
    return held


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
    """Raise if library or device of features differ from those of the statistics."""
    if arrays.same_place(features, held):
        return
    msg = (
        f"{what} is {arrays.describe(features)}, but the statistics are "
        f"{arrays.describe(held)}: all inputs must use the same namespace and device. "
        f"Convert it first, for example with {_remedy(held)}."
    )
    raise ValueError(msg)


def _remedy(held: Array) -> str:
    if isinstance(held, np.ndarray):
        return "X.cpu().numpy()"
    if arrays.is_tensor(held):
        return f"torch.as_tensor(X, device={str(held.device)!r})"
    return f"{type(held).__module__.partition('.')[0]}.asarray(X)"
