"""
The metrics of neural collapse: pure functions, and one table of them.

The key of a metric is the name of its function, which can be imported from here.
Reports, plots, the command line and the documentation read `TABLE`.

- Public modules define metrics. docs/add_a_metric.md lists them by property; of NC2,
  `simplex` measures the distance from a simplex, `frames` from other frames, and
  `dispersion` how far apart the directions of the classes are.
- `_catalogue`: the decorator of metrics and their table, sources, reasons for NaN.
- `_shared`: what several metrics compute.
"""

import typing as _typing

from sknc.metrics._catalogue.metric import Metric
from sknc.metrics._catalogue.metric import MetricFunction as _MetricFunction
from sknc.metrics._catalogue.table import TABLE, catalogue, select
from sknc.metrics.decomposition import least_squares_head
from sknc.metrics.grids import pair_grid, pair_grid_rows
from sknc.metrics.long_tail import MinorityProfile, minority_profile
from sknc.metrics.multi_label import TagWiseAverage, tag_wise_average
from sknc.metrics.ood_scores import nci_scores, neco_scores

__all__ = [
    "TABLE",
    "Metric",
    "MinorityProfile",
    "TagWiseAverage",
    "catalogue",
    "least_squares_head",
    "minority_profile",
    "nci_scores",
    "neco_scores",
    "pair_grid",
    "pair_grid_rows",
    "select",
    "tag_wise_average",
    *TABLE,
]
__all__.sort(key=lambda name: (not name.isupper(), not name[0].isupper(), name))
globals().update({key: metric.function for key, metric in TABLE.items()})

if _typing.TYPE_CHECKING:  # type checkers cannot see the functions otherwise

    def __getattr__(name: str) -> _MetricFunction: ...
