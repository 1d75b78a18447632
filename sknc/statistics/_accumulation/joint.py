"""Accumulate features with targets, and directions of features, in one pass."""

from functools import partial
from typing import Any

from sknc._utils import arrays
from sknc._utils.arrays import Array, device_of, namespace
from sknc._utils.completion import Completed
from sknc.statistics._accumulation.accumulator import Accumulator, State
from sknc.statistics._moments import Moments

# Rows converted to float64 together; on the host they stay in the cache.
_TILE_ELEMENTS, _GPU_ELEMENTS = 1 << 17, 1 << 24


class JointAccumulator(Completed):
    """
    Running moments of ``(x, y)``, and of ``x / |x|`` for nonzero features.

    Each is an `Accumulator` with one class. It starts without samples, in the library
    of features `like` those to come; or with the moments of `held`, which are not
    changed, and their numbers of rows.
    """

    def __init__(
        self,
        like: Array,
        n_targets: int,
        held: tuple[Moments, Moments] | None = None,
        n_rows: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        xp, width = namespace(like), int(like.shape[1])
        place: dict[str, Any] = {"device": device_of(like)}
        self._new_index = partial(xp.zeros, dtype=xp.int64, **place)
        if held is None:
            columns = (width + n_targets, width)
            rows = (xp.zeros((1, n), dtype=xp.float64, **place) for n in columns)
            states = [State.empty(row, 1) for row in rows]
        else:
            states = list(map(State.of, held, n_rows))
        self._parts = tuple(map(Accumulator, states))

    @property
    def like(self) -> Array:
        """An array in the library and on the device of the sums."""
        return self._parts[0].like

    @property
    def n_rows(self) -> tuple[int, int]:
        """Number of rows so far, and of those with nonzero features."""
        joint, directions = self._parts
        return joint.n_samples, directions.n_samples

    def update(self, X: Array, y: Array, weights: Array | None) -> None:
        """Add finite features, with float64 targets (two axes) and weights."""
        add = partial(self._add, X, y, weights, self.n_rows)
        self._complete(add, lambda: self.n_rows)

    def _add(
        self, X: Array, y: Array, weights: Array | None, before: tuple[int, int]
    ) -> None:
        """Add a batch, without rows already added, given the numbers `before`."""
        xp, expected = namespace(X), list(before)
        n_elements = _GPU_ELEMENTS if arrays.on_gpu(X) else _TILE_ELEMENTS
        step = max(1, n_elements // int(X.shape[1]))
        for tile in arrays.tiles(int(X.shape[0]), step):
            rows = xp.astype(X[tile, :], xp.float64)
            some = None if weights is None else weights[tile]
            joint = xp.concat([rows, y[tile, :]], axis=1), some
            for part, (values, factors) in enumerate((joint, _directions(rows, some))):
                n_rows, accumulator = int(values.shape[0]), self._parts[part]
                if n_rows and accumulator.n_samples == expected[part]:
                    accumulator.update(values, self._new_index(n_rows), factors)
                expected[part] += n_rows

    def moments(self) -> tuple[Moments, Moments]:
        """Return the moments of all rows so far; later updates do not change them."""
        self._check_complete()
        joint, directions = self._parts
        return joint.moments(), directions.moments()


def _directions(rows: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the nonzero rows at unit length, and their weights."""
    xp = namespace(rows)
    largest = xp.max(xp.abs(rows), axis=1)
    used = largest > 0
    if not bool(xp.all(used)):
        rows, largest = rows[used], largest[used]
        weights = None if weights is None else weights[used]
    rows = rows / largest[:, None]  # so that no square overflows
    return rows / xp.sqrt(arrays.row_squared_norms(rows))[:, None], weights
