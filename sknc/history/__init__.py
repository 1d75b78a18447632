"""
Reports of one run by step: kept in memory and in a file, drawn, and compared.

`_journal` and `_reading`: the file, and what a killed run leaves of it.
"""

from sknc.history._entry import HistoryEntry
from sknc.history.nc_history import NCHistory

__all__ = ["HistoryEntry", "NCHistory"]
