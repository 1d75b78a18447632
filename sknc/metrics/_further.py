"""Rows of the table beyond the headline set."""

from collections.abc import Callable

from sknc.metrics import _sources as by
from sknc.metrics import (
    alignment,
    decomposition,
    dispersion,
    frames,
    frames_head,
    imbalance,
    margin,
    ood,
    sample_margins,
    separability,
    spectral,
)
from sknc.metrics._metric import Input, Metric

_MEANS: tuple[Input, ...] = ("statistics",)
_HEAD: tuple[Input, ...] = ("head",)
_BOTH: tuple[Input, ...] = ("statistics", "head")
_WITHIN: tuple[Input, ...] = ("statistics", "within")
_SCATTER: tuple[Input, ...] = ("statistics", "scatter")
_SAMPLES: tuple[Input, ...] = ("statistics", "measures")
_ENERGIES: tuple[Input, ...] = (*_SAMPLES, "energies", "head_decisions")
_MSE: tuple[Input, ...] = ("statistics", "head", "scatter")
# Classes above which metrics="all" leaves out K x K work of many steps.
_MANY = 5_000


def _twins(
    of_means: Callable[..., float],
    of_head: Callable[..., float],
    lower: bool | None,
    ideal: float | str | None,
    source: str,
) -> tuple[Metric, Metric]:
    """Return the rows of a metric of class means and of that of the head."""
    return (
        Metric(of_means, "NC2", _MEANS, lower, ideal, source),
        Metric(of_head, "NC2", _HEAD, lower, ideal, source),
    )


_NC1: tuple[Metric, ...] = (
    Metric(separability.nc1_cdnv_median, "NC1", _MEANS, True, 0.0, by.AFTER_GALANTI),
    Metric(separability.nc1_cdnv_max, "NC1", _MEANS, True, 0.0, by.AFTER_GALANTI),
    Metric(
        sample_margins.nc1_cdnv_directional,
        "NC1",
        _SAMPLES,
        True,
        0.0,
        by.LUTHRA,
        most_classes=_MANY,
    ),
    Metric(separability.nc1_vci, "NC1", _SCATTER, True, 0.0, by.XU),
    Metric(separability.nc1_vci_adjusted, "NC1", _SCATTER, True, 0.0, f"after {by.XU}"),
    Metric(separability.nc1_fuzziness, "NC1", _WITHIN, True, "-inf", by.HE_SU),
    Metric(sample_margins.nc1_correct, "NC1", _ENERGIES, True, 0.0, by.AFTER_PAPYAN),
    Metric(sample_margins.nc1_wrong, "NC1", _ENERGIES, True, None, by.AFTER_PAPYAN),
)

_NC2 = (
    *_twins(
        frames.nc2_equiangular_max,
        frames_head.nc2_equiangular_max_head,
        True,
        0.0,
        by.AFTER_PAPYAN,
    ),
    *_twins(
        frames.nc2_equiangular_rms,
        frames_head.nc2_equiangular_rms_head,
        True,
        0.0,
        by.AFTER_PAPYAN,
    ),
    *_twins(
        frames.nc2_log_equinorm,
        frames_head.nc2_log_equinorm_head,
        True,
        0.0,
        by.AFTER_WU,
    ),
    *_twins(
        frames.nc2_cosgram, frames_head.nc2_cosgram_head, True, 0.0, by.AFTER_PAPYAN
    ),
    *_twins(
        frames.nc2_etf_floor, frames_head.nc2_etf_floor_head, None, None, by.AFTER_ZHU
    ),
    *_twins(
        frames.nc2_etf_excess, frames_head.nc2_etf_excess_head, True, 0.0, by.AFTER_ZHU
    ),
    *_twins(
        frames.nc2_orthoframe,
        frames_head.nc2_orthoframe_head,
        None,
        "0 without centering, sqrt(2-2sqrt((K-1)/K)) for a simplex about 0",
        by.DANG,
    ),
    *_twins(
        frames.nc2_tightness, frames_head.nc2_tightness_head, True, 0.0, by.AFTER_FRAMES
    ),
    *_twins(
        frames.nc2_coherence,
        frames_head.nc2_coherence_head,
        True,
        "1/(K-1)",
        by.STROHMER,
    ),
    *_twins(frames.nc2_welch, frames_head.nc2_welch_head, True, 0.0, by.AFTER_WELCH),
    *_twins(
        frames.nc2_min_angle,
        frames_head.nc2_min_angle_head,
        False,
        "arccos(-1/(K-1))",
        by.LIU,
    ),
)

_GNC2 = (
    Metric(
        dispersion.gnc2_energy_log, "GNC2", _MEANS, True, "-log(2K/(K-1))/2", by.LIU
    ),
    Metric(dispersion.gnc2_dispersion_log, "GNC2", _MEANS, True, 0.0, by.AFTER_WU),
    Metric(
        dispersion.gnc2_energy_riesz, "GNC2", _MEANS, True, "(2K/(K-1))**(-1/2)", by.LIU
    ),
    Metric(dispersion.gnc2_dispersion_distance, "GNC2", _MEANS, True, 0.0, by.AFTER_WU),
    Metric(
        margin.gnc2_margin,
        "GNC2",
        _MEANS,
        False,
        "K/(K-1)",
        by.JIANG,
        most_classes=_MANY,
    ),
)

_NC3 = (
    Metric(alignment.nc3_uniform_duality, "NC3", _BOTH, True, 0.0, by.AFTER_WU),
    Metric(alignment.nc3_gram, "NC3", _BOTH, True, 0.0, by.AFTER_PAPYAN),
    Metric(alignment.nc3_procrustes, "NC3", _BOTH, True, 0.0, by.AFTER_PAPYAN),
    Metric(alignment.nc3_norm_ratio, "NC3", _BOTH, True, 0.0, by.AFTER_PAPYAN),
    Metric(alignment.nc3_principal_angles, "NC3", _BOTH, False, 1.0, by.RANGAMANI),
)

_NC4 = (
    Metric(
        sample_margins.nc4_cosine_margin,
        "NC4",
        ("measures", "any_head"),
        False,
        "K/(K-1)",
        by.AFTER_ZHOU,
    ),
    Metric(
        sample_margins.nc4_ncc_margin,
        "NC4",
        ("measures",),
        None,
        "half the distance to the nearest center",
        by.AFTER_GALANTI,
    ),
)

_NC5 = (
    Metric(
        ood.nc5_orthogonality, "NC5", ("statistics", "ood_mean"), True, 0.0, by.AMMAR
    ),
    Metric(
        ood.nc5_orthogonality_centered,
        "NC5",
        ("statistics", "ood_mean"),
        True,
        None,
        f"after {by.AMMAR}",
    ),
    Metric(
        ood.nc5_neco,
        "NC5",
        ("statistics", "ood_features", "scatter"),
        None,
        "1 for the fitted classes, lower elsewhere",
        by.AMMAR,
    ),
)

_IMBALANCE = (
    Metric(
        imbalance.imb_minority_cosine, "imbalance", _MEANS, True, "-1/(K-1)", by.FANG
    ),
    Metric(
        imbalance.imb_minority_cosine_head,
        "imbalance",
        _BOTH,
        True,
        "-1/(K-1)",
        by.FANG,
    ),
    Metric(imbalance.imb_minority_ratio, "imbalance", _MEANS, None, 1.0, by.AFTER_FANG),
    Metric(
        imbalance.imb_norm_count_corr,
        "imbalance",
        _MEANS,
        None,
        None,
        by.AFTER_THRAMPOULIDIS,
    ),
    Metric(
        imbalance.imb_norm_count_corr_head,
        "imbalance",
        _BOTH,
        None,
        None,
        by.AFTER_THRAMPOULIDIS,
    ),
    Metric(imbalance.imb_block, "imbalance", _MEANS, True, 0.0, by.AFTER_HONG),
    *(
        Metric(
            function, "imbalance", needs, True, 0.0, by.THRAMPOULIDIS, most_classes=n
        )
        for function, needs, n in (
            (imbalance.imb_seli_w, _BOTH, _MANY),
            (imbalance.imb_seli_h, _MEANS, _MANY),
            (imbalance.imb_seli_z, _BOTH, _MANY),
        )
    ),
)

_LOSS = tuple(
    Metric(function, "MSE", _MSE, True, ideal, by.HAN)
    for function, ideal in (
        (decomposition.mse_total, None),
        (decomposition.mse_lnc1, None),
        (decomposition.mse_lnc23, None),
        (decomposition.mse_lperp, 0.0),
    )
)

_SPECTRUM = (
    Metric(spectral.spec_between_pr, "spectrum", _MEANS, False, "K-1", by.GAO),
    Metric(spectral.spec_effective_rank, "spectrum", _MEANS, False, "K-1", by.ROY),
    Metric(spectral.spec_stable_rank, "spectrum", _MEANS, False, "K-1", by.RUDELSON),
    Metric(spectral.spec_within_pr, "spectrum", _SCATTER, None, None, by.GAO),
)

FURTHER: tuple[Metric, ...] = (
    *_NC1,
    *_NC2,
    *_GNC2,
    *_NC3,
    *_NC4,
    *_NC5,
    *_IMBALANCE,
    *_LOSS,
    *_SPECTRUM,
)
