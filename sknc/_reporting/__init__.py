"""Making a report: the inputs that there are, the metrics of them, and the notes."""

from sknc._reporting.build import build_report
from sknc._reporting.inputs import Inputs, metric_values
from sknc._reporting.notes import Errors, Omissions

__all__ = ["Errors", "Inputs", "Omissions", "build_report", "metric_values"]
