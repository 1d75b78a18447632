"""Merge the statistics of all ranks: gather small ones, sum large ones in phases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import torch

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import union
from sknc._utils.merge_tree import merge_groups
from sknc.statistics._moments import Moments
from sknc.statistics.class_statistics import ClassStatistics
from sknc.torch._collectives import Ranks
from sknc.torch._rank_agreement import Header, PartHeader

Part = ClassStatistics | None


@dataclass(frozen=True)
class Plan(Header):
    """The header of the merged statistics, known to all ranks."""

    @classmethod
    def of(cls, headers: Sequence[PartHeader]) -> "Plan":
        """Combine the headers of ranks with samples."""
        dtypes = [header.anchor_dtype for header in headers]
        return cls(
            classes=union(*(header.classes for header in headers)),
            n_features=headers[0].n_features,
            anchor_dtype="float64" if "float64" in dtypes else "float32",
            has_scatter=all(header.has_scatter for header in headers),
            weighted=any(header.weighted for header in headers),
            n_samples=sum(header.n_samples for header in headers),
            input_dtype=reduce(
                arrays.common_dtype_name, (header.input_dtype for header in headers)
            ),
            place=headers[0].place,
        )

    def moments_of(self, part: Part) -> Moments:
        """Return moments with a row for each class; zeros without statistics."""
        if part is None:
            like = self.empty_array()
            xp = namespace(like)
            moments = Moments.zeros(
                like, len(self.classes), xp.float64, covariance=self.has_scatter
            )
        else:
            moments = part.aligned(self.classes)
            xp = namespace(moments.sums)
        counts, anchors = moments.counts, moments.anchors
        if self.weighted:
            counts = xp.astype(counts, xp.float64)
        anchors = xp.astype(anchors, getattr(xp, self.anchor_dtype))
        scatter = moments.scatter if self.has_scatter else None
        return replace(moments, counts=counts, anchors=anchors, scatter=scatter)

    def empty_array(self) -> Array:
        """Return an empty array on the device of a rank without samples."""
        library, _, device = self.place.partition(" on ")
        if library == "NumPy":
            return np.empty((0, self.n_features))
        return torch.empty((0, self.n_features), device=device)


def gathered(parts: Sequence[Part], ranks: Ranks) -> list[Part]:
    """
    Merge the statistics of all ranks on the first one, in the order of ranks.

    Returns them by group, on the host; the bits are the same on every rank.
    """
    of_ranks = ranks.gathered(
        [None if part is None else on_host(part) for part in parts]
    )
    return ranks.from_first(lambda: merge_groups(of_ranks))


def on_host(part: ClassStatistics) -> ClassStatistics:
    """Return the same statistics in NumPy arrays."""
    return _mapped(part, arrays.to_numpy)


def placed(part: ClassStatistics, like: Array) -> ClassStatistics:
    """Return the statistics in the library and on the device of an array."""
    return _mapped(part, lambda array: arrays.move_like(array, like))


def _mapped(
    part: ClassStatistics, function: Callable[[Array], Array]
) -> ClassStatistics:
    moments, scatters = part.moments.map_all(function), part.class_scatters
    if scatters is not None:
        scatters = scatters.map(function)
    return replace(part, moments=moments, class_scatters=scatters)


def summed(part: Part, plan: Plan, ranks: Ranks) -> ClassStatistics:
    """
    Sum the statistics of all ranks, after they have agreed on anchors.

    The anchor of a class is that of the first rank with samples of it. Moving sums to
    other anchors is exact algebra, so no digits are lost where classes are tight and
    far from the origin. The bits are the same on every rank.
    """
    moments = plan.moments_of(part)
    xp = namespace(moments.sums)
    has = moments.counts > 0
    owner = ranks.number + xp.astype(~has, xp.int64) * (ranks.size - ranks.number)
    is_owner = (ranks.least(owner) == ranks.number) & has
    zeros = xp.zeros_like(moments.anchors)
    # One rank adds its anchor and all others add zero, so nothing is rounded.
    anchors = ranks.total(xp.where(is_owner[:, None], moments.anchors, zeros))
    moved = moments.moved_to(anchors)
    scatter = moved.scatter
    if scatter is not None:
        scatter = squared(ranks.total(triangle(scatter)), plan.n_features)
    total = Moments(
        counts=ranks.total(moved.counts),
        anchors=anchors,
        sums=ranks.total(moved.sums),
        squares=ranks.total(moved.squares),
        scatter=scatter,
    )
    return ClassStatistics(plan.classes, total, plan.n_samples, plan.input_dtype)


def triangle(square: Array) -> Array:
    """Return the upper triangle of a symmetric (D, D) array, row by row."""
    # By rows: index arrays would take more memory than the numbers.
    return namespace(square).concat([row[i:] for i, row in enumerate(square)])


def squared(flat: Array, width: int) -> Array:
    """Return the symmetric (D, D) array, given its `triangle`."""
    xp, start = namespace(flat), 0
    square = xp.empty((width, width), dtype=flat.dtype, device=arrays.device_of(flat))
    for i in range(width):
        row = flat[start : start + width - i]
        square[i, i:], square[i:, i] = row, row
        start += width - i
    return square
