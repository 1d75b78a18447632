"""
From batches of labeled rows to moments.

`accumulator` is the one mutable object: rows wait there until many are added together.
`residuals` takes them, `totals` sums them, and `summing` does so about good `anchors`.
`joint` accumulates features with targets.
"""

from sknc.statistics._accumulation.accumulator import (
    WAITING_BLOCKS,
    Accumulator,
    Held,
    rows_in_block,
)
from sknc.statistics._accumulation.joint import JointAccumulator
from sknc.statistics._accumulation.residuals import Rows

__all__ = [
    "WAITING_BLOCKS",
    "Accumulator",
    "Held",
    "JointAccumulator",
    "Rows",
    "rows_in_block",
]
