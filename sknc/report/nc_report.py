"""The report: all metrics of one evaluation, as a number with a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils.docstrings import documented
from sknc.convention import Convention
from sknc.metrics import TABLE
from sknc.metrics._catalogue.table import did_you_mean
from sknc.report._metric_report import MetricReport, read_only
from sknc.report._rendering import (
    Content,
    as_summary,
    from_json,
    report_page,
    to_json,
)


class NCReport(MetricReport):
    """
    Neural collapse metrics, read by key or attribute; also a single number.

    As a float it is ``1 - nc1_within_fraction``, in [0, 1]: higher is more collapsed, 1
    at collapse. So `cross_val_score` and `GridSearchCV` can use it as a score. Created
    by `NeuralCollapseAnalyzer.report` and `NeuralCollapseAnalyzer.score`.

    Parameters
    ----------
    content : object
        The content of the report.

    Attributes
    ----------
    per_class : mapping of str to ndarray of shape (K,)
        "label", "count", "variance" (trace of the class's covariance), "mean_norm" (of
        the centered class mean) and, if available, "nc1_pinv" (the class's part of the
        total), "head_norm", "head_cosine", "ncc_recall", "head_recall" and "mismatch";
        with metrics of class spectra also "nuclear_ratio" and "stable_rank".
    notes : mapping of str to str
        Explains every value that is NaN, infinite or unstable, that cannot reach its
        ideal, or that was requested but skipped. "classes", "covariance", "head",
        "score" and "standard_error" have notes on the whole report.
    convention : Convention
        The convention of the values.
    n_samples, n_classes, n_features : int
        Size of the data, counting only classes with samples.
    weighted : bool
        Whether the samples had weights.
    dtype, device : str
        Dtype and device of the features.
    rank : int or None
        Number of directions of the class means that ``nc1_pinv`` compares.
    condition : float or None
        Ratio of the largest to the smallest singular value of those directions.
    quantiles : mapping of str to mapping of float to float
        Quantiles of the margins, if ``nc4_ncc_margin`` or ``nc4_cosine_margin`` was
        requested.
    standard_error : mapping of str to float
        Delete-a-group jackknife error of each metric, if groups were kept. Errors of
        `score` are those of the scored samples; for metrics of the fitted class means
        alone, those of the fitted samples.

    Notes
    -----
    A report has `keys`, `values` and `items`, so ``dict(report)`` and ``report[key]``
    work. It has no length, so that other libraries treat it as a number. For a table of
    several reports, use ``pd.DataFrame([r.to_dict() for r in reports])``.

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
    convention: Convention
    n_classes: int
    rank: int | None
    condition: float | None
    quantiles: Mapping[str, Mapping[float, float]]
    standard_error: Mapping[str, float]

    def __new__(cls, content: Content) -> "NCReport":
        """Store the number and the content."""
        self = super().__new__(cls, content.score)
        parts = {**vars(content.measured), **vars(content.directions)}
        for name in ("per_class", "notes", "quantiles", "standard_error"):
            parts[name] = read_only(getattr(content, name))
        parts["convention"] = content.convention
        self.__dict__.update(parts, _content=content)
        return self

    def _missing(self, key: str) -> str:
        if key in TABLE:
            return f"This report has no {key!r}. {self._content.why_missing(key)}"
        return (
            f"There is no metric {key!r}.{did_you_mean(key)} sknc.metrics.catalogue() "
            "lists all, keys() those of this report."
        )

    def summary(self) -> str:
        """
        Return a verdict on how far the features have collapsed.

        Returns
        -------
        str
            "collapsed", "partly collapsed" or "not collapsed", and a line for each of
            the four metrics of ``metrics="essential"`` with its own verdict, or with
            how to measure it. The overall verdict is the worst of these.

        Notes
        -----
        Thresholds are given after the values. `nc2_etf` is judged by its excess over
        the least value for these numbers of classes and features.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NeuralCollapseAnalyzer
        >>> analyzer = NeuralCollapseAnalyzer(metrics="essential")
        >>> print(analyzer.fit(*load_iris(return_X_y=True)).report().summary())
        Neural collapse of 150 samples, ...: not collapsed, the worst of NC1, NC2
          nc1_within_fraction 0.1311     partly collapsed (collapsed up to 0.01, ...)
          nc2_etf             0.7574     not collapsed (collapsed up to 0.15, ...)
          nc3_self_duality    –          It requires a linear head: ...
          nc4_mismatch        –          It is measured on samples: ...
        """
        return as_summary(self._content)

    def _page(self, title: str | None) -> str:
        return report_page({"": self._content}, title)

    @documented(MetricReport.to_json)
    def to_json(self, **options: Any) -> str:
        """
        Return the whole report as JSON text, which `from_json` reads.

        Returns
        -------
        str
            An object with "schema_version", "score", "metrics", "standard_error",
            "per_class", "quantiles", "notes", "convention" and the size of the data.
            NaN is null, infinite values are "Infinity" and "-Infinity".
        """
        return to_json(self._content, **options)

    @classmethod
    @documented(MetricReport.from_json.__func__)  # type: ignore[attr-defined]
    def from_json(cls, text: str | bytes) -> "NCReport":
        """
        Read a report from the text of `to_json`.

        Returns
        -------
        NCReport
            With the same numbers, to the last digit, and the same arrays, labels and
            notes.

        Raises
        ------
        ValueError
            If the text is not a report, is damaged, or has a schema version that this
            sknc cannot read.
        """
        return cls(from_json(text))
