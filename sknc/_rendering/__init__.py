"""What a report holds, and the forms in which it is shown and stored."""

from sknc._rendering.content import Content, Directions, Measured
from sknc._rendering.frame import data_frame, report_frame
from sknc._rendering.html import as_html
from sknc._rendering.json_text import from_json, to_json
from sknc._rendering.text import as_text

__all__ = [
    "Content",
    "Directions",
    "Measured",
    "as_html",
    "as_text",
    "data_frame",
    "from_json",
    "report_frame",
    "to_json",
]
