"""
Reports: their value, how they are built from metrics, and how they are shown.

- `_building`: notes, and the inputs of metrics; `_rendering`: text, pages, JSON.
- `_metric_report`: reading and exporting, for reports of every kind.
- `nrc_report`: regression.
- `layerwise_report`, `_separation`, `_layer_forms`: measures of all layers together.
"""

from sknc.report.layerwise_report import LayerwiseReport
from sknc.report.nc_report import NCReport
from sknc.report.nrc_report import NRCReport

__all__ = ["LayerwiseReport", "NCReport", "NRCReport"]
