"""A stream that assigns its rows to groups, for the jackknife."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sknc._utils import arrays
from sknc._utils.completion import Completed
from sknc._utils.label_kinds import union
from sknc._utils.merge_tree import merge_all, merge_groups
from sknc.estimators._fitting.stream import (
    Covariance,
    HeldStream,
    Locked,
    Stream,
    check_same_place,
    known_classes,
)
from sknc.estimators._inputs.class_index import ClassIndex
from sknc.estimators._inputs.validation import Batch, check_finite
from sknc.statistics.class_statistics import ClassStatistics

T = TypeVar("T")

_MOST_ROWS = 2048  # of a group, copied together
_MOST_ELEMENTS = 1 << 21


def assign_groups(
    batch: Batch, first: int, n_groups: int
) -> Iterator[tuple[int, Batch]]:
    """
    Yield (group, batch of its rows) from a finite batch.

    A row's group is a hash of its position in the stream, which starts at `first`, so
    it depends neither on batches nor on the order of the data. Rows are copied, a
    limited number at a time.
    """
    n_rows, n_features = batch.features.shape
    most = max(256, min(_MOST_ROWS, _MOST_ELEMENTS // n_features))
    for tile in arrays.tiles(n_rows, n_groups * most):
        groups = _hash(np.arange(first + tile.start, first + tile.stop)) % n_groups
        for group in range(n_groups):
            rows = tile.start + np.flatnonzero(groups == group)
            if len(rows):
                yield group, _rows_of(batch, rows)


def _hash(places: np.ndarray) -> np.ndarray:
    """Mix the bits of 64-bit numbers (the finalizer of SplitMix64)."""
    x = places.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _rows_of(batch: Batch, rows: np.ndarray) -> Batch:
    def taken(values: Any) -> Any:
        if values is None:
            return None
        if isinstance(values, np.ndarray):
            return values[rows]  # np.take would copy all of a strided array
        return arrays.take_rows(values, rows)

    return Batch(
        taken(batch.features), taken(batch.labels), taken(batch.weights), False
    )


class GroupedStream(Completed, Locked):
    """Streams of at least two groups of rows, in place of one `Stream`."""

    def __init__(self, *, covariance: Covariance, n_groups: int) -> None:
        super().__init__()
        self._streams = [
            Stream(covariance=covariance, save_memory=True) for _ in range(n_groups)
        ]
        self._index: ClassIndex | None = None
        self._statistics: ClassStatistics | None = None

    @classmethod
    def resumed(
        cls,
        parts: Sequence[ClassStatistics | None],
        *,
        covariance: Covariance,
        fixed: bool,
    ) -> "GroupedStream":
        """Return a stream that continues from the statistics of its groups."""
        self = cls(covariance=covariance, n_groups=len(parts))
        held = [part for part in parts if part is not None]
        self._streams = [
            Stream(covariance=covariance, save_memory=True)
            if part is None
            else Stream.resumed(part, covariance=covariance, fixed=fixed)
            for part in parts
        ]
        labels = union(*(part.classes for part in held))
        self._index = ClassIndex.of(labels, fixed=fixed)
        return self

    @classmethod
    def of_held(
        cls, groups: Sequence[HeldStream | None], *, covariance: Covariance
    ) -> "GroupedStream":
        """Return a stream that continues from the groups' stored states."""
        self = cls(covariance=covariance, n_groups=len(groups))
        self._streams = [
            Stream(covariance=covariance, save_memory=True)
            if group is None
            else Stream.of_held(group, covariance=covariance, save_memory=True)
            for group in groups
        ]
        indices = [group.index for group in groups if group is not None]
        labels = union(*(index.labels for index in indices))
        self._index = ClassIndex.of(labels, fixed=any(i.fixed for i in indices))
        return self

    def held(self) -> list[HeldStream | None]:
        """Return the state of each group; use it under lock."""
        self._check_complete()
        return [stream.held() for stream in self._streams]

    @property
    def fixed(self) -> bool:
        """Whether the classes were passed by the user."""
        return self._index is not None and self._index.fixed

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self._streams)

    def update(self, batch: Batch, classes: Any = None) -> None:
        """Add a batch, or raise and change nothing."""
        with self.lock():
            self._check_complete()
            index = known_classes(self._index, classes).including(batch.labels)
            self._check(batch, index)
            add = partial(self._add, batch, index, self._sizes())
            self._complete(add, self._sizes)

    def _sizes(self) -> list[int]:
        """Return the number of rows of each group."""
        return [stream.n_samples for stream in self._streams]

    def _check(self, batch: Batch, index: ClassIndex) -> None:
        """Raise if one of the groups would reject a batch."""
        for stream in self._streams:
            if stream.like is not None:
                check_same_place(batch.features, stream.like, "This batch")
        index.known_rows(batch.labels, batch.features)
        check_finite(batch.features, batch.invalid)

    def _add(self, batch: Batch, index: ClassIndex, before: Sequence[int]) -> None:
        """Add a batch, without the rows already added, given group sizes `before`."""
        self._statistics = None
        n_samples = list(before)
        for group, rows in assign_groups(batch, sum(before), len(self._streams)):
            stream = self._streams[group]
            if stream.n_samples == n_samples[group]:
                stream.update(rows, index.labels if index.fixed else None)
            n_samples[group] += int(rows.features.shape[0])
        self._index = index

    def read(self) -> tuple[ClassStatistics, list[ClassStatistics | None]]:
        """Return the statistics of all rows and of each group (None if empty)."""
        with self.lock():
            self._check_complete()
            parts = [
                None if stream.like is None else stream.statistics()
                for stream in self._streams
            ]
            if self._statistics is None:
                self._statistics = merge_all([p for p in parts if p is not None])
            return self._statistics, parts

    def statistics(self) -> ClassStatistics:
        """Return the statistics of all batches so far."""
        return self.read()[0]


AnyStream = Stream | GroupedStream


def new_stream(*, covariance: Covariance, n_groups: int) -> AnyStream:
    """Return an empty stream, grouped if `n_groups` is not 0."""
    if n_groups:
        return GroupedStream(covariance=covariance, n_groups=n_groups)
    return Stream(covariance=covariance)


def resumed_stream(
    parts: Sequence[ClassStatistics | None], *, covariance: Covariance, fixed: bool
) -> AnyStream:
    """Return a stream that continues from the parts that `read` returned."""
    if len(parts) == 1 and parts[0] is not None:
        return Stream.resumed(parts[0], covariance=covariance, fixed=fixed)
    return GroupedStream.resumed(parts, covariance=covariance, fixed=fixed)


def map_held(
    stream: AnyStream, function: Callable[[HeldStream], T]
) -> tuple[list[T | None], int]:
    """
    Apply a function to the state of each group of a stream, under lock.

    It must not keep the arrays, because the next batch may overwrite them. Returns a
    part for each group, None if it has no rows, and the number of groups; or one part
    and zero.
    """
    with stream.lock():
        groups = stream.held() if isinstance(stream, GroupedStream) else [stream.held()]
        found = [None if group is None else function(group) for group in groups]
        return found, stream.n_groups


def stream_of_held(
    groups: Sequence[HeldStream | None], n_groups: int, *, covariance: Covariance
) -> AnyStream:
    """Return a stream that continues from the states that `map_held` passed on."""
    if n_groups:
        return GroupedStream.of_held(groups, covariance=covariance)
    (held,) = groups
    assert held is not None
    return Stream.of_held(held, covariance=covariance)


def merged_parts(
    streams: Sequence[AnyStream], n_groups: int | None = None
) -> list[ClassStatistics | None]:
    """Merge several streams, group by group; raise if numbers of groups differ."""
    numbers = {stream.n_groups for stream in streams}
    numbers |= set() if n_groups is None else {n_groups}
    if len(numbers) > 1:
        msg = (
            "Cannot merge estimators with different n_jackknife, got "
            f"{sorted(numbers)}. Fit all of them with the same number."
        )
        raise ValueError(msg)
    return merge_groups([stream.read()[1] for stream in streams])


def merge_all_but_one(parts: Sequence[Any]) -> Iterator[Any]:
    """
    Yield merges of all parts but one, in the order of the omitted part.

    There must be at least two parts. G parts take about 3 G merges, with running merges
    from both ends.
    """
    after = [parts[-1]]  # the last one, the last two, and so on
    for part in parts[-2:0:-1]:
        after.append(part.merge(after[-1]))
    before = parts[0]
    yield after.pop()
    for part in parts[1:-1]:
        yield before.merge(after.pop())
        before = before.merge(part)
    yield before


def about_common_anchors(parts: Sequence[ClassStatistics]) -> list[ClassStatistics]:
    """
    Return the statistics with common classes and anchors.

    They then merge by addition, which is faster than moving anchors.
    """
    classes = union(*(part.classes for part in parts))
    moments = [part.aligned(classes) for part in parts]
    xp = arrays.namespace(moments[0].sums)
    anchors = xp.zeros_like(moments[0].sums)
    for held in reversed(moments):
        own = xp.astype(held.anchors, xp.float64)
        anchors = xp.where((held.counts > 0)[:, None], own, anchors)
    anchors = xp.astype(anchors, xp.result_type(*(m.anchors.dtype for m in moments)))
    return [
        replace(part, classes=classes, moments=held.moved_to(anchors))
        for part, held in zip(parts, moments, strict=True)
    ]
