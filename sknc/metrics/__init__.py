"""
The metrics of neural collapse: pure functions, and the one table of them.

The key of a metric is the name of its function. Reports, plots, the command line and
the documentation read `TABLE`; a new metric is a function and a row.
"""

from sknc.metrics._table import TABLE, Metric, catalogue, select
from sknc.metrics.agreement import nc4_head_accuracy, nc4_mismatch, nc4_ncc_accuracy
from sknc.metrics.duality import (
    nc0_weight_sum,
    nc3_cosine,
    nc3_self_duality,
    nc3_structure,
    nc4_bias_collapse,
)
from sknc.metrics.simplex import (
    nc2_cos_std,
    nc2_cos_std_head,
    nc2_equiangular,
    nc2_equiangular_head,
    nc2_equinorm,
    nc2_equinorm_head,
    nc2_etf,
    nc2_etf_head,
)
from sknc.metrics.variability import (
    nc1_cdnv,
    nc1_pinv,
    nc1_trace_ratio,
    nc1_within_fraction,
)

__all__ = [
    "TABLE",
    "Metric",
    "catalogue",
    "nc0_weight_sum",
    "nc1_cdnv",
    "nc1_pinv",
    "nc1_trace_ratio",
    "nc1_within_fraction",
    "nc2_cos_std",
    "nc2_cos_std_head",
    "nc2_equiangular",
    "nc2_equiangular_head",
    "nc2_equinorm",
    "nc2_equinorm_head",
    "nc2_etf",
    "nc2_etf_head",
    "nc3_cosine",
    "nc3_self_duality",
    "nc3_structure",
    "nc4_bias_collapse",
    "nc4_head_accuracy",
    "nc4_mismatch",
    "nc4_ncc_accuracy",
    "select",
]
