"""Why a value is NaN or infinite, or what the regime forbids, in words."""

import math

from sknc._array import namespace
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import between_trace, spectrum

_SIMPLEX_KEYS = ("nc2_equiangular", "nc2_etf", "nc2_cos_std", "nc3_structure")


def caveat(
    key: str,
    value: float,
    statistics: AnyStatistics,
    head: LinearHead | None,
    convention: Convention,
) -> str | None:
    """Return what a reader of the value has to know, or None."""
    if math.isnan(value):
        return _why_undefined(key, statistics, head, convention)
    if math.isinf(value):
        return "Infinite: the means of two classes coincide."
    return _regime(key, statistics, convention)


def _why_undefined(
    key: str, statistics: AnyStatistics, head: LinearHead | None, convention: Convention
) -> str:
    if key.removesuffix("_head") == "nc2_cos_std" and statistics.n_classes == 2:
        return "Undefined: two classes have one pair, whose spread has no meaning."
    if key.endswith("_head") or key.startswith("nc0"):
        return "Undefined: a row of the head's weights is zero."
    if between_trace(statistics, convention) == 0:
        return "Undefined: all class means coincide."
    if key == "nc1_pinv" and not spectrum(statistics, convention).rank:
        return "Undefined: all class means coincide up to rounding."
    if key == "nc1_pinv" and statistics.centers.all_singletons:
        return "Undefined: every class has one sample, so no variance is seen."
    if key.startswith("nc3"):
        return (
            "Undefined: a row of the head is zero or a class mean is the global mean."
        )
    if key == "nc1_cdnv":
        return "Undefined: two classes coincide and have no variance."
    return "Undefined: a class mean is the global mean, so it has no direction."


def _regime(key: str, statistics: AnyStatistics, convention: Convention) -> str | None:
    n_classes, n_features = statistics.n_classes, statistics.n_features
    if key.removesuffix("_head") in _SIMPLEX_KEYS and n_classes > n_features + 1:
        text = f"{n_classes} classes have no simplex in {n_features} dimensions"
        if key.removesuffix("_head") in ("nc2_etf", "nc3_structure"):
            floor = math.sqrt(2 - 2 * math.sqrt(n_features / (n_classes - 1)))
            return f"{text}: the least possible value is {floor:.6g}."
        return f"{text}: zero cannot be reached."
    if key == "nc1_pinv":
        rank = spectrum(statistics, convention).rank
        possible = min(n_classes - 1, n_features)
        if rank < possible:
            return (
                f"The class means span {rank} of {possible} possible directions: only "
                "these are compared."
            )
        if bool(namespace(statistics.counts).any(statistics.centers.counts == 1)):
            return "Classes with one sample count with zero variance."
    return None
