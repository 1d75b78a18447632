"""The one mutable object: it buffers batches, and adds them to the moments."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sknc._utils import arrays, thread_pool
from sknc._utils.arrays import Array, namespace
from sknc.statistics._accumulation.residuals import Rows, rows_in_cache
from sknc.statistics._accumulation.summing import summed
from sknc.statistics._accumulation.totals import NO_SPARE, Spare, Totals
from sknc.statistics._moments import Moments

# Rows in a block, unless they exceed 32 MiB of float32.
_FEWEST_ROWS, _MOST_ROWS, _BLOCK_ELEMENTS = 1024, 4096, 1 << 23
# Number of blocks in the buffer, up to 16 MiB of float32 or one block.
WAITING_BLOCKS = 4
_WAITING_ELEMENTS = 1 << 22
# Up to this width everything is so cheap that float32 would save almost nothing.
_NARROW = 256


@dataclass(frozen=True, eq=False)
class State:
    """The state of an accumulator, from which another continues with the same bits."""

    totals: Totals  # of rows not in the buffer, with room for more classes
    n_summed: int  # number of those rows
    buffer: Rows  # memory for residuals from the anchors
    n_waiting: int = 0  # rows at the beginning of the buffer
    part: tuple[Array, Totals] | None = None  # still to be stored in `totals`
    lent: bool = False  # whether others may use the arrays of `totals`
    spare: Spare = NO_SPARE  # memory for the next sums

    @classmethod
    def empty(cls, like: Array, n_classes: int, *, covariance: bool = True) -> "State":
        """Return a state without rows, for features `like` those to come."""
        dtype = _residual_dtype(like)
        moments = Moments.zeros(like, n_classes, dtype, covariance=covariance)
        return replace(cls.of(moments), lent=False)

    @classmethod
    def of(
        cls, moments: Moments, n_samples: int = 0, projector: Array | None = None
    ) -> "State":
        """
        Return the state of moments, which are not changed.

        With a projector, (D, R), squared lengths of residuals along its directions are
        summed too.
        """
        energies = None if projector is None else 0 * moments.squares
        totals = Totals(**vars(moments), projector=projector, energies=energies)
        buffer = Rows.empty(moments.anchors, 0)
        return cls(totals, n_samples, buffer, lent=True)

    @property
    def n_samples(self) -> int:
        """Number of all rows."""
        return self.n_summed + self.n_waiting

    @property
    def waiting(self) -> Rows:
        """The rows in the buffer."""
        return self.buffer[slice(0, self.n_waiting)]

    @property
    def summed_moments(self) -> Moments:
        """The moments of the rows that are not in the buffer."""
        return Moments(*(getattr(self.totals, item.name) for item in fields(Moments)))

    def map(self, function: Callable[[Array], Array]) -> "State":
        """Return a state with the copies that `function` makes of every array."""
        totals, buffer = self.totals.map_all(function), self.waiting.map(function)
        return State(totals, self.n_summed, buffer, self.n_waiting)


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Rows are buffered as residuals from the anchors of their classes, because a product
    of few rows costs as much memory traffic as one of many. The anchor of a class
    without samples is zero. When the buffer is full, or the moments are read, anchors
    far from their class means are moved, and the buffered rows are added.

    Updates are atomic: an interrupted call adds a batch completely or not at all, and
    loses nothing. New sums are computed next to the old ones, and then replace them.

    It starts from a state, such as one without rows. Fixed anchors never move.
    Buffering more blocks saves time and takes more memory.
    """

    def __init__(
        self,
        state: State,
        *,
        fixed_anchors: bool = False,
        waiting_blocks: int = WAITING_BLOCKS,
    ) -> None:
        self._state, self._fixed_anchors = state, fixed_anchors
        self._waiting_blocks = waiting_blocks

    # Reading ---------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state, in arrays that the next update may overwrite."""
        return self._settle()

    @property
    def like(self) -> Array:
        """An array in the library and on the device of the stream."""
        return self._state.totals.anchors

    @property
    def energies(self) -> Array | None:
        """Sums of squared lengths along the projector, (K,), matching `moments()`."""
        return self._state.totals.energies

    @property
    def n_samples(self) -> int:
        """Number of rows so far."""
        return self._state.n_samples

    def moments(self) -> Moments:
        """Return the moments of all rows so far; later updates do not change them."""
        state = self._flush()[0]
        self._state = replace(state, lent=True)
        return state.summed_moments

    # Updating --------------------------------------------------------------

    def update(
        self, features: Array, index: Array, weights: Array | None, invalid: Any = False
    ) -> bool:
        """
        Add a batch, and return whether it was added; otherwise nothing changes.

        It is rejected if the flag `invalid`, possibly still on a device, is true; or if
        the flag is None, for unknown, and the features are not finite.
        """
        state, batch = self._make_room(), Rows(features, index, weights)
        wide = namespace(self.like).float64
        wider = self.like.dtype != wide == _residual_dtype(features)
        waits = not wider and self._can_wait(batch)
        if not waits or state.n_waiting + batch.n_rows > state.buffer.n_rows:
            state, invalid = self._flush(invalid)
        totals = state.totals.counting(weights)
        if wider:
            anchors = namespace(self.like).astype(totals.anchors, wide)
            totals = replace(totals, anchors=anchors)
        add = self._with_waiting if waits else self._with_sums
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is checked
            new = add(state, totals, batch, invalid)
        if new is not None:
            self._state = new
            self._settle()
        return new is not None

    def _with_waiting(
        self, state: State, totals: Totals, batch: Rows, invalid: Any
    ) -> State | None:
        """Return the state after buffering a batch, unless it is invalid."""
        if invalid:
            return None
        n_waiting, anchors = state.n_waiting + batch.n_rows, totals.anchors
        memory = state.buffer[slice(state.n_waiting, n_waiting)]
        if not state.n_summed and not self._fixed_anchors:  # all anchors are zero
            batch = replace(batch, base=anchors)
        rows = batch.about(anchors, memory=memory)
        rows.put_in(memory)
        if invalid is None and not _is_finite(rows.squares, batch.values):
            return None
        return replace(state, totals=totals, n_waiting=n_waiting)

    def _with_sums(
        self, state: State, totals: Totals, batch: Rows, invalid: Any
    ) -> State | None:
        """Return the state after adding a batch, unless it is invalid."""
        ids, index, part = _selected(totals, batch.index)
        batch, spare, flag = replace(batch, index=index), state.spare, invalid
        n_blocks, fixed = -(-batch.n_rows // state.buffer.n_rows), self._fixed_anchors
        for where in thread_pool.cut(batch.n_rows, n_blocks):
            before = part
            part, flag = summed(
                part, batch[where], flag, fixed=fixed, memory=state.buffer, spare=spare
            )
            if flag:
                return None
            if invalid is None and not _is_finite(part.squares, batch.values[where]):
                return None
            # The sums before the batch are needed if it is rejected.
            spare = before.spare(
                sums=before.sums is not totals.sums,
                scatter=before.scatter is not totals.scatter,
            )
        return _joined(state, totals, ids, part, batch.n_rows)

    def _flush(self, flag: Any = False) -> tuple[State, Any]:
        """Add the buffered rows, and read a flag, if any, in the same transfer."""
        state = self._settle()
        if not state.n_waiting:
            return state, flag
        rows, totals, fixed = state.waiting, state.totals, self._fixed_anchors
        ids, index, part = _selected(totals, rows.index)
        weights = rows.weights if part.weighted else None
        rows = replace(rows, index=index, weights=weights, base=part.anchors)
        with np.errstate(over="ignore", invalid="ignore"):
            part, found = summed(part, rows, flag, fixed=fixed, spare=state.spare)
        self._state = _joined(state, totals, ids, part, rows.n_rows)
        return self._settle(), None if flag is None else found

    def _settle(self) -> State:
        """Store totals of classes in their rows, again if that was interrupted."""
        state = self._state
        if state.part is not None:
            totals = state.totals.put(*state.part)
            self._state = state = replace(state, totals=totals, part=None)
        return state

    # Room ------------------------------------------------------------------

    def grow(self, n_classes: int) -> None:
        """Make room for `n_classes` classes in total."""
        state = self._settle()
        held = int(state.totals.counts.shape[0])
        if n_classes > held:
            totals = state.totals.grown(max(n_classes, room_after(held)))
            self._state = replace(state, totals=totals)

    def _make_room(self) -> State:
        """Make room in the buffer; too many rows, from a GPU, wait as they are."""
        state, room = self._settle(), self._room()
        fits = state.buffer.n_rows == room or state.n_waiting > room
        if fits and state.buffer.values.dtype == self.like.dtype:
            return state
        buffer = Rows.empty(self.like, room)
        state.waiting.put_in(buffer[slice(0, state.n_waiting)])
        self._state = state = replace(state, buffer=buffer)
        return state

    def _room(self) -> int:
        """Return how many rows are added in one step."""
        n_classes, n_features = map(int, self.like.shape)
        most = rows_in_block(n_features)
        if arrays.on_gpu(self.like):
            return 4 * most  # a GPU needs more rows to be busy
        if not isinstance(self.like, np.ndarray):
            return most
        if self._state.totals.scatter is None:
            # No product needs many rows, but sums of many classes do.
            few = self._waiting_blocks * rows_in_cache(n_features)
            return min(most, max(few, 8 * n_classes))
        n_blocks = _WAITING_ELEMENTS // (most * n_features)
        return max(1, min(self._waiting_blocks, n_blocks)) * most

    def _can_wait(self, batch: Rows) -> bool:
        """Whether to buffer a batch rather than add it right away."""
        state, n_rows = self._state, batch.n_rows
        if n_rows > state.buffer.n_rows:
            return False
        if n_rows < rows_in_cache(int(batch.values.shape[1])):
            return True
        # For classes without anchors, residuals would have to be recomputed.
        counts = state.totals.counts
        on_host = isinstance(counts, np.ndarray)
        return not on_host or bool(np.all(counts[batch.index] > 0))


def room_after(n_classes: int) -> int:
    """Return the next room for classes, after room for so many."""
    # Growing by a factor keeps the cost of many small growths linear.
    return n_classes + n_classes // 4 + 8


def rows_in_block(n_features: int) -> int:
    """Return how many rows are multiplied together."""
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _BLOCK_ELEMENTS // n_features))


def _residual_dtype(features: Array) -> Any:
    """Return the dtype in which residuals of a batch are computed."""
    if features.shape[1] <= _NARROW:
        return namespace(features).float64
    return arrays.working_dtype(features)


def _is_finite(squares: Array, features: Array) -> bool:
    """Whether features are finite, given squared lengths of their residuals."""
    # Squares of finite numbers may overflow, so check each number then.
    return bool(np.isfinite(np.sum(squares))) or arrays.all_finite(features)


def _selected(totals: Totals, index: Array) -> tuple[Array | None, Array, Totals]:
    """Return the classes of rows (None for all), positions in them, and totals."""
    xp, n_classes = namespace(index), int(totals.counts.shape[0])
    can_put = isinstance(index, np.ndarray) or arrays.is_tensor(index)
    if n_classes <= index.shape[0] or not can_put:
        return None, index, totals
    # On a GPU with repetitions, since counting unique ones would make the host wait.
    ids = xp.sort(index) if arrays.on_gpu(index) else xp.unique_values(index)
    return ids, xp.searchsorted(ids, index), totals.select(ids)


def _joined(
    state: State, totals: Totals, ids: Array | None, part: Totals, n_rows: int
) -> State:
    """Return the state in which rows of some classes are summed, and none buffered."""
    n_summed, buffer, is_free = state.n_summed + n_rows, state.buffer, not state.lent
    # A float64 product has memory for the next scatter.
    is_single = buffer.values.dtype != totals.sums.dtype
    spare = totals.spare(sums=is_free and ids is None, scatter=is_free and is_single)
    if ids is None:
        if state.lent:  # all other arrays are new
            anchors = namespace(part.anchors).asarray(part.anchors, copy=True)
            part = replace(part, anchors=anchors)
        return State(part, n_summed, buffer, spare=spare)
    if arrays.on_gpu(ids):  # of repetitions, only the first has changed
        part = part.select(namespace(ids).searchsorted(ids, ids))
    totals = totals.copied() if state.lent else totals
    return State(totals, n_summed, buffer, part=(ids, part), spare=spare)
