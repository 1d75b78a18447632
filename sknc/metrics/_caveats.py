"""Why a value is NaN or infinite, or what the regime forbids, in words."""

import math

from sknc._array import namespace
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics, HeldOutStatistics
from sknc.metrics._conditions import Case
from sknc.metrics._geometry import between_trace, spectrum
from sknc.metrics._instability import UNSTABLE, is_unstable
from sknc.metrics._table import TABLE
from sknc.metrics.imbalance import minority_classes
from sknc.statistics import ClassStatistics

SINGLE_SAMPLES = "Classes with one sample count with zero variance."

_SIMPLEX_KEYS = (
    "nc2_equiangular",
    "nc2_equiangular_max",
    "nc2_equiangular_rms",
    "nc2_cosgram",
    "nc2_etf",
    "nc2_cos_std",
    "nc3_structure",
)
_CORRECTED = (
    "nc1_trace_ratio",
    "nc1_within_fraction",
    "nc1_cdnv",
    "nc1_cdnv_max",
    "nc1_cdnv_median",
)
# Made with the inverse of the between-class covariance.
_INVERTED = ("nc1_pinv", "nc1_fuzziness", "nc1_correct", "nc1_wrong")
# Low where a class has one sample. The adjusted index knows how many there are.
_OF_VARIANCE = {"spec_within_pr"} | {
    key
    for key, metric in TABLE.items()
    if metric.group == "NC1" and key != "nc1_vci_adjusted"
}
# By the start of the key, without "_head".
_REASONS = {
    "nc2_welch": "there are no more classes than features, so no bound.",
    "imb_norm_count_corr": "counts or norms are all equal, or there are two classes.",
    "imb_block": "no two classes have the same count.",
    "imb_seli": "the class means coincide or all weights are zero.",
    "gnc2_dispersion_log": "two class means have the same direction.",
    "gnc2_margin": "the program for the nearest point of a hull did not converge.",
    "nc1_vci": "it takes more samples than features, and a rank of at least one.",
    "nc1_correct": "the head assigns no sample to its own class.",
    "nc1_wrong": "the head assigns every sample to its own class.",
    "nc1_cdnv_directional": "a class has no sample here.",
    "nc4_cosine_margin": "a sample is at the global mean, or a row of the head is the "
    "mean of its rows.",
    "spec_within_pr": "nothing varies within the classes.",
    "mse_": "the samples have no scatter.",
}


def caveat(
    key: str,
    value: float,
    statistics: AnyStatistics,
    head: LinearHead | None,
    convention: Convention,
) -> str | None:
    """Return what a reader of the value has to know, or None."""
    if TABLE[key].interval:
        return TABLE[key].note(Case(value, statistics, head, convention))
    if math.isnan(value):
        words = TABLE[key].out_of_range(statistics, head)
        if words:
            return f"Undefined: {words}."
        return _why_undefined(key, statistics, head, convention)
    if math.isinf(value):
        if key == "nc1_fuzziness":
            return "Minus infinity: nothing varies within the classes."
        what = (
            "directions of two class means" if key[0] == "g" else "means of two classes"
        )
        return f"Infinite: the {what} coincide."
    notes = [_regime(key, statistics, convention)]
    if key == "nc1_pinv" and is_unstable(value, statistics, convention):
        notes.append(UNSTABLE)
    if key in _OF_VARIANCE and has_single_samples(statistics):
        notes.append(SINGLE_SAMPLES)
    return " ".join(note for note in notes if note) or None


def _why_undefined(
    key: str, statistics: AnyStatistics, head: LinearHead | None, convention: Convention
) -> str:
    if key.removesuffix("_head") == "nc2_cos_std" and statistics.n_classes == 2:
        return "Undefined: two classes have one pair, whose spread has no meaning."
    if key.startswith("imb_minority"):
        return _why_no_minority(key, statistics, convention)
    if key in _INVERTED and not spectrum(statistics, convention).inverts(convention):
        return _why_no_inverse(statistics, convention)
    of_scatter = key in _INVERTED or key.startswith("nc1_vci")
    if of_scatter and statistics.all_singletons:
        return "Undefined: every class has one sample, so no variance is seen."
    for start, reason in _REASONS.items():
        if key.startswith(start):
            return f"Undefined: {reason}"
    if convention.bias_correction and key in _CORRECTED:
        return (
            "Undefined: nothing is left of a distance of class means after the "
            "correction for noise, or a class has one sample."
        )
    if key.endswith("_head") or key.startswith("nc0"):
        return "Undefined: a row of the head's weights is zero."
    if between_trace(statistics, convention) == 0:
        return "Undefined: all class means coincide."
    if key.startswith("nc3"):
        return (
            "Undefined: a row of the head is zero or a class mean is the global mean."
        )
    if key == "nc1_cdnv":
        return "Undefined: two classes coincide and have no variance."
    return "Undefined: a class mean is the global mean, so it has no direction."


def _why_no_inverse(statistics: AnyStatistics, convention: Convention) -> str:
    found = spectrum(statistics, convention)
    if not found.rank:
        return "Undefined: all class means coincide up to rounding."
    return (
        f"Undefined: the class means span {found.rank} of {found.possible} possible "
        'directions, and rank="full" inverts them all. Choose a convention with '
        'rank="numerical".'
    )


def _why_no_minority(
    key: str, statistics: AnyStatistics, convention: Convention
) -> str:
    few = minority_classes(statistics, convention.minority)
    sides = {"minority": few, "majority": ~few}
    if not key.endswith("ratio"):
        del sides["majority"]
    if not few.any():
        return (
            "Undefined: all counts are equal, so no class is of the minority. Name "
            "some: convention=Convention(minority=[label, ...])."
        )
    for side, mask in sides.items():
        labels = statistics.centers.classes[mask].tolist()
        if len(labels) < 2:
            found = f"has one class, {labels}," if labels else "has no class"
            return (
                f"Undefined: the {side} {found} and so no pair. Choose another split: "
                "convention=Convention(minority=...), a quantile or labels."
            )
    if key.endswith("ratio"):
        return "Undefined: all class means coincide."
    what = "row of the head" if key.endswith("_head") else "centered class mean"
    return f"Undefined: a {what} of the minority is zero, so it has no direction."


def has_single_samples(statistics: AnyStatistics) -> bool:
    """
    Whether a class has one sample, whose distance to its own mean is zero.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        What was measured.

    Returns
    -------
    bool
        Never true of samples about the means of others, where distances are real.
    """
    centers = statistics.centers
    if not centers.once("single_samples", lambda: _any_single(centers)):
        return False
    return not isinstance(statistics, HeldOutStatistics) or statistics.are_fitted


def _any_single(centers: ClassStatistics) -> bool:
    # Weights may sum to one over several samples. Those have a spread.
    spread = centers.class_variances > 1e-6 * centers.moments.squares
    return bool(namespace(spread).any((centers.counts == 1) & ~spread))


def _regime(key: str, statistics: AnyStatistics, convention: Convention) -> str | None:
    n_classes, n_features = statistics.n_classes, statistics.n_features
    if key.removesuffix("_head") in _SIMPLEX_KEYS and n_classes > n_features + 1:
        text = f"{n_classes} classes have no simplex in {n_features} dimensions"
        if key.removesuffix("_head") in ("nc2_etf", "nc3_structure"):
            floor = math.sqrt(2 - 2 * math.sqrt(n_features / (n_classes - 1)))
            return f"{text}: the least possible value is {floor:.6g}."
        return f"{text}: zero cannot be reached."
    if key == "nc1_pinv":
        found = spectrum(statistics, convention)
        if found.rank < found.possible:
            return (
                f"The class means span {found.rank} of {found.possible} possible "
                "directions: only these are compared."
            )
    return None
