"""Add rows about good anchors, and in sufficient precision."""

from typing import Any

import numpy as np

from sknc._utils import arrays, thread_pool
from sknc._utils.arrays import Array, namespace
from sknc.statistics._accumulation import anchors
from sknc.statistics._accumulation.products import most_threads
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._accumulation.totals import NO_SPARE, Spare, Totals

# Mean squares, their sum and weights within these bounds neither over- nor underflow
# in float32, and neither do the smallest residuals of float32 features.
_LEAST_SQUARE, _MOST_SQUARES = 1e-26, 1e37
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-12, 1e12


def summed(
    totals: Totals,
    rows: Rows,
    flag: Any = False,
    *,
    fixed: bool,
    memory: Rows | None = None,
    spare: Spare = NO_SPARE,
) -> tuple[Totals, bool]:
    """
    Return totals with rows added, after moving anchors that would cost digits.

    The totals and rows are not changed. `fixed` anchors are not moved. A `flag` on the
    device of the rows is read in the same transfer. `memory` is for residuals, and
    `spare` for the new sums.
    """
    on_host = isinstance(rows.values, np.ndarray)
    shared = on_host and totals.scatter is not None
    threads = thread_pool.new_pool(most_threads(*rows.values.shape) if shared else 1)
    if on_host and not fixed:
        totals = anchors.near_first_rows(totals, rows)
    taken = rows.about(totals.anchors, memory=memory)
    found = totals.with_sums(taken, threads, spare.sums)
    offsets = arrays.row_squared_norms(found.sums)
    moves = anchors.misplaced(totals, found, offsets)
    if not on_host:
        moves = moves | ((totals.counts == 0) & (found.counts > 0))
    any_moves: Any = not fixed and namespace(moves).any(moves)
    extreme = _is_extreme(taken, found, offsets)
    any_moves, extreme, flag = arrays.read_flags(any_moves, extreme, flag)
    if any_moves:
        totals = anchors.moved(totals, found, moves)
    if any_moves or extreme:
        dtype = namespace(offsets).float64 if extreme else None
        taken = rows.about(totals.anchors, dtype, memory)
        found = totals.with_sums(taken, threads, spare.sums)
    return found.with_products(taken, threads, spare.scatter), bool(flag)


def _is_extreme(rows: Rows, after: Totals, offsets: Array) -> Any:
    """Whether sums or products of rows may over- or underflow in float32."""
    xp, weights = namespace(offsets), rows.weights
    if rows.values.dtype == xp.float64:
        return False
    counts = xp.astype(after.counts, xp.float64)
    tiny = after.squares < _LEAST_SQUARE * counts * after.sums.shape[1]
    # For a class without spread, both are zero.
    tiny = tiny & ((after.squares > 0) | (offsets > 0))
    extreme = xp.any(tiny) | ~(xp.sum(after.squares) < _MOST_SQUARES)
    if weights is not None:
        extreme = extreme | xp.any((weights < _LEAST_WEIGHT) | (weights > _MOST_WEIGHT))
    return extreme
