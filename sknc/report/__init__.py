"""
The report: its value, how it is built from metrics, and the forms it is shown in.

- `_building`: notes, and which inputs metrics get; `_rendering`: text, pages, JSON.
- `_metric_report`: reading and exporting, of reports of every kind.
- `nrc_report`: regression.
- `layerwise_report`, `_separation`, `_layer_forms`: measures of all layers together.
"""

from sknc.report.layerwise_report import LayerwiseReport
from sknc.report.nc_report import NCReport
from sknc.report.nrc_report import NRCReport

__all__ = ["LayerwiseReport", "NCReport", "NRCReport"]
