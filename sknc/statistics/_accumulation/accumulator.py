"""The one mutable object: it buffers batches, and adds them to the moments."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from sknc._utils import arrays, thread_pool
from sknc._utils.arrays import Array, namespace
from sknc.statistics._accumulation.products import most_threads
from sknc.statistics._accumulation.residuals import Rows, rows_in_cache
from sknc.statistics._accumulation.summing import summed
from sknc.statistics._accumulation.totals import Totals
from sknc.statistics._moments import Moments

# Rows in a block, unless they exceed 32 MiB of float32.
_FEWEST_ROWS, _MOST_ROWS, _BLOCK_ELEMENTS = 1024, 4096, 1 << 23
# Number of blocks in the buffer, up to 16 MiB of float32 or one block.
WAITING_BLOCKS = 4
_WAITING_ELEMENTS = 1 << 22
# Up to this width everything is so cheap that float32 would save almost nothing.
_NARROW = 256


@dataclass(frozen=True, eq=False)
class Held:
    """State of an accumulator, from which another continues with the same bits."""

    moments: Moments  # of rows not in the buffer, with room for more classes
    n_summed: int  # number of those rows
    waiting: Rows  # residuals from the anchors
    room: int  # size of the buffer in rows

    def map(self, function: Callable[[Array], Array]) -> "Held":
        """Apply `function` to every array."""
        columns = (self.waiting.values, self.waiting.index, self.waiting.weights)
        rows = Rows(*map(function, (*columns, self.waiting.squares)))
        return replace(self, moments=self.moments.map_all(function), waiting=rows)


@dataclass(frozen=True, eq=False)
class _State:
    """The state of an accumulator. It is replaced as a whole, by one assignment."""

    totals: Totals  # of rows not in the buffer
    n_summed: int  # number of those rows
    n_waiting: int = 0  # rows at the beginning of the buffer
    owned: bool = True  # whether nobody else uses the class arrays in `totals`
    part: tuple[Array, Totals] | None = None  # still to be stored in `totals`


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Rows are buffered as residuals from the anchors of their classes, because a product
    of few rows costs as much memory traffic as one of many. The anchor of a class
    without samples is zero. When the buffer is full, or the moments are read, anchors
    far from their class means are moved, and the buffered rows are added.

    Updates are atomic: an interrupted call adds a batch completely or not at all, and
    loses nothing. New sums are computed next to the old ones, and then replace them.

    It starts without samples, in the library of a batch `like` those to come, with room
    for some classes; or with `moments` of `n_samples`, which are not changed. Fixed
    anchors never move. With a `projector`, (D, R), squared lengths along its directions
    are summed too. Buffering more blocks saves time and takes more memory.
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
        self.n_features = int(like.shape[1])
        self._n_classes = n_classes
        self._fixed_anchors = fixed_anchors
        self._memory: Rows | None = None
        # New memory pages are slow, so unused arrays are reused.
        self._spare: dict[str, Array] = {}
        self._shared = moments  # arrays that others use
        owned = moments is None
        if moments is None:
            dtype = self._residual_dtype(like)
            moments = Moments.zeros(like, n_classes, dtype, covariance=covariance)
        energies = None if projector is None else 0 * moments.squares
        totals = Totals(**vars(moments), projector=projector, energies=energies)
        self._state = _State(totals, n_samples, owned=owned)
        # If no product needs many residuals, they are summed in the cache.
        self._in_cache = isinstance(like, np.ndarray) and totals.scatter is None
        self._block_rows = self._most_rows(waiting_blocks)

    @classmethod
    def resumed(
        cls, held: Held, n_classes: int, *, waiting_blocks: int
    ) -> "Accumulator":
        """Return an accumulator that continues from the state of another."""
        moments, n_waiting = held.moments, held.waiting.n_rows
        self = cls(
            moments.anchors,
            n_classes,
            moments=moments,
            n_samples=held.n_summed,
            waiting_blocks=waiting_blocks,
        )
        if n_waiting:
            # A GPU has a larger buffer. Here it gets the required size.
            fits = n_waiting <= held.room <= self._block_rows
            room = held.room if fits else max(self._block_rows, n_waiting)
            self._memory = Rows.empty(self.like, room)
            self._memory[slice(0, n_waiting)].fill(held.waiting)
            self._state = replace(self._state, n_waiting=n_waiting)
        return self

    # Reading ---------------------------------------------------------------

    def held(self) -> Held:
        """Return the state, in arrays that the next update may overwrite."""
        self._settle()
        state = self._state
        rows = self._buffer() if state.n_waiting else Rows.empty(self.like, 0)
        parts = (getattr(state.totals, item.name) for item in fields(Moments))
        waiting = rows[slice(0, state.n_waiting)]
        return Held(Moments(*parts), state.n_summed, waiting, rows.n_rows)

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
        return self._state.n_summed + self._state.n_waiting

    def moments(self) -> Moments:
        """Return the moments of all rows so far; later updates do not change them."""
        self._flush()
        m = self._state.totals
        self._spare = {}
        self._shared = Moments(m.counts, m.anchors, m.sums, m.squares, m.scatter)
        self._state = replace(self._state, owned=False)
        return self._shared

    # Updating --------------------------------------------------------------

    def update(
        self, features: Array, index: Array, weights: Array | None, invalid: Any = False
    ) -> bool:
        """
        Add a batch, and return whether it was added; otherwise nothing changes.

        It is rejected if the flag `invalid`, possibly still on a device, is true; or if
        the flag is None, for unknown, and the features are not finite.
        """
        self._settle()
        batch, room = Rows(features, index, weights), self._buffer().n_rows
        wide = namespace(self.like).float64
        wider = self.like.dtype != wide == self._residual_dtype(features)
        waits = not wider and self._can_wait(batch, room)
        if not waits or self._state.n_waiting + batch.n_rows > room:
            if wider and invalid is None:
                invalid = not arrays.all_finite(features)
            invalid = self._flush(invalid)
        if wider and not invalid:  # or a rejected batch would change the dtype
            anchors = namespace(self.like).astype(self.like, wide)
            totals = replace(self._state.totals, anchors=anchors)
            self._state = replace(self._state, totals=totals)
        add = self._with_waiting if waits else self._with_sums
        with np.errstate(over="ignore", invalid="ignore"):  # overflow is checked
            state = add(self._state.totals.counting(weights), batch, invalid)
        if state is None:
            return False
        self._adopt(state)
        return True

    def _with_waiting(self, totals: Totals, batch: Rows, invalid: Any) -> _State | None:
        """Return the state after buffering a batch, unless it is invalid."""
        if invalid:
            return None
        n_waiting = self._state.n_waiting + batch.n_rows
        rows = self._buffer()[slice(self._state.n_waiting, n_waiting)]
        if self._state.n_summed or self._fixed_anchors:
            batch = batch.about(totals.anchors)
        batch.write(rows)  # at first all anchors are zero
        if invalid is None and not _is_finite(rows.squares, batch.values):
            return None
        return replace(self._state, totals=totals, n_waiting=n_waiting)

    def _with_sums(self, totals: Totals, batch: Rows, invalid: Any) -> _State | None:
        """Return the state after adding a batch, unless it is invalid."""
        ids, index, part = _selected(totals, batch.index)
        batch, flag = replace(batch, index=index, memory=self._buffer()), invalid
        for where in thread_pool.cut(
            batch.n_rows, -(-batch.n_rows // self._block_rows)
        ):
            part, flag = self._sum(part, batch[where], flag)
            if flag:
                return None
            if invalid is None and not _is_finite(part.squares, batch.values[where]):
                return None
        return _joined(self._state, totals, ids, part, batch.n_rows)

    def _flush(self, flag: Any = False) -> Any:
        """Add the buffered rows, and read a flag, if any, in the same transfer."""
        self._settle()
        state, totals = self._state, self._state.totals
        if not state.n_waiting:
            return flag
        rows = self._buffer()[slice(0, state.n_waiting)]
        ids, index, part = _selected(totals, rows.index)
        weights, base = rows.weights if totals.weighted else None, part.anchors
        rows = replace(rows, index=index, weights=weights, base=base, dtype=base.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            part, found = self._sum(part, rows, flag)
        self._adopt(_joined(state, totals, ids, part, rows.n_rows))
        return None if flag is None else found

    def _sum(self, totals: Totals, rows: Rows, flag: Any = False) -> tuple[Totals, Any]:
        shared = isinstance(rows.values, np.ndarray) and totals.scatter is not None
        most = most_threads(rows.n_rows, self.n_features) if shared else 1
        threads = thread_pool.new_pool(most)
        memory = self._memory_for(totals)
        return summed(
            totals, rows, threads, fixed=self._fixed_anchors, flag=flag, memory=memory
        )

    def _memory_for(self, totals: Totals) -> dict[str, Array]:
        """Return memory for the next sums and scatter, if there is some."""
        now = self._state.totals
        found = {
            name: array
            for name, array in self._spare.items()
            if getattr(totals, name) is getattr(now, name) is not array
        }
        if totals.scatter is not now.scatter:  # from an earlier block of the batch
            found["scatter"] = totals.scatter
        return found

    def _adopt(self, state: _State) -> None:
        """Replace the state."""
        before = self._state.totals
        self._state = state
        self._settle()
        for name in ("sums", "scatter"):
            old, new = getattr(before, name), getattr(self._state.totals, name)
            if old is new:
                continue
            self._spare.pop(name, None)  # it may be the new one
            if isinstance(old, np.ndarray) and old is not getattr(
                self._shared, name, 0
            ):
                self._spare[name] = old

    def _settle(self) -> None:
        """Store totals of classes in their rows, again if that was interrupted."""
        state = self._state
        if state.part is not None:
            totals = state.totals.put(*state.part)
            self._state = replace(state, totals=totals, part=None)

    # Room ------------------------------------------------------------------

    def grow(self, n_classes: int) -> None:
        """Make room for `n_classes` classes in total."""
        self._settle()
        self._n_classes = max(self._n_classes, n_classes)
        totals = self._state.totals
        held = int(totals.counts.shape[0])
        if n_classes > held:
            # Growing by a factor keeps the cost of many small growths linear.
            totals = totals.grown(max(n_classes, held + held // 4 + 8))
            self._state = replace(self._state, totals=totals)

    def _most_rows(self, waiting_blocks: int) -> int:
        """Return how many rows are added in one step."""
        most = rows_in_block(self.n_features)
        if arrays.on_gpu(self.like):
            return 4 * most  # a GPU needs more rows to be busy
        if self._in_cache or not isinstance(self.like, np.ndarray):
            return most
        n_blocks = _WAITING_ELEMENTS // (most * self.n_features)
        return max(1, min(waiting_blocks, n_blocks)) * most

    def _buffer(self) -> Rows:
        """Return the buffer; allocate it if necessary and if it is empty."""
        room, held, dtype = self._block_rows, self._memory, self.like.dtype
        if held is not None and self._state.n_waiting:
            return held
        if self._in_cache:  # but sums of many classes do not fit there anyway
            room = min(room, max(rows_in_cache(self.n_features), 8 * self._n_classes))
        if held is None or held.n_rows != room or held.values.dtype != dtype:
            self._memory = held = Rows.empty(self.like, room)
        return held

    def _can_wait(self, batch: Rows, room: int) -> bool:
        """Whether to buffer a batch rather than add it right away."""
        if batch.n_rows > room:
            return False
        if batch.n_rows < rows_in_cache(self.n_features):
            return True
        # For classes without anchors, residuals would have to be recomputed.
        counts = self._state.totals.counts
        on_host = isinstance(counts, np.ndarray)
        return not on_host or bool(np.all(counts[batch.index] > 0))

    def _residual_dtype(self, features: Array) -> Any:
        """Return the dtype in which residuals of a batch are computed."""
        if self.n_features <= _NARROW:
            return namespace(features).float64
        return arrays.working_dtype(features)


def rows_in_block(n_features: int) -> int:
    """Return how many rows are multiplied together."""
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _BLOCK_ELEMENTS // n_features))


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
    state: _State, totals: Totals, ids: Array | None, part: Totals, n_rows: int
) -> _State:
    """Return the state in which rows of some classes are summed, and none buffered."""
    n_summed = state.n_summed + n_rows
    if ids is None:
        return _State(part, n_summed, owned=state.owned)
    if arrays.on_gpu(ids):  # of repetitions, only the first has changed
        part = part.select(namespace(ids).searchsorted(ids, ids))
    totals = totals if state.owned else totals.copied()
    return _State(totals, n_summed, part=(ids, part))
