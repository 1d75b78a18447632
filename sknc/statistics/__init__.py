"""
The state: sums over labeled features, how they merge, and derived quantities.

- `_moments`, `_accumulation`: the sums; `_plain_arrays`: the same as NumPy arrays.
- `class_statistics`: merging, and classes without samples.
- `class_scatters`: scatters of single classes; `subset`: some of the classes.
- `held_out`, `decisions`, `sample_measures`: results of a second pass.
- `regression_statistics`: covariances of features and targets.
- `affine_rule`, `nearest_center`: decisions of nearest center and head; ties.
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
