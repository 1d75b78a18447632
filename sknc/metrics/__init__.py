"""
The metrics of neural collapse: pure functions, and the one table of them.

The key of a metric is the name of its function. Reports, plots, the command line and
the documentation read `TABLE`; a new metric is a function and a row.
"""

from sknc.metrics._metric import Metric
from sknc.metrics._table import TABLE, catalogue, select
from sknc.metrics.agreement import (
    nc4_head_accuracy,
    nc4_mismatch,
    nc4_ncc_accuracy,
)
from sknc.metrics.alignment import (
    nc3_gram,
    nc3_norm_ratio,
    nc3_principal_angles,
    nc3_procrustes,
    nc3_uniform_duality,
)
from sknc.metrics.decomposition import (
    mse_lnc1,
    mse_lnc23,
    mse_lperp,
    mse_total,
)
from sknc.metrics.dispersion import (
    gnc2_dispersion_distance,
    gnc2_dispersion_log,
    gnc2_energy_log,
    gnc2_energy_riesz,
)
from sknc.metrics.duality import (
    nc0_weight_sum,
    nc3_cosine,
    nc3_self_duality,
    nc3_structure,
    nc4_bias_collapse,
)
from sknc.metrics.frames import (
    nc2_coherence,
    nc2_cosgram,
    nc2_equiangular_max,
    nc2_equiangular_rms,
    nc2_etf_excess,
    nc2_etf_floor,
    nc2_log_equinorm,
    nc2_min_angle,
    nc2_orthoframe,
    nc2_tightness,
    nc2_welch,
)
from sknc.metrics.frames_head import (
    nc2_coherence_head,
    nc2_cosgram_head,
    nc2_equiangular_max_head,
    nc2_equiangular_rms_head,
    nc2_etf_excess_head,
    nc2_etf_floor_head,
    nc2_log_equinorm_head,
    nc2_min_angle_head,
    nc2_orthoframe_head,
    nc2_tightness_head,
    nc2_welch_head,
)
from sknc.metrics.grids import pair_grid, pair_grid_rows
from sknc.metrics.imbalance import (
    imb_block,
    imb_minority_cosine,
    imb_minority_cosine_head,
    imb_minority_ratio,
    imb_norm_count_corr,
    imb_norm_count_corr_head,
    imb_seli_h,
    imb_seli_w,
    imb_seli_z,
)
from sknc.metrics.margin import (
    gnc2_margin,
)
from sknc.metrics.ood import (
    nc5_neco,
    nc5_orthogonality,
    nc5_orthogonality_centered,
    neco_scores,
)
from sknc.metrics.sample_margins import (
    nc1_cdnv_directional,
    nc1_correct,
    nc1_wrong,
    nc4_cosine_margin,
    nc4_ncc_margin,
)
from sknc.metrics.separability import (
    nc1_cdnv_max,
    nc1_cdnv_median,
    nc1_fuzziness,
    nc1_vci,
    nc1_vci_adjusted,
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
from sknc.metrics.spectral import (
    spec_between_pr,
    spec_effective_rank,
    spec_stable_rank,
    spec_within_pr,
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
    "gnc2_dispersion_distance",
    "gnc2_dispersion_log",
    "gnc2_energy_log",
    "gnc2_energy_riesz",
    "gnc2_margin",
    "imb_block",
    "imb_minority_cosine",
    "imb_minority_cosine_head",
    "imb_minority_ratio",
    "imb_norm_count_corr",
    "imb_norm_count_corr_head",
    "imb_seli_h",
    "imb_seli_w",
    "imb_seli_z",
    "mse_lnc1",
    "mse_lnc23",
    "mse_lperp",
    "mse_total",
    "nc0_weight_sum",
    "nc1_cdnv",
    "nc1_cdnv_directional",
    "nc1_cdnv_max",
    "nc1_cdnv_median",
    "nc1_correct",
    "nc1_fuzziness",
    "nc1_pinv",
    "nc1_trace_ratio",
    "nc1_vci",
    "nc1_vci_adjusted",
    "nc1_within_fraction",
    "nc1_wrong",
    "nc2_coherence",
    "nc2_coherence_head",
    "nc2_cos_std",
    "nc2_cos_std_head",
    "nc2_cosgram",
    "nc2_cosgram_head",
    "nc2_equiangular",
    "nc2_equiangular_head",
    "nc2_equiangular_max",
    "nc2_equiangular_max_head",
    "nc2_equiangular_rms",
    "nc2_equiangular_rms_head",
    "nc2_equinorm",
    "nc2_equinorm_head",
    "nc2_etf",
    "nc2_etf_excess",
    "nc2_etf_excess_head",
    "nc2_etf_floor",
    "nc2_etf_floor_head",
    "nc2_etf_head",
    "nc2_log_equinorm",
    "nc2_log_equinorm_head",
    "nc2_min_angle",
    "nc2_min_angle_head",
    "nc2_orthoframe",
    "nc2_orthoframe_head",
    "nc2_tightness",
    "nc2_tightness_head",
    "nc2_welch",
    "nc2_welch_head",
    "nc3_cosine",
    "nc3_gram",
    "nc3_norm_ratio",
    "nc3_principal_angles",
    "nc3_procrustes",
    "nc3_self_duality",
    "nc3_structure",
    "nc3_uniform_duality",
    "nc4_bias_collapse",
    "nc4_cosine_margin",
    "nc4_head_accuracy",
    "nc4_mismatch",
    "nc4_ncc_accuracy",
    "nc4_ncc_margin",
    "nc5_neco",
    "nc5_orthogonality",
    "nc5_orthogonality_centered",
    "neco_scores",
    "pair_grid",
    "pair_grid_rows",
    "select",
    "spec_between_pr",
    "spec_effective_rank",
    "spec_stable_rank",
    "spec_within_pr",
]
