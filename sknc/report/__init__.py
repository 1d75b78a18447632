"""The report: its value, how it is built from metrics, and the forms it is shown in."""

from sknc.report.layerwise_report import LayerwiseReport
from sknc.report.nc_report import NCReport

__all__ = ["LayerwiseReport", "NCReport"]
