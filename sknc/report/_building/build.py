"""Build a report from checked values."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.metrics._catalogue.missing import OF_SAMPLES, Request
from sknc.metrics._shared.geometry import centered_means, spectrum
from sknc.metrics.class_spectra import nuclear_ratios, stable_ranks
from sknc.metrics.duality import head_cosines
from sknc.metrics.sample_margins import margin_quantiles
from sknc.metrics.variability import nc1_within_fraction, per_class_pinv
from sknc.report._building.inputs import Inputs, metric_values
from sknc.report._building.notes import Errors, Omissions, notes_on_values
from sknc.report._rendering import Content, Directions, Measured
from sknc.report.nc_report import NCReport
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import HeldOutStatistics
from sknc.statistics.sample_measures import SampleMeasures

# Expensive columns, and the metrics that require them.
_OF_CLASS_SCATTERS = {
    "spec_class_nuclear_ratio": ("nuclear_ratio", nuclear_ratios),
    "spec_class_stable_rank": ("stable_rank", stable_ranks),
}
_NOTHING_OMITTED, _NO_ERRORS = Omissions(), Errors()


def build_report(
    inputs: Inputs,
    metrics: str | Iterable[str] = "default",
    omissions: Omissions = _NOTHING_OMITTED,
    errors: Errors = _NO_ERRORS,
) -> NCReport:
    """Compute the metrics whose inputs are available, and the rest of the report."""
    request = _request(inputs, metrics)
    values = metric_values(inputs, request.metrics)
    content = Content(
        score=_score(inputs, values),
        values=values,
        standard_error=errors.of(values),
        per_class=_quiet_per_class(inputs, values),
        quantiles=_quantiles(inputs.measures),
        notes={},
        convention=inputs.convention,
        measured=_measured(inputs),
        directions=_directions(inputs, values),
        request=request,
    )
    notes = notes_on_values(inputs, values)
    for key in request.missing(values, content.measured.n_classes):
        notes[key] = f"Left out. {content.why_missing(key)}"
    errors.add_notes(notes, values)
    notes |= omissions.notes(has_head=inputs.head is not None)
    return NCReport(replace(content, notes=notes))


def with_notes(report: NCReport, **notes: str) -> NCReport:
    """Return a report with additional notes."""
    content = report._content
    return NCReport(replace(content, notes={**content.notes, **notes}))


def _request(inputs: Inputs, metrics: str | Iterable[str]) -> Request:
    available = {name for name, value in inputs.by_name().items() if value is not None}
    statistics = inputs.statistics
    if isinstance(statistics, HeldOutStatistics):
        # Samples were scored. Metrics that were not measured were not requested.
        available |= {*OF_SAMPLES, "within"}
        if statistics.centers.moments.scatter is not None:
            available.add("scatter")
    asked = metrics if isinstance(metrics, str) else tuple(map(str, metrics))
    return Request(asked, frozenset(available))


def _score(inputs: Inputs, values: Mapping[str, float]) -> float:
    fraction = values.get("nc1_within_fraction")
    if fraction is None:
        convention = inputs.convention
        fraction = nc1_within_fraction(inputs.statistics, convention=convention)
    return 1 - fraction


def _measured(inputs: Inputs) -> Measured:
    statistics = inputs.statistics
    counts = statistics.centers.moments.sums
    return Measured(
        n_samples=statistics.n_samples,
        n_classes=statistics.n_classes,
        n_features=statistics.n_features,
        dtype=statistics.input_dtype,
        device=str(arrays.device_of(counts)),
        weighted=statistics.weighted,
    )


def _directions(inputs: Inputs, values: Mapping[str, float]) -> Directions:
    if "nc1_pinv" not in values:
        return Directions()
    found = spectrum(inputs.statistics, inputs.convention)
    return Directions(found.rank, found.condition)


def _quantiles(measures: SampleMeasures | None) -> dict[str, dict[float, float]]:
    if measures is None:
        return {}
    margins = {
        "nc4_ncc_margin": measures.ncc_margins,
        "nc4_cosine_margin": measures.cosine_margins,
    }
    return {
        key: margin_quantiles(values, measures.weights)
        for key, values in margins.items()
        if values is not None
    }


def _quiet_per_class(
    inputs: Inputs, values: Mapping[str, float]
) -> dict[str, np.ndarray]:
    with np.errstate(over="ignore", invalid="ignore"):  # notes say what is undefined
        columns = _per_class(inputs)
        for key, (name, of_classes) in _OF_CLASS_SCATTERS.items():
            if key in values:
                columns[name] = np.array(of_classes(inputs.statistics))
        return columns


def _per_class(inputs: Inputs) -> dict[str, np.ndarray]:
    statistics, convention = inputs.statistics, inputs.convention
    means = centered_means(statistics, convention)
    columns: dict[str, Any] = {
        "label": statistics.centers.classes,
        "count": statistics.counts,
        "variance": statistics.class_variances,
        "mean_norm": arrays.namespace(means).sqrt(arrays.row_squared_norms(means)),
        "nc1_pinv": per_class_pinv(statistics, convention),
    }
    if inputs.head is not None:
        columns["head_norm"] = inputs.head.row_norms
        columns["head_cosine"] = head_cosines(statistics, inputs.head, convention)
    if inputs.decisions is not None:
        columns |= _recalls(inputs.decisions)
    return {
        name: arrays.to_numpy(column)
        for name, column in columns.items()
        if column is not None
    }


def _recalls(decisions: Decisions) -> dict[str, Any]:
    """Return shares of each class's samples; NaN for a class without samples."""
    counts = decisions.counts
    xp = arrays.namespace(counts)
    held = xp.where(counts > 0, counts, xp.nan)
    parts = {
        "ncc_recall": decisions.ncc_correct,
        "head_recall": decisions.head_correct,
        "mismatch": decisions.mismatched,
    }
    return {name: None if part is None else part / held for name, part in parts.items()}
