"""The content of a regression report, as a frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sknc.metrics._catalogue.regression import PROPERTIES, RegressionMetric
from sknc.metrics._catalogue.regression_table import REGRESSION_TABLE


@dataclass(frozen=True, eq=False)
class RegressionContent:
    """The content of a regression report; see the attributes of `NRCReport`."""

    score: float
    values: Mapping[str, float]
    notes: Mapping[str, str]
    per_target: Mapping[str, np.ndarray]
    explained_variance_ratio: np.ndarray
    gamma: float | None
    least_target_variance: float
    n_samples: int
    n_features: int
    n_targets: int
    weighted: bool
    dtype: str
    device: str
    has_head: bool

    @property
    def standard_error(self) -> Mapping[str, float]:
        """No metric has a standard error."""
        return {}

    def metric(self, key: str) -> RegressionMetric:
        """Return the row of a metric."""
        return REGRESSION_TABLE[key]

    def meaning(self, group: str) -> str:
        """Return what the metrics of a group measure."""
        return PROPERTIES[group]

    def title(self) -> str:
        """Return a line about the measured samples."""
        weighted = " (weighted)" if self.weighted else ""
        targets = f"{self.n_targets} target{'s' if self.n_targets > 1 else ''}"
        return (
            f"Neural regression collapse of {self.n_samples} samples{weighted}, "
            f"{targets}, {self.n_features} features ({self.dtype} on {self.device})"
        )

    def summary(self) -> list[str]:
        """Return lines about the whole report: the score, and the gamma of NRC3."""
        lines = [f"score (1 - nrc1) {self.score:.6g}"]
        if self.gamma is not None and "nrc3" in self.values:
            least = self.least_target_variance
            lines.append(f"gamma {self.gamma:.6g}, bounded by {least:.6g}")
        return lines
