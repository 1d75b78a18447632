"""The report: every metric of one evaluation, as a number with a table behind it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import numpy as np

from sknc.convention import Convention
from sknc.metrics import TABLE
from sknc.metrics._table import did_you_mean


@dataclass(frozen=True)
class Content:
    """What a report holds; see the attributes of `NCReport`."""

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

    _content: Content

    def __new__(cls, score: float, content: Content) -> "NCReport":
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
