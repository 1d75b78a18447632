"""Add rows about good anchors, and in sufficient precision."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.thread_pool import ThreadPool
from sknc.statistics._accumulation import anchors
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._accumulation.totals import Totals

# Mean squares, their sum and weights within these bounds neither over- nor underflow
# in float32, and neither do the smallest residuals of float32 features.
_LEAST_SQUARE, _MOST_SQUARES = 1e-26, 1e37
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-12, 1e12


def summed(
    totals: Totals,
    rows: Rows,
    threads: ThreadPool,
    *,
    fixed: bool,
    flag: Any = False,
    memory: Mapping[str, Array] | None = None,
) -> tuple[Totals, bool]:
    """
    Return totals with rows added, after moving anchors that would cost digits.

    The arguments are not changed. `fixed` anchors are not moved. A `flag` on the device
    of the rows is read in the same transfer. `memory` may have arrays, by name, for the
    new sums and scatter.
    """
    memory = memory or {}
    on_host = isinstance(rows.values, np.ndarray)
    if on_host and not fixed:
        totals = anchors.near_first_rows(totals, rows)
    taken, found = _added(totals, rows, threads, memory.get("sums"))
    offsets = arrays.row_squared_norms(found.sums)
    moves = anchors.misplaced(totals, found, offsets)
    if not on_host:
        moves = moves | ((totals.counts == 0) & (found.counts > 0))
    any_moves: Any = not fixed and namespace(moves).any(moves)
    extreme = _is_extreme(taken, found, offsets)
    any_moves, extreme, flag = arrays.read_flags(any_moves, extreme, flag)
    if any_moves:
        totals = anchors.moved(totals, found, moves)
    if extreme:
        rows = rows.in_float64()
    if any_moves or extreme:
        taken, found = _added(totals, rows, threads, memory.get("sums"))
    return found.with_products(taken, threads, memory.get("scatter")), bool(flag)


def _added(
    totals: Totals, rows: Rows, threads: ThreadPool, memory: Array | None
) -> tuple[Rows, Totals]:
    """Return residuals from the anchors, and the totals with their sums added."""
    rows = rows.about(totals.anchors)
    if totals.scatter is not None:  # their products are needed too
        rows = rows.residuals()
    return rows, totals.with_sums(rows, threads, memory)


def _is_extreme(rows: Rows, after: Totals, offsets: Array) -> Any:
    """Whether sums or products of rows may over- or underflow in float32."""
    xp, weights = namespace(offsets), rows.weights
    if rows.dtype == xp.float64:
        return False
    counts = xp.astype(after.counts, xp.float64)
    tiny = after.squares < _LEAST_SQUARE * counts * after.sums.shape[1]
    # For a class without spread, both are zero.
    tiny = tiny & ((after.squares > 0) | (offsets > 0))
    extreme = xp.any(tiny) | ~(xp.sum(after.squares) < _MOST_SQUARES)
    if weights is not None:
        extreme = extreme | xp.any((weights < _LEAST_WEIGHT) | (weights > _MOST_WEIGHT))
    return extreme
