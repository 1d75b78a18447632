"""Rows of the table beyond the headline set."""

from typing import Any

from sknc.metrics import _sources as by
from sknc.metrics import (
    alignment,
    decomposition,
    dispersion,
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


def _row(
    function: Any,
    group: str,
    needs: tuple[Input, ...],
    lower: bool | None,
    ideal: float | str | None,
    source: by.Source,
    most_classes: int | None = None,
) -> Metric:
    return Metric(
        function, group, needs, lower, ideal, (source,), most_classes=most_classes
    )


_NC1: tuple[Metric, ...] = (
    _row(separability.nc1_cdnv_median, "NC1", _MEANS, True, 0.0, by.after(by.GALANTI)),
    _row(separability.nc1_cdnv_max, "NC1", _MEANS, True, 0.0, by.after(by.GALANTI)),
    _row(
        sample_margins.nc1_cdnv_directional,
        "NC1",
        _SAMPLES,
        True,
        0.0,
        by.LUTHRA,
        most_classes=_MANY,
    ),
    _row(separability.nc1_vci, "NC1", _SCATTER, True, 0.0, by.XU),
    _row(separability.nc1_vci_adjusted, "NC1", _SCATTER, True, 0.0, by.after(by.XU)),
    _row(separability.nc1_fuzziness, "NC1", _WITHIN, True, "-inf", by.HE_SU),
    _row(sample_margins.nc1_correct, "NC1", _ENERGIES, True, 0.0, by.after(by.PAPYAN)),
    _row(sample_margins.nc1_wrong, "NC1", _ENERGIES, True, None, by.after(by.PAPYAN)),
)

_GNC2 = (
    _row(dispersion.gnc2_energy_log, "GNC2", _MEANS, True, "-log(2K/(K-1))/2", by.LIU),
    _row(dispersion.gnc2_dispersion_log, "GNC2", _MEANS, True, 0.0, by.after(by.WU)),
    _row(
        dispersion.gnc2_energy_riesz, "GNC2", _MEANS, True, "(2K/(K-1))**(-1/2)", by.LIU
    ),
    _row(
        dispersion.gnc2_dispersion_distance, "GNC2", _MEANS, True, 0.0, by.after(by.WU)
    ),
    _row(
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
    _row(alignment.nc3_uniform_duality, "NC3", _BOTH, True, 0.0, by.after(by.WU)),
    _row(alignment.nc3_gram, "NC3", _BOTH, True, 0.0, by.after(by.PAPYAN)),
    _row(alignment.nc3_procrustes, "NC3", _BOTH, True, 0.0, by.after(by.PAPYAN)),
    _row(alignment.nc3_norm_ratio, "NC3", _BOTH, True, 0.0, by.after(by.PAPYAN)),
    _row(alignment.nc3_principal_angles, "NC3", _BOTH, False, 1.0, by.RANGAMANI),
)

_NC4 = (
    _row(
        sample_margins.nc4_cosine_margin,
        "NC4",
        ("measures", "any_head"),
        False,
        "K/(K-1)",
        by.after(by.ZHOU),
    ),
    _row(
        sample_margins.nc4_ncc_margin,
        "NC4",
        ("measures",),
        None,
        "half the distance to the nearest center",
        by.after(by.GALANTI),
    ),
)

_NC5 = (
    _row(ood.nc5_orthogonality, "NC5", ("statistics", "ood_mean"), True, 0.0, by.AMMAR),
    _row(
        ood.nc5_orthogonality_centered,
        "NC5",
        ("statistics", "ood_mean"),
        True,
        None,
        by.after(by.AMMAR),
    ),
    _row(
        ood.nc5_neco,
        "NC5",
        ("statistics", "ood_features", "scatter"),
        None,
        "1 for the fitted classes, lower elsewhere",
        by.AMMAR,
    ),
)

_IMBALANCE = (
    _row(imbalance.imb_minority_cosine, "imbalance", _MEANS, True, "-1/(K-1)", by.FANG),
    _row(
        imbalance.imb_minority_cosine_head,
        "imbalance",
        _BOTH,
        True,
        "-1/(K-1)",
        by.FANG,
    ),
    _row(
        imbalance.imb_minority_ratio, "imbalance", _MEANS, None, 1.0, by.after(by.FANG)
    ),
    _row(
        imbalance.imb_norm_count_corr,
        "imbalance",
        _MEANS,
        None,
        None,
        by.after(by.THRAMPOULIDIS),
    ),
    _row(
        imbalance.imb_norm_count_corr_head,
        "imbalance",
        _BOTH,
        None,
        None,
        by.after(by.THRAMPOULIDIS),
    ),
    _row(imbalance.imb_block, "imbalance", _MEANS, True, 0.0, by.after(by.HONG)),
    *(
        _row(function, "imbalance", needs, True, 0.0, by.THRAMPOULIDIS, most_classes=n)
        for function, needs, n in (
            (imbalance.imb_seli_w, _BOTH, _MANY),
            (imbalance.imb_seli_h, _MEANS, _MANY),
            (imbalance.imb_seli_z, _BOTH, _MANY),
        )
    ),
)

_LOSS = tuple(
    _row(function, "MSE", _MSE, True, ideal, by.HAN)
    for function, ideal in (
        (decomposition.mse_total, None),
        (decomposition.mse_lnc1, None),
        (decomposition.mse_lnc23, None),
        (decomposition.mse_lperp, 0.0),
    )
)

_SPECTRUM = (
    _row(spectral.spec_between_pr, "spectrum", _MEANS, False, "K-1", by.GAO),
    _row(spectral.spec_effective_rank, "spectrum", _MEANS, False, "K-1", by.ROY),
    _row(spectral.spec_stable_rank, "spectrum", _MEANS, False, "K-1", by.RUDELSON),
    _row(spectral.spec_within_pr, "spectrum", _SCATTER, None, None, by.GAO),
)

FURTHER: tuple[Metric, ...] = (
    *_NC1,
    *_GNC2,
    *_NC3,
    *_NC4,
    *_NC5,
    *_IMBALANCE,
    *_LOSS,
    *_SPECTRUM,
)
