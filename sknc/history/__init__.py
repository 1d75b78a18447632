"""
Reports of one run by step, stored in memory and in a file, plotted and compared.

`_journal` and `_reading`: the file, and recovery after a killed run.
"""

from sknc.history._entry import HistoryEntry
from sknc.history.nc_history import NCHistory

__all__ = ["HistoryEntry", "NCHistory"]
