"""One anchor for each class, near its mean, from which residuals are computed."""

from dataclasses import replace

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._accumulation.totals import Totals

_ELEMENTS = 1 << 17  # in the rows whose means are the first anchors
# An anchor is misplaced if its distance from the class mean exceeds this share of the
# second moment about it: the variance of the class loses a decimal digit.
_MOST_OF_CLASS = 0.9
# That distance enlarges the scatter along one direction. An anchor is also misplaced
# if it does so by more than this many mean eigenvalues.
_MOST_EIGENVALUES = 8.0


def near_first_rows(totals: Totals, rows: Rows) -> Totals:
    """Anchor classes without samples at the mean of some of their rows (NumPy only)."""
    new = np.flatnonzero(totals.counts[rows.index] == 0)
    if not len(new):
        return totals
    index = rows.index[new]
    if len(totals.counts) <= 1 << 16:  # which NumPy sorts in linear time
        index = index.astype(np.uint16)
    new = new[np.argsort(index, kind="stable")]
    starts = np.flatnonzero(np.diff(rows.index[new], prepend=-1))
    ids, sizes = rows.index[new[starts]], np.diff(starts, append=len(new))
    first = new[starts]
    near = rows.values[first].astype(totals.anchors.dtype, copy=False)
    most = _ELEMENTS // (rows.values.shape[1] * len(ids))
    if most > 1:
        ranks = np.arange(len(new)) - np.repeat(starts, sizes)
        sizes = np.minimum(sizes, most)
        place = np.repeat(np.arange(len(ids)), sizes)
        # Differences from a row lose nothing, and are zero if all rows are the same.
        gaps = rows.values[new[ranks < most]] - near[place]
        shares = (1 / sizes).astype(gaps.dtype)[place]
        near = near + arrays.sums_by_index(place, gaps, shares, len(ids))[1]
    if rows.base is not None:
        near = near + rows.base[ids]
    anchors = totals.anchors.copy()
    anchors[ids] = near
    return replace(totals, anchors=anchors)


def misplaced(before: Totals, after: Totals, offsets: Array) -> Array:
    """
    Return which anchors are too far from the class mean for the class's spread, (K,).

    Only for classes of rows added between `before` and `after`. `offsets` are the
    squared lengths of ``after.sums``.
    """
    xp = namespace(offsets)
    counts = xp.astype(after.counts, xp.float64)
    eigenvalue = (xp.sum(after.squares) + after.others) / after.sums.shape[1]
    far = (offsets > _MOST_OF_CLASS * after.squares * counts) | (
        offsets > _MOST_EIGENVALUES * eigenvalue * counts
    )
    return far & (after.counts > before.counts)


def moved(before: Totals, after: Totals, where: Array) -> Totals:
    """Return the totals `before` about the means of `after`, for some classes."""
    xp = namespace(where)
    counts = xp.astype(after.counts, xp.float64)
    counts = xp.where(where, counts, xp.ones_like(counts))[:, None]
    means = xp.astype(before.anchors, xp.float64) + after.sums / counts
    means = xp.astype(means, before.anchors.dtype)
    return before.moved_to(xp.where(where[:, None], means, before.anchors))
