"""Making a report: the inputs that there are, the metrics of them, and the notes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sknc import _array
from sknc.convention import Convention
from sknc.decisions import Decisions
from sknc.head import LinearHead
from sknc.held_out import AnyStatistics, HeldOutStatistics
from sknc.metrics import TABLE, nc1_within_fraction, select
from sknc.metrics._caveats import SINGLE_SAMPLES, caveat, has_single_samples
from sknc.metrics._geometry import centered_means, spectrum, spectrum_key
from sknc.metrics._missing import remedy
from sknc.metrics.duality import head_cosines
from sknc.metrics.sample_margins import margin_quantiles
from sknc.metrics.variability import per_class_pinv
from sknc.report import Content, NCReport
from sknc.sample_measures import SampleMeasures


def build_report(
    statistics: AnyStatistics,
    *,
    head: LinearHead | None = None,
    decisions: Decisions | None = None,
    measures: SampleMeasures | None = None,
    convention: Convention,
    metrics: str | Iterable[str] = "default",
    n_unobserved: int = 0,
    n_unused_rows: int = 0,
    standard_error: Mapping[str, float] | None = None,
    lone_classes: Sequence[Any] = (),
    lost_scatter: bool = False,
) -> NCReport:
    """
    Compute the selected metrics of checked values.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Of classes that all have centers.
    head : LinearHead or None
        Rows of the same classes.
    decisions : Decisions or None
        Counts of decisions of the samples, for the same classes.
    measures : SampleMeasures or None
        Numbers of single samples.
    convention : Convention
        Choices.
    metrics : "default", "all", or iterable of str
        What to compute.
    n_unobserved : int, default=0
        Classes that were left out for want of samples.
    n_unused_rows : int, default=0
        Rows of the head that were left out for want of a class.
    standard_error : mapping of str to float, optional
        Jackknife errors.
    lone_classes : sequence, default=()
        Labels of classes that are missing without one of the jackknife's groups.
    lost_scatter : bool, default=False
        Whether the scatter was asked for and is not there.

    Returns
    -------
    NCReport
        The report. Metrics whose input is missing are left out.
    """
    inputs = _inputs(
        statistics,
        head=head,
        decisions=decisions,
        measures=measures,
        convention=convention,
    )
    values = _computed(inputs, statistics.n_classes, convention, metrics)
    errors = {
        key: error for key, error in (standard_error or {}).items() if key in values
    }
    missing = _why_missing(inputs, values, statistics, convention, metrics)
    found = {
        key: caveat(key, value, statistics, head, convention)
        for key, value in values.items()
    }
    notes = {key: note for key, note in found.items() if note}
    notes |= _notes_on_missing(missing, statistics.n_classes, metrics)
    _add_notes_on_errors(notes, values, errors, lone_classes)
    if "nc1_within_fraction" not in values and has_single_samples(statistics):
        notes["score"] = SINGLE_SAMPLES
    if n_unobserved:
        have = "class has" if n_unobserved == 1 else "classes have"
        notes["classes"] = f"{n_unobserved} {have} no samples and no part in this."
        if head is not None:
            notes["classes"] += (
                " Nor have their rows of the head: without them the others cannot be a "
                "simplex, and NC0, NC3 and metrics of the head stay above 0."
            )
    if n_unused_rows:
        notes["head"] = (
            f"The head knows classes that were not fitted, {n_unused_rows} in number. "
            "It is measured without their rows, and decides among the others. Name all "
            "classes with classes= of fit_batches or of the first partial_fit."
        )
    if lost_scatter:
        notes["covariance"] = (
            "Some of the samples were fitted with covariance=False, so the scatter is "
            "lost, and report() lacks nc1_pinv: call score(X, y), or fit all with "
            "covariance=True."
        )
    rank = condition = None
    if "nc1_pinv" in values:
        directions = spectrum(statistics, convention)
        rank, condition = directions.rank, directions.condition
    counts = statistics.centers.moments.sums
    content = Content(
        values=values,
        per_class=_per_class(statistics, head, decisions, convention),
        notes=notes,
        convention=convention,
        n_samples=statistics.n_samples,
        n_classes=statistics.n_classes,
        n_features=statistics.n_features,
        dtype=statistics.input_dtype,
        device=str(_array.device_of(counts)),
        rank=rank,
        condition=condition,
        quantiles=_quantiles(measures),
        standard_error=errors,
        _missing=missing,
    )
    fraction = values.get("nc1_within_fraction")
    if fraction is None:
        fraction = nc1_within_fraction(statistics, convention=convention)
    return NCReport(1 - fraction, content)


def metric_values(
    statistics: AnyStatistics,
    *,
    head: LinearHead | None = None,
    decisions: Decisions | None = None,
    measures: SampleMeasures | None = None,
    ood_mean: Any = None,
    ood_features: Any = None,
    convention: Convention,
    metrics: str | Iterable[str] = "default",
) -> dict[str, float]:
    """
    Compute the selected metrics of checked values, and nothing around them.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Of classes that all have centers.
    head : LinearHead or None
        Rows of the same classes.
    decisions : Decisions or None
        Counts of decisions of the samples, for the same classes.
    measures : SampleMeasures or None
        Numbers of single samples.
    ood_mean : array of shape (D,), optional
        Mean of samples from elsewhere.
    ood_features : array of shape (B, D), optional
        Those samples.
    convention : Convention
        Choices.
    metrics : "default", "all", or iterable of str
        What to compute.

    Returns
    -------
    dict of str to float
        Metrics whose input is there, in the order of the table.
    """
    inputs = _inputs(
        statistics,
        head=head,
        decisions=decisions,
        measures=measures,
        ood_mean=ood_mean,
        ood_features=ood_features,
        convention=convention,
    )
    return _computed(inputs, statistics.n_classes, convention, metrics)


def _inputs(
    statistics: AnyStatistics,
    *,
    head: LinearHead | None,
    decisions: Decisions | None,
    measures: SampleMeasures | None,
    ood_mean: Any = None,
    ood_features: Any = None,
    convention: Convention,
) -> dict[str, Any]:
    """Return by name all that the table's rows may need, None for what is missing."""
    return {
        "statistics": statistics,
        "head": head,
        "any_head": head,
        "bias": None if head is None else head.bias,
        "decisions": decisions,
        "head_decisions": None if decisions is None else decisions.mismatched,
        "measures": measures,
        "ood_mean": ood_mean,
        "ood_features": ood_features,
        "scatter": statistics.within_scatter,
        "energies": statistics.class_energies(spectrum_key(convention)),
        "within": _within_input(statistics, convention),
    }


def _computed(
    inputs: dict[str, Any],
    n_classes: int,
    convention: Convention,
    metrics: str | Iterable[str],
) -> dict[str, float]:
    values = {}
    for metric in select(metrics):
        if metric.left_out(metrics, n_classes):
            continue
        if any(inputs[name] is None for name in metric.needs):
            continue
        values[metric.key] = metric.compute(inputs, convention)
    return values


def _why_missing(
    inputs: Mapping[str, Any],
    values: Mapping[str, float],
    statistics: AnyStatistics,
    convention: Convention,
    metrics: str | Iterable[str],
) -> dict[str, str]:
    """Return what to do about every metric that is not among the values, by key."""
    available = {name for name, value in inputs.items() if value is not None}
    if isinstance(statistics, HeldOutStatistics):
        # A pass over samples was made. What it did not count was not asked for.
        available |= {"decisions", "measures", "energies", "within"}
        if statistics.centers.moments.scatter is not None:
            available.add("scatter")
    asked = {metric.key: metric for metric in select(metrics)}
    missing = {}
    for key, metric in TABLE.items():
        if key in values:
            continue
        text = remedy(metric, available, convention.within)
        if key not in asked and not metric.of_elsewhere:
            text = f"Ask for it: metrics=[{key!r}, ...]. {text}"
        elif metric.left_out(metrics, statistics.n_classes):
            text = (
                f'metrics="all" does without it above {metric.most_classes} classes, '
                f"for its cost: ask for it by name. {text}"
            )
        missing[key] = text.rstrip()
    return missing


def _notes_on_missing(
    missing: Mapping[str, str], n_classes: int, metrics: str | Iterable[str]
) -> dict[str, str]:
    """Return notes on metrics that were asked for by name or are too costly."""
    by_name = not isinstance(metrics, str) or metrics not in ("default", "all")
    return {
        metric.key: f"Left out. {missing[metric.key]}"
        for metric in select(metrics)
        if metric.key in missing and (by_name or metric.left_out(metrics, n_classes))
    }


def _add_notes_on_errors(
    notes: dict[str, str],
    values: Mapping[str, float],
    errors: Mapping[str, float],
    lone_classes: Sequence[Any],
) -> None:
    """Say why values have no standard error."""
    without = [
        key
        for key, error in errors.items()
        if math.isnan(error) and math.isfinite(values[key])
    ]
    if without and lone_classes:
        named = lone_classes[:5]
        more = len(lone_classes) - len(named)
        notes["standard_error"] = (
            f"All samples of the classes {named}{f' and {more} others' * (more > 0)} "
            "are in one of the jackknife's groups, without which there are fewer "
            "classes: metrics of the class means have no standard error. Fit more "
            "samples of them, or leave them out."
        )
        return
    for key in without:
        text = f"{notes.get(key, '')} No standard error: undefined without one group."
        notes[key] = text.lstrip()


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


def _within_input(statistics: AnyStatistics, convention: Convention) -> Any:
    """Return whatever ``nc1_pinv`` can be computed from, or None."""
    energies = statistics.class_energies(spectrum_key(convention))
    if energies is not None or convention.within == "class":
        return energies
    return statistics.within_scatter


def _per_class(
    statistics: AnyStatistics,
    head: LinearHead | None,
    decisions: Decisions | None,
    convention: Convention,
) -> dict[str, np.ndarray]:
    means = centered_means(statistics, convention)
    xp = _array.namespace(means)
    columns: dict[str, Any] = {
        "label": statistics.centers.classes,
        "count": statistics.counts,
        "variance": statistics.class_variances,
        "mean_norm": xp.sqrt(_array.row_squared_norms(means)),
        "nc1_pinv": per_class_pinv(statistics, convention),
    }
    if head is not None:
        columns["head_cosine"] = head_cosines(statistics, head, convention)
    if decisions is not None:
        counts = decisions.counts
        held = xp.where(counts > 0, counts, xp.nan * counts)
        for name, part in (
            ("ncc_recall", decisions.ncc_correct),
            ("head_recall", decisions.head_correct),
            ("mismatch", decisions.mismatched),
        ):
            columns[name] = None if part is None else part / held
    return {
        name: _array.to_numpy(column)
        for name, column in columns.items()
        if column is not None
    }
