"""One point a class, near its mean, from which residuals are taken."""

from dataclasses import replace
from typing import Any

import numpy as np

from sknc import _array
from sknc._accumulation.block import Block
from sknc._array import Array, namespace
from sknc._moments import Moments

_ELEMENTS = 1 << 17  # of the samples that new anchors are the means of
# An anchor is moved once more than this share of a class's second moment about it is
# the anchor's own distance from the class mean: one decimal digit is lost.
_DRIFT = 0.9
# All that is along one direction, so it costs the scatter digits at a lesser share too,
# such as that of an anchor at a single row; but not if it is little of all classes.
_DRIFT_OF_LARGE = 0.3
_LARGE = 0.02


def _drifted(moments: Moments, total: Array) -> Array:
    """Whether the mean of each class is far from its anchor, (K,)."""
    xp = namespace(moments.sums)
    counts = xp.astype(moments.counts, xp.float64)
    distances = _array.row_squared_norms(moments.sums)
    with np.errstate(invalid="ignore"):  # infinity times a count of zero
        large = (distances > _LARGE * total * counts) & (
            distances > _DRIFT_OF_LARGE * moments.squares * counts
        )
        drifted = large | (distances > _DRIFT * moments.squares * counts)
    # A nearer anchor cannot be written down: it would be moved again and again.
    eps = float(xp.finfo(moments.anchors.dtype).eps)
    lengths = xp.astype(_array.row_squared_norms(moments.anchors), xp.float64)
    return drifted & (distances > eps**2 * lengths * counts**2)


def any_drifted(moments: Moments, index: Array) -> Any:
    """Whether a class of a block has its mean far from its anchor."""
    xp = namespace(moments.sums)
    total = xp.sum(moments.squares)
    if moments.counts.shape[0] > 2 * index.shape[0]:
        # On a GPU finding the distinct rows would wait for the device.
        rows = index if _array.on_gpu(index) else xp.unique_values(index)
        moments = moments.map(lambda array: xp.take(array, rows, axis=0))
    return xp.any(_drifted(moments, total))


def move_drifted(moments: Moments) -> Moments:
    """Move the anchors of drifted classes to their current means."""
    xp = namespace(moments.sums)
    drifted = _drifted(moments, xp.sum(moments.squares))
    far = np.flatnonzero(_array.to_numpy(drifted))
    ids = xp.asarray(far, device=_array.device_of(moments.sums))
    old = moments.take(far) if len(far) < moments.counts.shape[0] else moments
    means = old.sums / xp.astype(old.counts, xp.float64)[:, None]
    anchors = xp.astype(old.anchors, xp.float64) + means
    new = old.moved_to(xp.astype(anchors, moments.anchors.dtype))
    return Moments(
        moments.counts,
        _array.put_rows(moments.anchors, ids, new.anchors),
        _array.put_rows(moments.sums, ids, new.sums),
        _array.set_at(moments.squares, ids, new.squares),
        new.scatter,
    )


def anchor_unseen(moments: Moments, block: Block) -> Moments:
    """Anchor each class that has no sample yet."""
    xp = namespace(moments.sums)
    new = xp.take(moments.counts, block.index, axis=0) == 0
    if _array.on_gpu(block.features):
        # Without asking the host which rows are new.
        held = moments.anchors[block.index]
        first = block.features.to(held.dtype)
        moments.anchors[block.index] = xp.where(new[:, None], first, held)
        return moments
    positions = np.flatnonzero(_array.to_numpy(new))
    if not len(positions):
        return moments
    return _anchored_at_means(moments, block, positions)


def _anchored_at_means(
    moments: Moments, block: Block, positions: np.ndarray
) -> Moments:
    """Anchor new classes at the means of (some of) their samples in a block."""
    xp, device = namespace(moments.sums), _array.device_of(moments.sums)
    found = _array.to_numpy(block.index)[positions]
    if block.weights is None:  # else the first ones may hardly count
        few = _first_of_each(found, _ELEMENTS // int(block.features.shape[1]))
        positions, found = positions[few], found[few]
    classes, first, place = np.unique(found, return_index=True, return_inverse=True)
    at, ids, start, place = (
        xp.asarray(a, device=device) for a in (positions, classes, first, place)
    )
    dtype = moments.anchors.dtype
    rows = xp.astype(xp.take(block.features, at, axis=0), dtype)
    # A sample first: nothing is lost in sums of differences from it.
    near = xp.take(rows, start, axis=0)
    if len(classes) == len(positions):
        return replace(moments, anchors=_array.put_rows(moments.anchors, ids, near))
    rows = rows - xp.take(near, place, axis=0)
    shares = _shares(block.weights, at, rows)
    totals = _array.add_at(xp.zeros_like(near[:, 0]), place, shares)
    sums = _array.add_rows_at(xp.zeros_like(near), place, rows, shares)
    held = xp.where(totals > 0, totals, xp.ones_like(totals))
    anchors = _array.put_rows(moments.anchors, ids, near + sums / held[:, None])
    return replace(moments, anchors=anchors)


def _shares(weights: Array | None, at: Array, rows: Array) -> Any:
    """Return the weights of rows over the greatest, or ones."""
    xp = namespace(rows)
    if weights is None:
        return xp.ones_like(rows[:, 0])
    shares = xp.astype(xp.take(weights, at, axis=0), rows.dtype)
    return shares / xp.max(shares)


def _first_of_each(values: np.ndarray, total: int) -> np.ndarray:
    """Return places of the first few of each distinct value, some `total` in all."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ranks = np.arange(len(values)) - np.repeat(starts, sizes)
    return np.sort(order[ranks < max(1, total // len(starts))])
