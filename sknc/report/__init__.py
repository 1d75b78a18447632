"""
The report: its value, how it is built from metrics, and the forms it is shown in.

- `_building`: notes, and which inputs metrics get; `_rendering`: text, HTML, JSON.
- `layerwise_report`, `_separation`: measures of all layers together.
"""

from sknc.report.layerwise_report import LayerwiseReport
from sknc.report.nc_report import NCReport

__all__ = ["LayerwiseReport", "NCReport"]
