"""
From batches of rows to moments.

`accumulator` holds the one mutable object. It gathers small batches in a `buffer`, has
an anchor a class (`anchors`), and adds blocks of rows to the `totals`. NumPy rows
become `residuals` that wait for one product, or `sums` at once if no scatter is kept;
rows of other libraries are added block by block (`blocks`).
"""

from sknc._accumulation.accumulator import WAITING_BLOCKS, Accumulator

__all__ = ["WAITING_BLOCKS", "Accumulator"]
