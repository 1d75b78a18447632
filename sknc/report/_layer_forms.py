"""The forms in which a report of layers is shown."""

import math
from typing import TYPE_CHECKING

from sknc.report._rendering import LayerSide, layer_page

if TYPE_CHECKING:
    from sknc.report.layerwise_report import LayerwiseReport

_SHOWN = ("nc1_fuzziness", "nc1_cdnv", "nc4_ncc_accuracy")
_SIDES = {"Training samples": False, "Held-out samples": True}


def as_lines(report: "LayerwiseReport") -> str:
    """Return the measures of all layers and a line for each layer."""
    lines = [
        f"LayerwiseReport of {_what(report)}",
        f"layer_separation_rate  {report.layer_separation_rate():.4g}",
        f"layer_effective_depth  {_depth(report)}",
        *report.notes,
    ]
    width = max(map(len, report.layers))
    lines.append("  ".join(["".ljust(width), *(f"{key:>16}" for key in _SHOWN)]))
    for name, of_layer in report.train.items():
        values = (f"{of_layer.to_dict().get(key, math.nan):16.4g}" for key in _SHOWN)
        lines.append("  ".join([name.ljust(width), *values]))
    return "\n".join(lines)


def layers_page(report: "LayerwiseReport", title: str | None) -> str:
    """Return the text of a page about the layers."""
    sides = [
        _side(report, name, held_out=held_out)
        for name, held_out in _SIDES.items()
        if report.held_out is not None or not held_out
    ]
    of_last = [*report.train.values()][-1]
    leads = [
        f"{_what(report)[0].upper()}{_what(report)[1:]}",
        f"{of_last.n_samples} training samples, {of_last.n_classes} classes",
    ]
    return layer_page(sides, title, leads, report.notes)


def _side(report: "LayerwiseReport", name: str, *, held_out: bool) -> LayerSide:
    reports = report.held_out if held_out else report.train
    rate = report.layer_separation_rate(held_out=held_out)
    correlation = report.layer_separation_correlation(held_out=held_out)
    return LayerSide(
        name,
        {layer: one._content for layer, one in (reports or {}).items()},
        {
            "layer_separation_rate": f"{rate:.4g}",
            "layer_separation_correlation": f"{correlation:.4g}",
            "layer_effective_depth": _depth(report, held_out=held_out),
        },
        report.held_out_mismatch if held_out else report.train_mismatch,
    )


def _what(report: "LayerwiseReport") -> str:
    at = {"input": "what each layer reads", "output": "what each layer returns"}
    return f"{len(report)} layers: {at[report.at]}, pooling={report.pooling!r}"


def _depth(report: "LayerwiseReport", *, held_out: bool = False) -> str:
    reports = (report.held_out if held_out else report.train) or {}
    if not any("nc4_ncc_accuracy" in one for one in reports.values()):
        return "not known: the reports have no nc4_ncc_accuracy"
    depth = report.layer_effective_depth(held_out=held_out)
    return "not reached" if depth is None else f"{depth} ({report.layers[depth]!r})"
