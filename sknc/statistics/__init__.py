"""
The state: what is summed of labeled features, how it merges, and what follows.

- `_moments`, `_accumulation`: how sums are kept; `_plain_arrays`: the same as arrays.
- `class_statistics`: how states merge, and what becomes of absent classes.
- `class_scatters`: those of single classes, on request; `subset`: some of the classes.
- `held_out`, `decisions`, `sample_measures`: what a second pass finds.
- `regression_statistics`: covariances of features and targets.
- `affine_rule`, `nearest_center`: how nearest center and head decide; ties.
"""

from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics
from sknc.statistics.regression_statistics import RegressionStatistics

__all__ = [
    "AnyStatistics",
    "ClassStatistics",
    "Decisions",
    "HeldOutStatistics",
    "RegressionStatistics",
]
