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
from sknc._accumulation.totals import Totals
from sknc._array import Array
from sknc._moments import Moments
from sknc._parallel import Team

# 32 MiB of float32 residuals at most in a block.
_BLOCK_ELEMENTS = 1 << 23
# Residuals wait in as many blocks, but not in more than 16 MiB of float32 or one block.
WAITING_BLOCKS = 4
_WAITING_ELEMENTS = 1 << 22
# To take residuals of fewer elements, or of fewer rows for each class there is, takes
# longer than to copy the rows into the buffer.
_LEAST_ELEMENTS = 1 << 15
_LEAST_ROWS_A_CLASS = 1 / 64
# Up to this width all is so cheap that float32 would save next to nothing.
_NARROW = 256

Flags: TypeAlias = tuple[Any, Any]


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Rows wait until they make a block, because the update of the (D, D) scatter costs
    the same memory traffic however few rows it takes: as residuals where that can be,
    else in a buffer. A batch is in as a whole or not at all, also if reading or adding
    is interrupted; where that cannot be, the sums are marked as incomplete.

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
    n_samples : int
        Number of samples in `moments`.
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
        n_samples: int = 0,
        fixed_anchors: bool = False,
        projector: Array | None = None,
        waiting_blocks: int = WAITING_BLOCKS,
    ) -> None:
        self._xp = _array.namespace(like)
        self._device = _array.device_of(like)
        self.n_features = int(like.shape[1])
        self._n_taken = n_samples  # all but those in the buffer
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

    @property
    def n_samples(self) -> int:
        """Number of rows so far."""
        return self._n_taken + (0 if self._buffer is None else self._buffer.filled)

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
        waits = batch.n_rows < self._least_rows
        ready = not (waits and self._is_few(batch)) and self._is_ready_for(batch)
        if ready and self._totals.moments.scatter is not None:
            waits = False
        # Residuals of one block that is added right away tell by themselves.
        tells = ready and not waits and batch.n_rows <= self._most_rows
        check = invalid is None and tells
        if invalid is None:
            invalid = not check and not _array.all_finite(features)
        invalid, *flags = _array.read_flags(invalid, *self._pending_flags)
        if invalid:
            return False
        self._flags = self._pending_flags = (flags[0], flags[1])
        self._make_room_for(batch)
        if waits:
            self._wait(batch)
            return True
        return self._add_all(batch, check=check)

    def _is_ready_for(self, batch: Block) -> bool:
        """Whether neither anchors nor dtypes change before a batch (NumPy only)."""
        if not isinstance(batch.features, np.ndarray):
            return False  # not worth to wait for a device
        drifted, unseen = self._pending_flags
        if drifted or self._wider_dtypes(batch) != (None, None):
            return False
        return not unseen or not self._has_new(batch)

    def _is_few(self, batch: Block) -> bool:
        """Whether it is cheaper to copy a batch than to take its residuals."""
        n_classes = int(self._totals.moments.counts.shape[0])
        return (
            batch.n_rows * self.n_features < _LEAST_ELEMENTS
            or batch.n_rows < _LEAST_ROWS_A_CLASS * n_classes
        )

    def flush(self) -> None:
        """Add all that waits."""
        self._empty_buffer()
        self._put_residuals()

    def _empty_buffer(self) -> None:
        """Add the rows that wait in the buffer."""
        waiting = None if self._buffer is None else self._buffer.waiting()
        if waiting is not None:
            self._make_room_for(waiting)
            self._add(waiting, source=self._buffer)

    def _put_residuals(self) -> None:
        """Add the residuals that wait to the totals."""
        held = self._residuals
        if held is None or not held.filled:
            return
        threads = _parallel.team(most_threads(held.filled, self.n_features))
        terms = held.terms(self._totals, threads)
        with self._changing():
            self._totals = self._totals.add(terms, threads)
            held.clear()
        self._look_around(terms.index)

    def _wait(self, batch: Block) -> None:
        """Copy rows to the buffer, after adding what is in it if they do not fit."""
        if self._buffer is None:
            self._buffer = Buffer(batch, self._least_rows)
        if self._buffer.free < batch.n_rows:
            self._empty_buffer()
        self._buffer.append(batch)

    def _add_all(self, batch: Block, *, check: bool) -> bool:
        """Add a batch in blocks of equal size, and return whether it was added."""
        n_blocks = -(-batch.n_rows // self._most_rows)
        if n_blocks == 1:
            return self._add(batch, check=check)
        assert not check  # or some of it could be in before it fails
        with self._changing():
            for part in _parallel.cut(batch.n_rows, n_blocks):
                self._add(batch.part(part))
        return True

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

    def _add(
        self, block: Block, *, check: bool = False, source: Buffer | None = None
    ) -> bool:
        """
        Add one block, and return whether it was (if to `check`).

        A buffer that is its `source` is cleared in the same moment.
        """
        self._prepare_anchors(block)
        terms = None
        if not isinstance(block.features, np.ndarray):
            terms = blocks.terms(self._totals, block)
        elif self._totals.moments.scatter is None:
            terms = sums.terms(self._totals, block, check=check)
            if terms is None:
                return False
        elif not self._take_residuals(block, check=check):
            return False
        with self._changing():
            if terms is not None:
                self._totals = self._totals.add(terms, Team())
            elif self._residuals is not None:
                self._residuals.keep(block)
            if source is not None:
                source.clear()
            self._n_taken += block.n_rows
        if terms is not None:
            self._look_around(terms.index)
        return True

    def _prepare_anchors(self, block: Block) -> None:
        """Set and move anchors that must not stay as they are for a block."""
        drifted, unseen = self._current_flags()
        new = unseen and self._has_new(block)
        if not drifted and not new:
            return
        self._put_residuals()  # they are from the anchors as they were
        drifted = drifted or self._current_flags()[0]
        new = new and self._has_new(block)
        with self._changing():
            if drifted:
                self._set_moments(anchors.move_drifted(self._totals.moments))
                self._pending_flags = (False, self._pending_flags[1])
            if new:
                self._set_moments(anchors.anchor_unseen(self._totals.moments, block))

    def _has_new(self, block: Block) -> bool:
        """Whether a block has classes without samples; so it seems on a GPU."""
        if _array.on_gpu(block.features):
            return True
        xp = self._xp
        counts = xp.take(self._totals.moments.counts, block.index, axis=0)
        return bool(xp.any(counts == 0))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Remember if the body, in which totals change, is left before its end."""
        whole, self._whole = self._whole, False
        yield
        self._whole = whole

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
        """Take residuals of a block, after adding those that wait if need be."""
        if self._residuals is None:
            self._residuals = self._no_residuals()
        if self._residuals.free < block.n_rows:
            self._put_residuals()
        return self._residuals.take(self._totals.moments.anchors, block, check=check)

    def _current_flags(self) -> Flags:
        """Return the newest flags that can be read without waiting for a GPU."""
        if not _array.on_gpu(self.like):
            drifted, unseen = _array.read_flags(*self._pending_flags)
            self._flags = (drifted, unseen)
        return self._flags

    def _no_residuals(self) -> Residuals:
        n_blocks = _WAITING_ELEMENTS // (self._most_rows * self.n_features)
        n_blocks = max(1, min(self._waiting_blocks, n_blocks))
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
