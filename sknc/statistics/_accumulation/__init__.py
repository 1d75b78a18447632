"""
Buffer batches of labeled rows, and add many rows together to the moments.

`accumulator` is the one mutable object, with the buffer. `residuals` computes residuals
from anchors, `summing` chooses good `anchors`, and `totals` sums residuals and their
`products`. `joint` accumulates features with targets.
"""

from sknc.statistics._accumulation.accumulator import (
    WAITING_BLOCKS,
    Accumulator,
    State,
    room_after,
    rows_in_block,
)
from sknc.statistics._accumulation.joint import JointAccumulator
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._accumulation.totals import Totals

__all__ = [
    "WAITING_BLOCKS",
    "Accumulator",
    "JointAccumulator",
    "Rows",
    "State",
    "Totals",
    "room_after",
    "rows_in_block",
]
