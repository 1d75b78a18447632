"""
From batches of rows to moments.

`accumulator` holds the one mutable object. It gathers small batches in a `buffer`, has
an anchor a class (`anchors`), and adds blocks of rows to the `totals`: for NumPy as
`residuals` that wait to be many, for other libraries block by block (`blocks`).
"""

from sknc._accumulation.accumulator import Accumulator

__all__ = ["Accumulator"]
