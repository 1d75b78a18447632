"""
The one mutable object: gathers batches into blocks and adds blocks to the moments.

Small batches are copied into a buffer until it holds a block, because the update
of the (D, D) scatter costs the same memory traffic however few rows it takes. The
blocks are therefore the same whatever the batches were, as long as nobody reads
the moments in between.
"""

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from sknc import _array
from sknc._array import Array
from sknc._moments import Moments

_BLOCK_ELEMENTS = 1 << 23  # 32 MiB of float32 residuals for one symmetric update
_CACHE_ELEMENTS = 1 << 19  # 2 MiB of float32 residuals, to stay in a core's cache
# Up to this width all is so cheap that float32 would save next to nothing.
_NARROW = 256
_ANCHOR_ELEMENTS = 1 << 17  # of the samples that new anchors are the means of
# An anchor is moved once more than this share of a class's second moment about it
# is the anchor's own distance from the class mean: one decimal digit is lost.
_DRIFT = 0.9

Flags: TypeAlias = tuple[Any, Any]


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Parameters
    ----------
    like : array of shape (B, D)
        A batch: its library, device and width are those of the stream.
    n_classes : int
        Rows to begin with; `grow` adds more.
    covariance : bool
        Whether to keep the (D, D) scatter.
    moments : Moments or None
        Moments to go on from. They are copied before the first change.
    fixed_anchors : bool
        Whether the anchors of `moments` must stay where they are.
    projector : array of shape (D, R), or None
        Directions on which the residuals' squared lengths are summed too.
    """

    def __init__(
        self,
        like: Array,
        n_classes: int,
        *,
        covariance: bool = True,
        moments: Moments | None = None,
        fixed_anchors: bool = False,
        projector: Array | None = None,
    ) -> None:
        self._xp = _array.namespace(like)
        self._device = _array.device_of(like)
        self.n_features = int(like.shape[1])
        self._fixed_anchors = fixed_anchors
        self._projector = projector
        self._buffer: _Buffer | None = None
        self._rows_a_block: int | None = None
        self._workspace: Array | None = None
        self.n_samples = 0
        if moments is None:
            moments = self._zeros(n_classes, self._residual_dtype(like), covariance)
            self._shared = False
        else:
            self._shared = True
        self._moments = moments
        self.energies = None
        if projector is not None:
            self.energies = self._xp.zeros_like(moments.squares)
        # (drifted, unseen): whether a class has its anchor far from its mean, or no
        # sample yet. Pending flags may still be on a device.
        self._pending_flags: Flags = (False, not fixed_anchors)
        self._flags: Flags = self._pending_flags

    def _residual_dtype(self, features: Array) -> Any:
        """Return the dtype in which residuals of a batch are taken."""
        if self.n_features <= _NARROW:
            return self._xp.float64
        return _array.working_dtype(features)

    def _zeros(self, n_classes: int, dtype: Any, covariance: bool) -> Moments:
        xp, place = self._xp, {"device": self._device}
        shape = (n_classes, self.n_features)
        square = (self.n_features, self.n_features)
        return Moments(
            counts=xp.zeros(n_classes, dtype=xp.int64, **place),
            anchors=xp.zeros(shape, dtype=dtype, **place),
            sums=xp.zeros(shape, dtype=xp.float64, **place),
            squares=xp.zeros(n_classes, dtype=xp.float64, **place),
            scatter=xp.zeros(square, dtype=xp.float64, **place) if covariance else None,
        )

    # Reading ---------------------------------------------------------------

    @property
    def like(self) -> Array:
        """An array of the library and device of the stream."""
        return self._moments.anchors

    def moments(self) -> Moments:
        """Return the moments of all rows so far; later updates leave them alone."""
        self.flush()
        self._shared = True
        return self._moments

    # Updating --------------------------------------------------------------

    def grow(self, n_classes: int) -> None:
        """Make room for `n_classes` classes in all."""
        old = self._moments
        held = old.counts.shape[0]
        if n_classes <= held:
            return
        xp = self._xp
        # Doubling keeps the cost of many small growths linear.
        more = self._zeros(max(n_classes, 2 * held) - held, old.anchors.dtype, False)
        more_counts = xp.astype(more.counts, old.counts.dtype)
        self._moments = Moments(
            counts=xp.concat([old.counts, more_counts]),
            anchors=xp.concat([old.anchors, more.anchors]),
            sums=xp.concat([old.sums, more.sums]),
            squares=xp.concat([old.squares, more.squares]),
            scatter=old.scatter,
        )
        self._pending_flags = (self._pending_flags[0], True)

    def update(
        self,
        features: Array,
        index: Array,
        weights: Array | None,
        invalid: Any = False,
    ) -> bool:
        """
        Add a batch, unless the flag `invalid` says that it must not be.

        The flag may still be on a device: it is read together with this object's
        own flags in the one transfer that a batch costs. It is None if nobody has
        looked whether the features are finite. Returns whether the batch was added.
        """
        if invalid is None:
            if self._goes_straight(features):
                return self._absorb_if_finite(features, index, weights)
            invalid = not _array.all_finite(features)
        invalid, *flags = _array.read_flags(invalid, *self._pending_flags)
        if invalid:
            return False
        self._flags = self._pending_flags = (flags[0], flags[1])
        self._prepare(features, weights)
        self.n_samples += int(features.shape[0])
        start, n_rows = 0, features.shape[0]
        while start < n_rows:
            start += self._take_block(features, index, weights, start)
        return True

    def _goes_straight(self, features: Array) -> bool:
        """Whether a batch goes into the sums without the buffer, in whole blocks."""
        empty = self._buffer is None or not self._buffer.filled
        n_blocks, rest = divmod(int(features.shape[0]), self._block_rows(features))
        return empty and not rest and (n_blocks == 1 or self._is_light(features))

    def _is_light(self, features: Array) -> bool:
        """Whether a copy of the moments costs little beside a pass over a batch."""
        moments = self._moments
        return moments.scatter is None and (
            16 * moments.counts.shape[0] <= features.shape[0]
        )

    def _absorb_if_finite(
        self, features: Array, index: Array, weights: Array | None
    ) -> bool:
        """Add whole blocks, unless the norms of residuals are not finite."""
        before = self._moments, self._pending_flags, self._workspace
        if self._is_light(features):
            self._shared = True  # keeps `before` as it is
        else:
            moves_anchors = any(_array.read_flags(*self._pending_flags))
            widens = self._wider_dtypes(features, weights) != (None, None)
            # Then something changes before any norm is known.
            if (moves_anchors or widens) and not _array.all_finite(features):
                return False
        self._prepare(features, weights)
        for part in _array.tiles(int(features.shape[0]), self._block_rows(features)):
            part_weights = None if weights is None else weights[part]
            with np.errstate(over="ignore", invalid="ignore"):
                absorbed = self._absorb(
                    features[part], index[part], part_weights, check=True
                )
            if not absorbed:
                self._moments, self._pending_flags, self._workspace = before
                return False
        self.n_samples += int(features.shape[0])
        return True

    def flush(self) -> None:
        """Add the rows that wait in the buffer."""
        buffer = self._buffer
        if buffer is not None and buffer.filled:
            rows = buffer.rows()
            self._prepare(rows[0], rows[2])
            self._absorb(*rows)
            buffer.filled = 0

    def _take_block(
        self, features: Array, index: Array, weights: Array | None, start: int
    ) -> int:
        """Absorb one block directly, or copy rows to the buffer; return how many."""
        block_rows = self._block_rows(features)
        waiting = self._buffer.filled if self._buffer is not None else 0
        count = min(block_rows - waiting, int(features.shape[0]) - start)
        part = slice(start, start + count)
        rows = (
            features[part, :],
            index[part],
            None if weights is None else weights[part],
        )
        if count == block_rows:
            self._absorb(*rows)
            return count
        if self._buffer is None:
            self._buffer = _Buffer(features, block_rows, weights is not None)
        self._buffer.append(*rows)
        if self._buffer.filled == block_rows:
            self.flush()
        return count

    def _block_rows(self, features: Array) -> int:
        """Return the rows of a block; fixed with the first batch."""
        if self._rows_a_block is None:
            rows = max(1024, min(4096, _BLOCK_ELEMENTS // self.n_features))
            if _array.on_gpu(features):
                rows *= 4  # a GPU needs more rows at once to be busy
            elif self._moments.scatter is None:  # no product that wants many rows
                n_classes = int(self._moments.counts.shape[0])
                in_cache = _CACHE_ELEMENTS // self.n_features
                rows = max(256, min(4096, max(in_cache, 4 * n_classes)))
            self._rows_a_block = rows
        return self._rows_a_block

    def _prepare(self, features: Array, weights: Array | None) -> None:
        """Make moments of this object's own, wide enough for a batch."""
        if self._shared:
            self._moments = _copy(self._moments)
            self._shared = False
        xp, buffer = self._xp, self._buffer
        if buffer is not None and not buffer.accepts(features, weights):
            self.flush()
            self._buffer = None
        anchors, counts = self._wider_dtypes(features, weights)
        m = self._moments
        if anchors is not None:
            m = replace(m, anchors=xp.astype(m.anchors, anchors))
            self._workspace = None
        if counts is not None:
            m = replace(m, counts=xp.astype(m.counts, counts))
        self._moments = m

    def _wider_dtypes(self, features: Array, weights: Array | None) -> tuple[Any, Any]:
        """Return the dtypes that anchors and counts have to be widened to, or None."""
        xp, m = self._xp, self._moments
        wide = self._residual_dtype(features) == xp.float64
        widen_anchors = wide and m.anchors.dtype != xp.float64
        widen_counts = weights is not None and m.counts.dtype != xp.float64
        return (
            xp.float64 if widen_anchors else None,
            xp.float64 if widen_counts else None,
        )

    def _absorb(
        self,
        features: Array,
        index: Array,
        weights: Array | None,
        *,
        check: bool = False,
    ) -> bool:
        """Add one block to the moments, and return whether it was (if to `check`)."""
        drifted, unseen = self._current_flags()
        if drifted:
            self._move_drifted_anchors()
        if unseen:
            self._set_new_anchors(features, index, weights)
        rows, lengths = self._residuals(features, index, weights)
        if (
            check
            and not np.isfinite(np.sum(lengths))
            and not _array.all_finite(features)
        ):
            return False
        self._add(rows, lengths, index, weights)
        scatter = self._moments.scatter
        if scatter is not None:
            scatter += _array.gram(rows)
        if not self._fixed_anchors:
            drifted = self._any_drifted(index)
            unseen = unseen and self._xp.any(self._moments.counts == 0)
            self._pending_flags = (drifted, unseen)
        return True

    def _current_flags(self) -> Flags:
        """Return the newest flags that can be read without waiting for a GPU."""
        if not _array.on_gpu(self._moments.sums):
            drifted, unseen = _array.read_flags(*self._pending_flags)
            self._flags = (drifted, unseen)
        return self._flags

    def _residuals(
        self, features: Array, index: Array, weights: Array | None
    ) -> tuple[Array, Array]:
        """Return residuals times sqrt(weight), and their squared norms."""
        xp, anchors = self._xp, self._moments.anchors
        if not isinstance(features, np.ndarray):
            rows = xp.astype(features, anchors.dtype) - xp.take(anchors, index, axis=0)
            if weights is not None:
                rows = rows * xp.astype(xp.sqrt(weights), rows.dtype)[:, None]
            return rows, _array.row_squared_norms(rows)
        n_rows = len(features)
        if self._workspace is None or len(self._workspace) < n_rows:
            self._workspace = np.empty((n_rows, self.n_features), anchors.dtype)
        rows, lengths = self._workspace[:n_rows], np.empty(n_rows)
        # In parts that stay in a core's cache.
        for part in _array.tiles(n_rows, max(128, _CACHE_ELEMENTS // self.n_features)):
            out = rows[part]
            np.take(anchors, index[part], axis=0, out=out, mode="clip")
            np.subtract(features[part], out, out=out)
            if weights is not None:
                out *= np.sqrt(weights[part]).astype(out.dtype)[:, None]
            lengths[part] = _array.row_squared_norms(out)
        return rows, lengths

    def _add(
        self, rows: Array, lengths: Array, index: Array, weights: Array | None
    ) -> None:
        """Add weighted residuals to all moments but the scatter."""
        xp, m = self._xp, self._moments
        root = None if weights is None else xp.astype(xp.sqrt(weights), rows.dtype)
        counts = _array.add_at(m.counts, index, weights)
        sums = _array.add_rows_at(m.sums, index, rows, root)
        squares = _array.add_at(m.squares, index, lengths)
        if self._projector is not None:
            lengths = _array.row_squared_norms(rows @ self._projector)
            self.energies = _array.add_at(self.energies, index, lengths)
        if sums is not m.sums:  # a library without in-place updates
            self._moments = Moments(counts, m.anchors, sums, squares, m.scatter)

    # Anchors ---------------------------------------------------------------

    def _set_new_anchors(
        self, features: Array, index: Array, weights: Array | None
    ) -> None:
        """Anchor each class that has no sample yet."""
        xp, m = self._xp, self._moments
        new = xp.take(m.counts, index, axis=0) == 0
        if _array.on_gpu(features):
            # Without asking the host which rows are new.
            held = m.anchors[index]
            m.anchors[index] = xp.where(new[:, None], features.to(held.dtype), held)
        else:
            positions = np.flatnonzero(_array.to_numpy(new))
            if len(positions):
                self._anchor_at_means(features, index, weights, positions)

    def _anchor_at_means(
        self,
        features: Array,
        index: Array,
        weights: Array | None,
        positions: np.ndarray,
    ) -> None:
        """Anchor new classes at the means of (some of) their samples in this block."""
        xp, m = self._xp, self._moments
        found = _array.to_numpy(index)[positions]
        if weights is None:  # else the first ones may hardly count
            few = _first_of_each(found, _ANCHOR_ELEMENTS // self.n_features)
            positions, found = positions[few], found[few]
        classes, first, place = np.unique(found, return_index=True, return_inverse=True)
        at, ids, place = (
            xp.asarray(a, device=self._device) for a in (positions, classes, place)
        )
        dtype = m.anchors.dtype
        rows = xp.astype(xp.take(features, at, axis=0), dtype)
        # A sample first: nothing is lost in sums of differences from it.
        near = xp.take(rows, xp.asarray(first, device=self._device), axis=0)
        rows = rows - xp.take(near, place, axis=0)
        shares = xp.ones_like(rows[:, 0])
        if weights is not None:
            shares = xp.astype(xp.take(weights, at, axis=0), dtype)
            shares = shares / xp.max(shares)
        totals = _array.add_at(xp.zeros_like(near[:, 0]), place, shares)
        sums = _array.add_rows_at(xp.zeros_like(near), place, rows, shares)
        held = xp.where(totals > 0, totals, xp.ones_like(totals))
        anchors = _array.put_rows(m.anchors, ids, near + sums / held[:, None])
        self._moments = replace(m, anchors=anchors)

    def _far(self, counts: Array, sums: Array, squares: Array) -> Array:
        limit = _DRIFT * squares * self._xp.astype(counts, self._xp.float64)
        return _array.row_squared_norms(sums) > limit

    def _any_drifted(self, index: Array) -> Any:
        """Whether a class of this block has its mean far from its anchor."""
        xp, m = self._xp, self._moments
        if m.counts.shape[0] <= 2 * index.shape[0]:
            return xp.any(self._far(m.counts, m.sums, m.squares))
        # On a GPU finding the distinct rows would wait for the device.
        rows = index if _array.on_gpu(index) else xp.unique_values(index)
        picked = [xp.take(a, rows, axis=0) for a in (m.counts, m.sums, m.squares)]
        return xp.any(self._far(*picked))

    def _move_drifted_anchors(self) -> None:
        """Move the anchors of drifted classes to their current means."""
        xp, m = self._xp, self._moments
        far = np.flatnonzero(_array.to_numpy(self._far(m.counts, m.sums, m.squares)))
        ids = xp.asarray(far, device=self._device)
        old = m.take(far) if len(far) < m.counts.shape[0] else m
        means = old.sums / xp.astype(old.counts, xp.float64)[:, None]
        anchors = xp.astype(xp.astype(old.anchors, xp.float64) + means, m.anchors.dtype)
        new = old.moved_to(anchors)
        self._moments = Moments(
            m.counts,
            _array.put_rows(m.anchors, ids, new.anchors),
            _array.put_rows(m.sums, ids, new.sums),
            _array.put_rows(m.squares[:, None], ids, new.squares[:, None])[:, 0],
            new.scatter,
        )


class _Buffer:
    """Rows that wait until they make a block."""

    def __init__(self, like: Array, n_rows: int, weighted: bool) -> None:
        xp, device = _array.namespace(like), _array.device_of(like)
        self._features = xp.empty(
            (n_rows, like.shape[1]), dtype=like.dtype, device=device
        )
        self._index = xp.empty(n_rows, dtype=xp.int64, device=device)
        self._weights = None
        if weighted:
            self._weights = xp.empty(n_rows, dtype=xp.float64, device=device)
        self.filled = 0

    def accepts(self, features: Array, weights: Array | None) -> bool:
        same_dtype = features.dtype == self._features.dtype
        return same_dtype and (weights is None) == (self._weights is None)

    def append(self, features: Array, index: Array, weights: Array | None) -> None:
        part = slice(self.filled, self.filled + features.shape[0])
        self._features[part, :] = features
        self._index[part] = index
        if weights is not None:
            assert self._weights is not None
            self._weights[part] = weights
        self.filled = part.stop

    def rows(self) -> tuple[Array, Array, Array | None]:
        part = slice(0, self.filled)
        weights = None if self._weights is None else self._weights[part]
        return self._features[part, :], self._index[part], weights


def _copy(moments: Moments) -> Moments:
    xp = _array.namespace(moments.sums)
    scatter = moments.scatter
    return Moments(
        counts=xp.asarray(moments.counts, copy=True),
        anchors=xp.asarray(moments.anchors, copy=True),
        sums=xp.asarray(moments.sums, copy=True),
        squares=xp.asarray(moments.squares, copy=True),
        scatter=None if scatter is None else xp.asarray(scatter, copy=True),
    )


def _first_of_each(values: np.ndarray, total: int) -> np.ndarray:
    """Return places of the first few of each distinct value, some `total` in all."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    ranks = np.arange(len(values)) - np.repeat(starts, sizes)
    return np.sort(order[ranks < max(1, total // len(starts))])
