"""Features with targets, and the directions of features, in one pass."""

from functools import partial
from typing import Any

from sknc._utils import arrays
from sknc._utils.arrays import Array, device_of, namespace
from sknc.statistics._accumulation.accumulator import Accumulator
from sknc.statistics._moments import Moments

# Rows that become float64 together; on the host they stay in the cache.
_TILE_ELEMENTS, _GPU_ELEMENTS = 1 << 17, 1 << 24


class JointAccumulator:
    """
    Running moments of ``(x, y)``, and of ``x / |x|`` for features other than zero.

    Each is an `Accumulator` of one class. A batch is in as a whole or not at all: one
    that was interrupted is completed, and if that is interrupted too, the sums can no
    longer be read.

    It begins without samples beside features `like` those to come; or with the moments
    of `held`, which stay as they are, and of so many rows each.
    """

    def __init__(
        self,
        like: Array,
        n_targets: int,
        held: tuple[Moments, Moments] | None = None,
        n_rows: tuple[int, int] = (0, 0),
    ) -> None:
        xp, width = namespace(like), int(like.shape[1])
        place: dict[str, Any] = {"device": device_of(like)}
        self._new_index = partial(xp.zeros, dtype=xp.int64, **place)
        widths = (width + n_targets, width)
        self._parts = tuple(
            Accumulator(
                xp.zeros((1, width), dtype=xp.float64, **place),
                1,
                moments=None if held is None else held[part],
                n_samples=n_rows[part],
            )
            for part, width in enumerate(widths)
        )
        self._whole = True

    @property
    def like(self) -> Array:
        """An array of the library and device of the sums."""
        return self._parts[0].like

    @property
    def n_rows(self) -> tuple[int, int]:
        """Number of rows so far, and of those whose features are not zero."""
        joint, directions = self._parts
        return joint.n_samples, directions.n_samples

    def update(self, X: Array, y: Array, weights: Array | None) -> None:
        """Add finite features, with float64 targets of two axes and weights."""
        self._check_whole()
        before = self.n_rows
        try:
            self._add(X, y, weights, before)
        except BaseException:
            self._add(X, y, weights, before)
            raise

    def _add(
        self, X: Array, y: Array, weights: Array | None, before: tuple[int, int]
    ) -> None:
        """Add a batch, but for the rows that are in, if there were `before` rows."""
        self._whole, xp, expected = False, namespace(X), list(before)
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
        self._whole = True

    def moments(self) -> tuple[Moments, Moments]:
        """Return the moments of all rows so far; later updates leave them alone."""
        self._check_whole()
        joint, directions = self._parts
        return joint.moments(), directions.moments()

    def _check_whole(self) -> None:
        if not self._whole:
            msg = (
                "The sums are incomplete: adding a batch was interrupted twice. Fit "
                "again, or go on from a copy made before."
            )
            raise RuntimeError(msg)


def _directions(rows: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the rows other than zero at unit length, and their weights."""
    xp = namespace(rows)
    largest = xp.max(xp.abs(rows), axis=1)
    used = largest > 0
    if not bool(xp.all(used)):
        rows, largest = rows[used], largest[used]
        weights = None if weights is None else weights[used]
    rows = rows / largest[:, None]  # so that no square overflows
    return rows / xp.sqrt(arrays.row_squared_norms(rows))[:, None], weights
