"""The one mutable object: takes batches, and adds blocks of rows to the moments."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from sknc import _array, _parallel
from sknc._accumulation import anchors, blocks, sums
from sknc._accumulation.block import Block
from sknc._accumulation.buffer import Buffer
from sknc._accumulation.products import most_threads
from sknc._accumulation.residuals import Residuals
from sknc._accumulation.rows import in_cache
from sknc._accumulation.totals import Terms, Totals
from sknc._array import Array
from sknc._moments import Moments
from sknc._parallel import Team

# 32 MiB of float32 residuals at most in a block, and in all blocks that wait for one
# symmetric update.
_BLOCK_ELEMENTS = 1 << 23
WAITING_BLOCKS = 2  # as far as that leaves room
_LEAST_ROWS = 32  # of which residuals are taken at once
# Up to this width all is so cheap that float32 would save next to nothing.
_NARROW = 256

Flags: TypeAlias = tuple[Any, Any]


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Small batches wait in a buffer until they make a block, because the update of the
    (D, D) scatter costs the same memory traffic however few rows it takes.

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
    waiting_blocks : int
        Blocks of residuals that may wait to be summed: more are faster, and take
        more memory.
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
        waiting_blocks: int = WAITING_BLOCKS,
    ) -> None:
        self._xp = _array.namespace(like)
        self._device = _array.device_of(like)
        self.n_features = int(like.shape[1])
        self.n_samples = 0
        self._fixed_anchors = fixed_anchors
        self._waiting_blocks = waiting_blocks
        self._buffer: Buffer | None = None
        self._residuals: Residuals | None = None
        self._shared = moments is not None
        if moments is None:
            moments = self._zeros(n_classes, self._residual_dtype(like), covariance)
        energies = None
        if projector is not None:
            energies = self._xp.zeros_like(moments.squares)
        self._totals = Totals(moments, projector, energies)
        self._whole = True
        self._least_rows, self._most_rows = self._block_rows(like)
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

    def _block_rows(self, like: Array) -> tuple[int, int]:
        """Return the least rows that are added without waiting, and the most."""
        most = max(1024, min(4096, _BLOCK_ELEMENTS // self.n_features))
        if _array.on_gpu(like):
            return 4 * most, 4 * most  # a GPU needs more rows at once to be busy
        if self._totals.moments.scatter is not None:
            return most, most
        # No product that wants many rows.
        n_classes = int(self._totals.moments.counts.shape[0])
        least = min(most, in_cache(self.n_features, n_classes))
        return least, most if isinstance(like, np.ndarray) else least

    # Reading ---------------------------------------------------------------

    @property
    def like(self) -> Array:
        """An array of the library and device of the stream."""
        return self._totals.moments.anchors

    @property
    def energies(self) -> Array | None:
        """Sums of squared lengths on the projector, (K,), as of `moments()`."""
        return self._totals.energies

    def moments(self) -> Moments:
        """Return the moments of all rows so far; later updates leave them alone."""
        self._check_whole()
        self.flush()
        self._shared = True
        return self._totals.moments

    # Updating --------------------------------------------------------------

    def grow(self, n_classes: int) -> None:
        """Make room for `n_classes` classes in all."""
        old = self._totals.moments
        held = old.counts.shape[0]
        if n_classes <= held:
            return
        xp = self._xp
        # Doubling keeps the cost of many small growths linear.
        more = self._zeros(max(n_classes, 2 * held) - held, old.anchors.dtype, False)
        more_counts = xp.astype(more.counts, old.counts.dtype)
        self._set_moments(
            Moments(
                counts=xp.concat([old.counts, more_counts]),
                anchors=xp.concat([old.anchors, more.anchors]),
                sums=xp.concat([old.sums, more.sums]),
                squares=xp.concat([old.squares, more.squares]),
                scatter=old.scatter,
            )
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
        self._check_whole()
        batch = Block(features, index, weights)
        ready = self._is_ready_for(batch)
        waits = batch.n_rows < self._rows_that_need_not_wait(ready)
        # Residuals of one block that is added right away tell by themselves.
        check = invalid is None and ready and not waits
        check = check and batch.n_rows <= self._most_rows
        if invalid is None:
            invalid = not check and not _array.all_finite(features)
        invalid, *flags = _array.read_flags(invalid, *self._pending_flags)
        if invalid:
            return False
        self._flags = self._pending_flags = (flags[0], flags[1])
        self._make_room_for(batch)
        if waits:
            self._wait(batch)
        elif not self._add_all(batch, check=check):
            return False
        self.n_samples += batch.n_rows
        return True

    def _is_ready_for(self, batch: Block) -> bool:
        """Whether neither anchors nor dtypes change before a batch (NumPy only)."""
        if not isinstance(batch.features, np.ndarray):
            return False  # not worth to wait for a device
        drifted, unseen = self._pending_flags
        if drifted or self._wider_dtypes(batch) != (None, None):
            return False
        return not unseen or not self._has_new(batch)

    def _rows_that_need_not_wait(self, ready: bool) -> int:
        """
        Return the least rows that are added without waiting in the buffer.

        Few are enough if their residuals wait, unless to count them would take longer
        than to copy them; but new anchors are the better the more rows there are.
        """
        if not ready or self._totals.moments.scatter is None:
            return self._least_rows
        n_classes = len(self._totals.moments.counts)
        return min(self._least_rows, max(_LEAST_ROWS, n_classes // 64))

    def flush(self) -> None:
        """Add all that waits."""
        self._empty_buffer()
        self._put_residuals()

    def _empty_buffer(self) -> None:
        """Take residuals of the rows that wait in the buffer."""
        buffer = self._buffer
        waiting = None if buffer is None else buffer.waiting()
        if buffer is not None and waiting is not None:
            self._make_room_for(waiting)
            self._add(waiting)
            buffer.clear()

    def _put_residuals(self) -> None:
        """Add the residuals that wait to the totals."""
        held = self._residuals
        if held is None or not held.filled:
            return
        with _parallel.team(most_threads(held.filled, self.n_features)) as threads:
            terms = held.terms(self._totals, threads)
            with self._changing():
                self._totals = self._totals.add(terms, threads)
                held.clear()
        self._look_around(terms.index)

    def _wait(self, batch: Block) -> None:
        """Copy rows to the buffer, and add what is in it whenever it is full."""
        if self._buffer is None:
            self._buffer = Buffer(batch, self._least_rows)
        start = 0
        while start < batch.n_rows:
            stop = min(batch.n_rows, start + self._buffer.free)
            self._buffer.append(batch.part(slice(start, stop)))
            if not self._buffer.free:
                self._empty_buffer()
            start = stop

    def _add_all(self, batch: Block, *, check: bool) -> bool:
        """Add a batch in blocks of equal size, and return whether it was added."""
        n_blocks = -(-batch.n_rows // self._most_rows)
        assert n_blocks == 1 or not check  # or some of it could be in before it fails
        step = -(-batch.n_rows // n_blocks)
        tiles = _array.tiles(batch.n_rows, step)
        return all(self._add(batch.part(tile), check=check) for tile in tiles)

    def _set_moments(self, moments: Moments) -> None:
        self._totals = replace(self._totals, moments=moments)

    def _make_room_for(self, batch: Block) -> None:
        """Make moments of this object's own, wide enough for a batch."""
        if self._shared:
            self._set_moments(_copy(self._totals.moments))
            self._shared = False
        if self._buffer is not None and not self._buffer.accepts(batch):
            self._empty_buffer()
            self._buffer = None
        xp, m = self._xp, self._totals.moments
        of_anchors, of_counts = self._wider_dtypes(batch)
        if of_anchors is not None:
            self._put_residuals()
            self._residuals = None
            self._set_moments(replace(m, anchors=xp.astype(m.anchors, of_anchors)))
        if of_counts is not None:
            m = self._totals.moments
            self._set_moments(replace(m, counts=xp.astype(m.counts, of_counts)))

    def _wider_dtypes(self, batch: Block) -> tuple[Any, Any]:
        """Return the dtypes that anchors and counts have to be widened to, or None."""
        xp, m = self._xp, self._totals.moments
        wide = self._residual_dtype(batch.features) == xp.float64
        widen_anchors = wide and m.anchors.dtype != xp.float64
        widen_counts = batch.weights is not None and m.counts.dtype != xp.float64
        return (
            xp.float64 if widen_anchors else None,
            xp.float64 if widen_counts else None,
        )

    def _add(self, block: Block, *, check: bool = False) -> bool:
        """Add one block, and return whether it was (if to `check`)."""
        drifted, unseen = self._current_flags()
        if drifted:
            self._put_residuals()
            self._set_moments(anchors.move_drifted(self._totals.moments))
            self._pending_flags = (False, unseen)
        new = unseen and self._has_new(block)
        if new:
            self._set_moments(anchors.anchor_unseen(self._totals.moments, block))
        if not isinstance(block.features, np.ndarray):
            self._put(blocks.terms(self._totals, block))
        elif self._totals.moments.scatter is None:
            terms = sums.terms(self._totals, block, check=check)
            if terms is None:
                return False
            self._put(terms)
        elif not self._take_residuals(block, check=check):
            return False
        elif new:
            self._put_residuals()  # their classes must not seem new any more
        return True

    def _has_new(self, block: Block) -> bool:
        """Whether a block has classes without samples; so it seems on a GPU."""
        if _array.on_gpu(block.features):
            return True
        xp = self._xp
        counts = xp.take(self._totals.moments.counts, block.index, axis=0)
        return bool(xp.any(counts == 0))

    def _put(self, terms: Terms) -> None:
        """Add terms to the totals."""
        with self._changing():
            self._totals = self._totals.add(terms, Team())
        self._look_around(terms.index)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Remember if the body, in which totals change, is left before its end."""
        self._whole = False
        yield
        self._whole = True

    def _check_whole(self) -> None:
        if not self._whole:
            msg = (
                "The sums are incomplete: adding rows to them was interrupted. Fit "
                "again, or go on from a copy made before."
            )
            raise RuntimeError(msg)

    def _look_around(self, index: Array) -> None:
        """Find out what anchors need before the next block, after rows were added."""
        drifted, unseen = self._pending_flags
        moments = self._totals.moments
        if not self._fixed_anchors:
            drifted = anchors.any_drifted(moments, index)
        if self._flags[1]:
            unseen = self._xp.any(moments.counts == 0)
        self._pending_flags = (drifted, unseen)

    def _take_residuals(self, block: Block, *, check: bool) -> bool:
        """Keep the residuals of a block, and sum what waits once there is enough."""
        held = self._residuals
        if held is None:
            held = self._residuals = self._no_residuals()
        if held.free < block.n_rows:
            self._put_residuals()
        if not held.take(self._totals.moments.anchors, block, check=check):
            return False
        if held.free < block.n_rows:  # while they are in the cache
            self._put_residuals()
        return True

    def _current_flags(self) -> Flags:
        """Return the newest flags that can be read without waiting for a GPU."""
        if not _array.on_gpu(self.like):
            drifted, unseen = _array.read_flags(*self._pending_flags)
            self._flags = (drifted, unseen)
        return self._flags

    def _no_residuals(self) -> Residuals:
        widest = _BLOCK_ELEMENTS // self.n_features
        n_blocks = max(1, min(self._waiting_blocks, widest // self._most_rows))
        dtype = self._totals.moments.anchors.dtype
        return Residuals(n_blocks * self._most_rows, self.n_features, dtype)


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
