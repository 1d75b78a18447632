"""
Accumulate batches of labeled rows into moments.

`accumulator` is the one mutable object: it buffers rows, so that many are added
together. `residuals` computes residuals, `totals` sums them, and `summing` chooses good
`anchors` first. `joint` accumulates features with targets.
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
