"""Build a report: available inputs, their metrics, and notes."""

from sknc.report._building.build import build_report, with_notes
from sknc.report._building.inputs import Inputs, metric_values
from sknc.report._building.notes import Errors, Omissions

__all__ = [
    "Errors",
    "Inputs",
    "Omissions",
    "build_report",
    "metric_values",
    "with_notes",
]
