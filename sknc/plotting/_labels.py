"""Titles and axis labels of panels, in words and formulas."""

from textwrap import fill

from sknc.convention import Convention
from sknc.metrics import TABLE

# Short titles. Other metrics use the first line of their documentation.
_TITLES = {
    "nc0_weight_sum": "sum of the head's rows",
    "nc1_pinv": "within-class variability",
    "nc1_trace_ratio": "within- over between-class variance",
    "nc1_within_fraction": "share of variance within classes",
    "nc1_fuzziness": "separation fuzziness",
    "nc1_cdnv": "class-distance normalized variance",
    "nc2_equinorm": "unequal norms",
    "nc2_cos_std": "spread of angles",
    "nc2_equiangular": "unequal angles",
    "nc2_etf": "distance from a simplex",
    "nc3_self_duality": "distance of head from means",
    "nc3_structure": "logits of means off a simplex",
    "nc3_cosine": "angles of head and means",
    "nc4_mismatch": "head differs from nearest center",
    "nc4_ncc_accuracy": "accuracy of nearest center",
    "nc4_head_accuracy": "accuracy of the head",
    "nc4_bias_collapse": "logits of the mean sample",
    "layer_ncc_mismatch": "Nearest center differs from the model",
}
# For the default convention.
_AXES = {
    "nc0_weight_sum": r"$\|W^T 1\|\,/\,(\sqrt{K}\,\|W\|)$",
    "nc1_pinv": r"$\mathrm{tr}(\Sigma_W \Sigma_B^\dagger)\,/\,K$",
    "nc1_trace_ratio": r"$\mathrm{tr}\,\Sigma_W\,/\,\mathrm{tr}\,\Sigma_B$",
    "nc1_within_fraction": r"$\mathrm{tr}\,\Sigma_W/\mathrm{tr}(\Sigma_W+\Sigma_B)$",
    "nc1_fuzziness": r"$\log\,\mathrm{tr}(\Sigma_W \Sigma_B^\dagger)$",
    "nc1_cdnv": r"mean $(\sigma_i^2+\sigma_j^2)\,/\,2\|\mu_i-\mu_j\|^2$",
    "nc2_equinorm": "std / mean of norms",
    "nc2_cos_std": "std of cosines",
    "nc2_equiangular": r"mean $|\cos + 1/(K-1)|$",
    "nc2_etf": r"$\|\,MM^T/\|MM^T\| - T\,\|$",
    "nc3_self_duality": r"$\|\,W/\|W\| - M/\|M\|\,\|$",
    "nc3_structure": r"$\|\,WM^T/\|WM^T\| - T\,\|$",
    "nc3_cosine": r"1 $-$ mean $\cos(w_k, \mu_k)$",
    "nc4_mismatch": "share of samples",
    "nc4_ncc_accuracy": "share of samples",
    "nc4_head_accuracy": "share of samples",
    "layer_ncc_mismatch": "share of samples",
    "nc4_bias_collapse": r"$\|W\mu + b\|$",
}
_LINE_LENGTH = 40


def title(key: str) -> str:
    """Return the title of a panel: the property, and the metric in words."""
    if key not in TABLE:
        return _TITLES.get(key, key)
    metric = TABLE[key]
    words = _TITLES.get(key) or metric.summary.rstrip(".").replace("``", "")
    if metric.lower_is_collapsed is None or words.startswith(metric.group):
        return fill(words[:1].upper() + words[1:], _LINE_LENGTH)
    words = words[:1].lower() + words[1:] if words[1:2].islower() else words
    return fill(f"{metric.group}: {words}", _LINE_LENGTH)


def axis_label(key: str, convention: Convention | None) -> str:
    """Return a formula, or words; empty where the title is enough."""
    text = _AXES.get(key, "")
    if key == "nc1_pinv" and convention and not convention.divide_by_classes:
        return text.replace(r"\,/\,K", "")
    if key == "nc3_self_duality" and convention and convention.squared_duality:
        return text.replace(r"\|$", r"\|^2$")
    return text
