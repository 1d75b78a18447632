"""The content of a report, and the forms in which it is shown and stored."""

from sknc.report._rendering.content import Content, Directions, Measured
from sknc.report._rendering.frame import data_frame, report_frame
from sknc.report._rendering.html import as_html
from sknc.report._rendering.json_text import (
    convention_document,
    from_json,
    read_convention,
    regression_from_json,
    regression_to_json,
    to_json,
)
from sknc.report._rendering.page import (
    LayerSide,
    layer_page,
    regression_page,
    report_page,
    write_page,
)
from sknc.report._rendering.regression_content import RegressionContent
from sknc.report._rendering.table import Shown
from sknc.report._rendering.text import as_text
from sknc.report._rendering.verdict import as_summary

__all__ = [
    "Content",
    "Directions",
    "LayerSide",
    "Measured",
    "RegressionContent",
    "Shown",
    "as_html",
    "as_summary",
    "as_text",
    "convention_document",
    "data_frame",
    "from_json",
    "layer_page",
    "read_convention",
    "regression_from_json",
    "regression_page",
    "regression_to_json",
    "report_frame",
    "report_page",
    "to_json",
    "write_page",
]
