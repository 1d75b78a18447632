"""The report: every metric of one evaluation, as a number with a table behind it."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
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
from sknc.metrics._table import did_you_mean
from sknc.metrics.duality import head_cosines
from sknc.metrics.sample_margins import margin_quantiles
from sknc.metrics.variability import per_class_pinv
from sknc.sample_measures import SampleMeasures


@dataclass(frozen=True)
class _Content:
    values: Mapping[str, float]
    per_class: Mapping[str, np.ndarray]
    notes: Mapping[str, str]
    convention: Convention
    n_samples: int
    n_classes: int
    n_features: int
    dtype: str
    device: str
    rank: int | None = None
    condition: float | None = None
    quantiles: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    standard_error: Mapping[str, float] = field(default_factory=dict)
    _missing: Mapping[str, str] = field(default_factory=dict)


class NCReport(float):
    """
    Neural collapse metrics, read by key or attribute; itself one number.

    As a float it is ``1 - nc1_within_fraction``, in [0, 1]: higher is more collapsed,
    1 at collapse. So `cross_val_score` and `GridSearchCV` work with it as with any
    score. Made by `NeuralCollapseAnalyzer.report` and `NeuralCollapseAnalyzer.score`.

    Parameters
    ----------
    score : float
        The number.
    content : object
        What is behind it.

    Attributes
    ----------
    per_class : mapping of str to ndarray of shape (K,)
        "label", "count", "variance" (trace of the class's covariance), "mean_norm" (of
        the centered class mean) and, where they could be computed, "nc1_pinv" (the
        class's part of the total), "head_cosine", "ncc_recall", "head_recall" and
        "mismatch".
    notes : mapping of str to str
        For a key whose value is NaN, infinite, bounded away from its ideal or left
        out although asked for by name: why. For "classes", "covariance", "score" and
        "standard_error": what concerns all of the report.
    convention : Convention
        Choices that the values depend on.
    n_samples, n_classes, n_features : int
        Size of what was measured; classes with samples only.
    dtype, device : str
        Of the features.
    rank : int or None
        Directions of the class means that ``nc1_pinv`` compares.
    condition : float or None
        Largest over smallest singular value of those directions.
    quantiles : mapping of str to mapping of float to float
        Quantiles of the margins, for those of ``nc4_ncc_margin`` and
        ``nc4_cosine_margin`` that were asked for.
    standard_error : mapping of str to float
        Delete-a-group jackknife error of each metric, if groups were kept: of a score
        about the scored samples, but of metrics that depend on the fitted class means
        alone about the fitted samples.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> report = NeuralCollapseAnalyzer().fit(X, y).report()
    >>> report.nc1_pinv == report["nc1_pinv"]
    True
    >>> float(report) == 1 - report.nc1_within_fraction
    True
    """

    _content: _Content

    def __new__(cls, score: float, content: _Content) -> "NCReport":
        """Store the number and what is behind it."""
        self = super().__new__(cls, score)
        object.__setattr__(self, "_content", content)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by construction."""
        return type(self), (float(self), self._content)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse: a report does not change."""
        msg = f"NCReport is read-only: cannot set {name!r}."
        raise AttributeError(msg)

    # Reading -------------------------------------------------------------------

    def __getitem__(self, key: str) -> float:
        """Return the metric of that key."""
        try:
            return self._content.values[key]
        except KeyError:
            raise KeyError(self._missing(key)) from None

    def __getattr__(self, name: str) -> Any:
        """Return the metric of that name, or a part of the report."""
        if name.startswith("_"):
            raise AttributeError(name)
        content = self._content
        if name in content.values:
            return content.values[name]
        if name in content.__dataclass_fields__:
            return getattr(content, name)
        raise AttributeError(self._missing(name))

    def _missing(self, key: str) -> str:
        if key in TABLE:
            return f"This report has no {key!r}. {self._content._missing[key]}"
        return (
            f"There is no metric {key!r}.{did_you_mean(key)} sknc.metrics.catalogue() "
            "lists all, keys() those of this report."
        )

    def __dir__(self) -> list[str]:
        """List the metrics too."""
        parts = (name for name in self._content.__dataclass_fields__ if name[0] != "_")
        return [*super().__dir__(), *self.keys(), *parts]

    def __contains__(self, key: object) -> bool:
        """Whether the report has that metric."""
        return key in self._content.values

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._content.values)

    def keys(self) -> list[str]:
        """
        Return the keys of the metrics.

        Returns
        -------
        list of str
            In the order of the catalogue.
        """
        return list(self._content.values)

    # Exporting -----------------------------------------------------------------

    def to_dict(self) -> dict[str, float]:
        """
        Return the metrics as a new dictionary.

        Returns
        -------
        dict of str to float
            Value by key.
        """
        return dict(self._content.values)

    def to_json(self, **options: Any) -> str:
        """
        Return the whole report as JSON text.

        Parameters
        ----------
        **options
            Passed to `json.dumps`.

        Returns
        -------
        str
            An object with "score", "metrics", "per_class", "notes", "convention" and
            what was measured. NaN and infinite values become null.
        """
        content = self._content
        whole = {
            "score": _plain(float(self)),
            "metrics": {key: _plain(value) for key, value in content.values.items()},
            "per_class": {
                key: [_plain(value) for value in array.tolist()]
                for key, array in content.per_class.items()
            },
            "notes": dict(content.notes),
            "standard_error": {
                key: _plain(value) for key, value in content.standard_error.items()
            },
            "convention": asdict(content.convention),
        }
        for name in ("n_samples", "n_classes", "n_features", "dtype", "device"):
            whole[name] = getattr(content, name)
        whole["quantiles"] = {
            key: {str(level): value for level, value in levels.items()}
            for key, levels in content.quantiles.items()
        }
        whole["rank"], whole["condition"] = content.rank, _plain(content.condition)
        return json.dumps(whole, allow_nan=False, **options)

    def to_frame(self, backend: str = "pandas") -> Any:
        """
        Return the metrics as a data frame.

        Parameters
        ----------
        backend : str, default="pandas"
            "pandas", "polars" or another library that narwhals knows.

        Returns
        -------
        DataFrame
            One row a metric: "metric", "value", "group", "direction" and "note".

        Raises
        ------
        ImportError
            If narwhals or the backend is not installed.
        """
        try:
            import narwhals

            columns: dict[str, list[Any]] = {
                name: list(column)
                for name, column in zip(
                    ("metric", "value", "group", "direction", "note"),
                    zip(*self._rows(), strict=True),
                    strict=True,
                )
            }
            return narwhals.from_dict(columns, backend=backend).to_native()
        except ImportError as error:
            msg = (
                f"NCReport.to_frame(backend={backend!r}) requires narwhals and "
                f"{backend}: pip install 'sknc[frame]'."
            )
            raise ImportError(msg) from error

    def _rows(self) -> list[tuple[str, float, str, str, str]]:
        arrows = {True: "lower", False: "higher", None: "none"}
        return [
            (
                key,
                value,
                TABLE[key].group,
                arrows[TABLE[key].lower_is_collapsed],
                self._content.notes.get(key, ""),
            )
            for key, value in self._content.values.items()
        ]

    def _title(self) -> str:
        content = self._content
        return (
            f"Neural collapse of {content.n_samples} samples, {content.n_classes} "
            f"classes, {content.n_features} features ({content.dtype} on "
            f"{content.device}), convention {content.convention.name!r}"
        )

    def __repr__(self) -> str:
        """Return a text table."""
        width = max(map(len, self.keys()), default=0)
        lines = [self._title()]
        for key, value, _, direction, note in self._rows():
            arrow = {"lower": "↓", "higher": "↑", "none": " "}[direction]
            error = self._content.standard_error.get(key)
            spread = "" if error is None else f"± {error:<10.2g}"
            text = f"  {key:<{width}} {arrow} {value:<12.6g}{spread}{note}"
            lines.append(text.rstrip())
        lines.append(f"  {'score (1 - nc1_within_fraction)'} {float(self):.6g}")
        lines += [
            f"  {key}: {text}"
            for key, text in self._content.notes.items()
            if key not in self._content.values
        ]
        return "\n".join(lines)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Format the number, or the whole table without a format."""
        return float.__format__(float(self), spec) if spec else str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{escape(key)}</code></td><td>{value:.6g}</td>"
            f"<td>{group}</td><td>{direction}</td><td>{escape(note)}</td></tr>"
            for key, value, group, direction, note in self._rows()
        )
        head = "".join(
            f"<th>{name}</th>"
            for name in ("metric", "value", "property", "more collapsed", "note")
        )
        return (
            f"<table><caption>{escape(self._title())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def build_report(
    statistics: AnyStatistics,
    *,
    head: LinearHead | None = None,
    decisions: Decisions | None = None,
    measures: SampleMeasures | None = None,
    convention: Convention,
    metrics: str | Iterable[str] = "default",
    n_unobserved: int = 0,
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
    content = _Content(
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
    asked = {metric.key: metric for metric in select(metrics)}
    missing = {}
    for key, metric in TABLE.items():
        if key in values:
            continue
        text = remedy(metric, available, convention.within)
        if key not in asked:
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
    by_name = metrics not in ("default", "all")
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
