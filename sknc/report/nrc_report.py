"""The report of neural regression collapse."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils.docstrings import documented
from sknc.metrics._catalogue.regression_table import REGRESSION_TABLE
from sknc.report._metric_report import MetricReport, read_only
from sknc.report._rendering import (
    RegressionContent,
    regression_from_json,
    regression_page,
    regression_to_json,
)


class NRCReport(MetricReport):
    """
    Neural regression collapse metrics, read by key or attribute; also a single number.

    As a float it is ``1 - nrc1``, in [0, 1]: higher is more collapsed, 1 at collapse.
    Created by `NeuralRegressionCollapse.report` and `NeuralRegressionCollapse.score`.

    Parameters
    ----------
    content : object
        The content of the report.

    Attributes
    ----------
    gamma : float or None
        The constant of ``nrc3``, in units of the squared targets; None without a head.
        To compare epochs, set it as the estimator's `gamma`.
    least_target_variance : float
        Least eigenvalue of the covariance of the targets, the upper bound of gamma.
    explained_variance_ratio : ndarray of shape (n_features,)
        Share of the variance of the features along each of their principal directions,
        in descending order.
    per_target : mapping of str to ndarray of shape (n_targets,)
        "variance" of each target and, with a head, "mse" and "r2" of its prediction.
    notes : mapping of str to str
        Explains every value that is NaN or meaningless, or that was requested but
        skipped.
    n_samples, n_features, n_targets : int
        Size of the data.
    weighted : bool
        Whether the samples had weights.
    dtype, device : str
        Dtype and device of the features.

    See Also
    --------
    NCReport : The same for classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import NeuralRegressionCollapse
    >>> Y = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    >>> X = np.hstack([Y, np.zeros((4, 3))])
    >>> report = NeuralRegressionCollapse(head=np.eye(2, 5)).fit(X, Y).report()
    >>> round(report.nrc1, 12), round(report["nrc2"], 12), float(report)
    (0.0, 0.0, 1.0)
    >>> report.per_target["r2"]
    array([1., 1.])
    """

    _content: RegressionContent
    gamma: float | None
    least_target_variance: float
    explained_variance_ratio: np.ndarray
    per_target: Mapping[str, np.ndarray]
    n_targets: int

    def __new__(cls, content: RegressionContent) -> "NRCReport":
        """Store the number and the content."""
        self = super().__new__(cls, content.score)
        hidden = {"score", "values", "has_head"}
        parts = {k: read_only(v) for k, v in vars(content).items() if k not in hidden}
        self.__dict__.update(parts, _content=content)
        return self

    @documented(MetricReport.to_json)
    def to_json(self, **options: Any) -> str:
        """
        Return the whole report as JSON text, which `from_json` reads.

        Returns
        -------
        str
            An object with "schema_version", "kind" and the attributes of the report.
            NaN is null, infinite values are "Infinity" and "-Infinity".
        """
        return regression_to_json(self._content, **options)

    @classmethod
    @documented(MetricReport.from_json.__func__)  # type: ignore[attr-defined]
    def from_json(cls, text: str | bytes) -> "NRCReport":
        """
        Read a report from the text of `to_json`.

        Returns
        -------
        NRCReport
            With the same numbers, to the last digit, and the same notes.

        """
        return cls(regression_from_json(text))

    def _page(self, title: str | None) -> str:
        return regression_page(self._content, title)

    def _missing(self, key: str) -> str:
        if key not in REGRESSION_TABLE:
            return (
                f"There is no metric {key!r} of regression, only: "
                f"{', '.join(REGRESSION_TABLE)}."
            )
        return f"This report has no {key!r}. {how_to_get(key, self._content.has_head)}"


def how_to_get(key: str, has_head: bool) -> str:
    """Return how to get a metric that a report does not have."""
    if REGRESSION_TABLE[key].needs_head and not has_head:
        return "It requires a linear head: NeuralRegressionCollapse(head=...)."
    return f"Request it: metrics=[{key!r}, ...]."
