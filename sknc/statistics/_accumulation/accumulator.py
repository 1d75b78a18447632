"""The one mutable object: takes batches, and adds them to the moments."""

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

# Rows in a block, if they are not more than 32 MiB of float32.
_FEWEST_ROWS, _MOST_ROWS, _BLOCK_ELEMENTS = 1024, 4096, 1 << 23
# So many blocks may wait, but not more than 16 MiB of float32 or one block.
WAITING_BLOCKS = 4
_WAITING_ELEMENTS = 1 << 22
# Up to this width all is so cheap that float32 would save next to nothing.
_NARROW = 256


@dataclass(frozen=True, eq=False)
class Held:
    """What an accumulator knows, for another to go on from with the same bits."""

    moments: Moments  # of rows that do not wait; with the room for more classes
    n_summed: int  # those rows
    waiting: Rows  # residuals from the anchors
    room: int  # rows that can wait

    def map(self, function: Callable[[Array], Array]) -> "Held":
        """Apply `function` to every array."""
        columns = (self.waiting.values, self.waiting.index, self.waiting.weights)
        rows = Rows(*map(function, (*columns, self.waiting.squares)))
        return replace(self, moments=self.moments.map_all(function), waiting=rows)


@dataclass(frozen=True, eq=False)
class _State:
    """All that an accumulator knows. It is replaced as a whole, by one assignment."""

    totals: Totals  # of rows that do not wait
    n_summed: int  # those rows
    n_waiting: int = 0  # rows at the beginning of the buffer
    owned: bool = True  # whether nobody else has the arrays of classes in `totals`
    part: tuple[Array, Totals] | None = None  # still to be put into `totals`


class Accumulator:
    """
    Running moments of a stream of batches with class indices.

    Rows wait in a buffer as residuals from the anchors of their classes, because a
    product of few rows costs as much memory traffic as that of many. The anchor of a
    class without samples is zero. When the buffer is full, or the moments are read,
    anchors that are far from their class means move, and all that waits is added.

    A batch is in as a whole or not at all, and nothing that is in gets lost, wherever a
    call is interrupted: new sums are made beside the old ones, and then replace them.

    It begins without samples beside a batch `like` those to come, with room for some
    classes; or with `moments` of `n_samples`, which stay as they are. Anchors that are
    fixed never move. With a `projector`, (D, R), squared lengths along its directions
    are summed too. The more blocks may wait, the more time is saved and memory used.
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
        # New pages of memory cost time, so arrays that nobody needs are written again.
        self._spare: dict[str, Array] = {}
        self._shared = moments  # what others have
        owned = moments is None
        if moments is None:
            dtype = self._residual_dtype(like)
            moments = Moments.zeros(like, n_classes, dtype, covariance=covariance)
        energies = None if projector is None else 0 * moments.squares
        totals = Totals(**vars(moments), projector=projector, energies=energies)
        self._state = _State(totals, n_samples, owned=owned)
        # Where no product wants many residuals, they are summed in the cache.
        self._in_cache = isinstance(like, np.ndarray) and totals.scatter is None
        self._block_rows = self._most_rows(waiting_blocks)

    @classmethod
    def resumed(
        cls, held: Held, n_classes: int, *, waiting_blocks: int
    ) -> "Accumulator":
        """Return an accumulator that goes on from what another knew."""
        moments, n_waiting = held.moments, held.waiting.n_rows
        self = cls(
            moments.anchors,
            n_classes,
            moments=moments,
            n_samples=held.n_summed,
            waiting_blocks=waiting_blocks,
        )
        if n_waiting:
            # A GPU has more room. Here it is made as large as it has to be.
            fits = n_waiting <= held.room <= self._block_rows
            room = held.room if fits else max(self._block_rows, n_waiting)
            self._memory = Rows.empty(self.like, room)
            self._memory[slice(0, n_waiting)].fill(held.waiting)
            self._state = replace(self._state, n_waiting=n_waiting)
        return self

    # Reading ---------------------------------------------------------------

    def held(self) -> Held:
        """Return all that this knows, in arrays that the next update may overwrite."""
        self._settle()
        state = self._state
        rows = self._buffer() if state.n_waiting else Rows.empty(self.like, 0)
        parts = (getattr(state.totals, item.name) for item in fields(Moments))
        waiting = rows[slice(0, state.n_waiting)]
        return Held(Moments(*parts), state.n_summed, waiting, rows.n_rows)

    @property
    def like(self) -> Array:
        """An array of the library and device of the stream."""
        return self._state.totals.anchors

    @property
    def energies(self) -> Array | None:
        """Sums of squared lengths on the projector, (K,), as of `moments()`."""
        return self._state.totals.energies

    @property
    def n_samples(self) -> int:
        """Number of rows so far."""
        return self._state.n_summed + self._state.n_waiting

    def moments(self) -> Moments:
        """Return the moments of all rows so far; later updates leave them alone."""
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
        Add a batch, and return whether it was added: if not, nothing has changed.

        It is not if the flag `invalid`, perhaps still on a device, is true; or if it is
        None, for unknown, and the features are not finite.
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
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is checked
            state = add(self._state.totals.counting(weights), batch, invalid)
        if state is None:
            return False
        self._adopt(state)
        return True

    def _with_waiting(self, totals: Totals, batch: Rows, invalid: Any) -> _State | None:
        """Return the state in which a batch waits, unless it is invalid."""
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
        """Return the state in which a batch is added, unless it is invalid."""
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
        """Add the rows that wait, and read a flag in the same transfer if it is one."""
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
        """Return memory for the next sums and scatter, where there is some."""
        now = self._state.totals
        found = {
            name: array
            for name, array in self._spare.items()
            if getattr(totals, name) is getattr(now, name) is not array
        }
        if totals.scatter is not now.scatter:  # that of an earlier block of the batch
            found["scatter"] = totals.scatter
        return found

    def _adopt(self, state: _State) -> None:
        """Go on from another state."""
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
        """Put totals of classes where they belong, again if that was interrupted."""
        state = self._state
        if state.part is not None:
            totals = state.totals.put(*state.part)
            self._state = replace(state, totals=totals, part=None)

    # Room ------------------------------------------------------------------

    def grow(self, n_classes: int) -> None:
        """Make room for `n_classes` classes in all."""
        self._settle()
        self._n_classes = max(self._n_classes, n_classes)
        totals = self._state.totals
        held = int(totals.counts.shape[0])
        if n_classes > held:
            # Growing by a share keeps the cost of many small growths linear.
            totals = totals.grown(max(n_classes, held + held // 4 + 8))
            self._state = replace(self._state, totals=totals)

    def _most_rows(self, waiting_blocks: int) -> int:
        """Return how many rows are added in one step."""
        most = rows_in_block(self.n_features)
        if arrays.on_gpu(self.like):
            return 4 * most  # a GPU needs more rows at once to be busy
        if self._in_cache or not isinstance(self.like, np.ndarray):
            return most
        n_blocks = _WAITING_ELEMENTS // (most * self.n_features)
        return max(1, min(waiting_blocks, n_blocks)) * most

    def _buffer(self) -> Rows:
        """Return the memory for rows that wait, new if it must be and nothing waits."""
        room, held, dtype = self._block_rows, self._memory, self.like.dtype
        if held is not None and self._state.n_waiting:
            return held
        if self._in_cache:  # but sums of many classes leave it in any case
            room = min(room, max(rows_in_cache(self.n_features), 8 * self._n_classes))
        if held is None or held.n_rows != room or held.values.dtype != dtype:
            self._memory = held = Rows.empty(self.like, room)
        return held

    def _can_wait(self, batch: Rows, room: int) -> bool:
        """Whether it is not better to add a batch right away."""
        if batch.n_rows > room:
            return False
        if batch.n_rows < rows_in_cache(self.n_features):
            return True
        # Of classes without anchors, residuals would have to be taken again.
        counts = self._state.totals.counts
        on_host = isinstance(counts, np.ndarray)
        return not on_host or bool(np.all(counts[batch.index] > 0))

    def _residual_dtype(self, features: Array) -> Any:
        """Return the dtype in which residuals of a batch are taken."""
        if self.n_features <= _NARROW:
            return namespace(features).float64
        return arrays.working_dtype(features)


def rows_in_block(n_features: int) -> int:
    """Return how many rows are multiplied together."""
    return min(_MOST_ROWS, max(_FEWEST_ROWS, _BLOCK_ELEMENTS // n_features))


def _is_finite(squares: Array, features: Array) -> bool:
    """Whether features are finite, given squared lengths of their residuals."""
    # Squares of finite numbers may overflow, so ask each number then.
    return bool(np.isfinite(np.sum(squares))) or arrays.all_finite(features)


def _selected(totals: Totals, index: Array) -> tuple[Array | None, Array, Totals]:
    """Return classes of rows or None for all, the rows' places there, and totals."""
    xp, n_classes = namespace(index), int(totals.counts.shape[0])
    can_put = isinstance(index, np.ndarray) or arrays.is_tensor(index)
    if n_classes <= index.shape[0] or not can_put:
        return None, index, totals
    # On a GPU with repetitions: the host would have to wait to hear of their number.
    ids = xp.sort(index) if arrays.on_gpu(index) else xp.unique_values(index)
    return ids, xp.searchsorted(ids, index), totals.select(ids)


def _joined(
    state: _State, totals: Totals, ids: Array | None, part: Totals, n_rows: int
) -> _State:
    """Return the state in which rows of some classes are summed, and none wait."""
    n_summed = state.n_summed + n_rows
    if ids is None:
        return _State(part, n_summed, owned=state.owned)
    if arrays.on_gpu(ids):  # of repetitions, only the first has changed
        part = part.select(namespace(ids).searchsorted(ids, ids))
    totals = totals if state.owned else totals.copied()
    return _State(totals, n_summed, part=(ids, part))
