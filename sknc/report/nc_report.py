"""The report: every metric of one evaluation, as a number with a table behind it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.convention import Convention
from sknc.metrics import TABLE
from sknc.metrics._catalogue.table import did_you_mean
from sknc.report._rendering import (
    Content,
    as_html,
    as_text,
    from_json,
    report_frame,
    to_json,
)


class NCReport(float):
    """
    Neural collapse metrics, read by key or attribute; itself one number.

    As a float it is ``1 - nc1_within_fraction``, in [0, 1]: higher is more collapsed,
    1 at collapse. So `cross_val_score` and `GridSearchCV` work with it as with any
    score. Made by `NeuralCollapseAnalyzer.report` and `NeuralCollapseAnalyzer.score`.

    Parameters
    ----------
    content : object
        The number and what is behind it.

    Attributes
    ----------
    per_class : mapping of str to ndarray of shape (K,)
        "label", "count", "variance" (trace of the class's covariance), "mean_norm" (of
        the centered class mean) and, where they could be computed, "nc1_pinv" (the
        class's part of the total), "head_cosine", "ncc_recall", "head_recall" and
        "mismatch".
    notes : mapping of str to str
        For a key whose value is NaN, infinite, unstable, bounded away from its ideal
        or left out although asked for by name: why. For "classes", "covariance",
        "head", "score" and "standard_error": what concerns all of the report.
    convention : Convention
        Choices that the values depend on.
    n_samples, n_classes, n_features : int
        Size of what was measured; classes with samples only.
    weighted : bool
        Whether the samples had weights.
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

    Notes
    -----
    A report has `keys`, `values` and `items`, so ``dict(report)`` and ``report[key]``
    work. It has no length: as a number, it is not a collection to other libraries. For
    a table of several reports, use ``pd.DataFrame([r.to_dict() for r in reports])``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NCReport, NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> report = NeuralCollapseAnalyzer().fit(X, y).report()
    >>> report.nc1_pinv == report["nc1_pinv"]
    True
    >>> float(report) == 1 - report.nc1_within_fraction
    True
    >>> NCReport.from_json(report.to_json()).to_dict() == report.to_dict()
    True
    """

    _content: Content
    per_class: Mapping[str, np.ndarray]
    notes: Mapping[str, str]
    convention: Convention
    n_samples: int
    n_classes: int
    n_features: int
    weighted: bool
    dtype: str
    device: str
    rank: int | None
    condition: float | None
    quantiles: Mapping[str, Mapping[float, float]]
    standard_error: Mapping[str, float]

    def __new__(cls, content: Content) -> "NCReport":
        """Store the number and what is behind it."""
        self = super().__new__(cls, content.score)
        parts = {**vars(content.measured), **vars(content.directions)}
        for name in ("per_class", "notes", "quantiles", "standard_error"):
            parts[name] = _read_only(getattr(content, name))
        parts["convention"] = content.convention
        self.__dict__.update(parts, _content=content)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy by construction."""
        return type(self), (self._content,)

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

    def __getattr__(self, name: str) -> float:
        """Return the metric of that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._content.values[name]
        except KeyError:
            raise AttributeError(self._missing(name)) from None

    def _missing(self, key: str) -> str:
        if key in TABLE:
            return f"This report has no {key!r}. {self._content.why_missing(key)}"
        return (
            f"There is no metric {key!r}.{did_you_mean(key)} sknc.metrics.catalogue() "
            "lists all, keys() those of this report."
        )

    def __dir__(self) -> list[str]:
        """List the metrics too, for completion."""
        return [*super().__dir__(), *self.keys()]

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

    def values(self) -> list[float]:
        """
        Return the values of the metrics.

        Returns
        -------
        list of float
            In the order of `keys`.
        """
        return list(self._content.values.values())

    def items(self) -> list[tuple[str, float]]:
        """
        Return the metrics as pairs.

        Returns
        -------
        list of (str, float)
            Key and value, in the order of `keys`.
        """
        return list(self._content.values.items())

    # Exporting -----------------------------------------------------------------

    def to_dict(self) -> dict[str, float]:
        """
        Return the metrics as a new dictionary.

        Returns
        -------
        dict of str to float
            Value by key: a row for ``pd.DataFrame([report.to_dict()])``.
        """
        return dict(self._content.values)

    def to_json(self, **options: Any) -> str:
        """
        Return the whole report as JSON text, which `from_json` reads.

        Parameters
        ----------
        **options
            Passed to `json.dumps`.

        Returns
        -------
        str
            An object with "schema_version", "score", "metrics", "standard_error",
            "per_class", "quantiles", "notes", "convention" and what was measured. NaN
            is null, infinite values are "Infinity" and "-Infinity".
        """
        return to_json(self._content, **options)

    @classmethod
    def from_json(cls, text: str | bytes) -> "NCReport":
        """
        Read a report from the text that `to_json` returned.

        Parameters
        ----------
        text : str or bytes
            The JSON text.

        Returns
        -------
        NCReport
            With the numbers, arrays, labels and notes of the one that was written, to
            the last digit.

        Raises
        ------
        TypeError
            If it is not text.
        ValueError
            If the text is not that of a report, is damaged, or was written by a
            version of sknc whose reports this one cannot read.
        """
        return cls(from_json(text))

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
            One row a metric: "metric", "value", "standard_error" (NaN without one),
            "group", "direction" and "note".

        Raises
        ------
        ImportError
            If narwhals or the backend is not installed.
        """
        return report_frame(self._content, backend)

    # Showing -------------------------------------------------------------------

    def __repr__(self) -> str:
        """Return a text table."""
        return as_text(self._content)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Format the number, or the whole table without a format."""
        return float.__format__(float(self), spec) if spec else str(self)

    def _repr_html_(self) -> str:
        return as_html(self._content)


def _read_only(value: Any) -> Any:
    """Return a view of nested mappings and arrays that cannot change them."""
    if isinstance(value, Mapping):
        return MappingProxyType({k: _read_only(item) for k, item in value.items()})
    return arrays.read_only(value) if isinstance(value, np.ndarray) else value
