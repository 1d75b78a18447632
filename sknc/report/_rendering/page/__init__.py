"""
Reports as pages: one file that a browser shows without anything else.

- `reports`, `layers`: what is on which page, in which order.
- `parts`, `cards`, `metric_table`, `classes`: what pages are made of.
- `sortable`, `figures`, `scales`: tables and drawings of any numbers.
- `document`, `markup`, `versions`: the file, its elements, its versions.
- `page.css`, `table.css`, `sort.js`: looks, those of tables in notebooks too, and
  sorting.
"""

from sknc.report._rendering.page.document import write_page
from sknc.report._rendering.page.layers import LayerSide, layer_page
from sknc.report._rendering.page.reports import regression_page, report_page

__all__ = ["LayerSide", "layer_page", "regression_page", "report_page", "write_page"]
