"""The content of a report, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sknc.convention import Convention
from sknc.metrics import TABLE, Metric
from sknc.metrics._catalogue.missing import Request
from sknc.metrics._catalogue.properties import PROPERTIES


@dataclass(frozen=True)
class Measured:
    """The samples that a report describes, and their classes."""

    n_samples: int
    n_classes: int
    n_features: int
    dtype: str
    device: str
    weighted: bool = False


@dataclass(frozen=True)
class Directions:
    """The directions of the class means that ``nc1_pinv`` compares, if any."""

    rank: int | None = None
    # Ratio of the largest to the smallest singular value.
    condition: float | None = None


@dataclass(frozen=True, eq=False)
class Content:
    """The content of a report; see the attributes of `NCReport`."""

    score: float
    values: Mapping[str, float]
    standard_error: Mapping[str, float]
    per_class: Mapping[str, np.ndarray]
    quantiles: Mapping[str, Mapping[float, float]]
    notes: Mapping[str, str]
    convention: Convention
    measured: Measured
    directions: Directions
    request: Request

    def why_missing(self, key: str) -> str:
        """Return why a metric of the table has no value."""
        return self.request.why_missing(
            key, self.convention.within, self.measured.n_classes
        )

    def metric(self, key: str) -> Metric:
        """Return the row of a metric."""
        return TABLE[key]

    def meaning(self, group: str) -> str:
        """Return what the metrics of a group measure."""
        return PROPERTIES[group]

    def title(self) -> str:
        """Return a line about the measured samples."""
        measured = self.measured
        weighted = " (weighted)" if measured.weighted else ""
        return (
            f"Neural collapse of {measured.n_samples} samples{weighted}, "
            f"{measured.n_classes} classes, {measured.n_features} features "
            f"({measured.dtype} on {measured.device}), "
            f"convention {self.convention.name!r}"
        )

    def summary(self) -> list[str]:
        """Return lines about the whole report: the score and compared directions."""
        lines = [f"score (1 - nc1_within_fraction) {self.score:.6g}"]
        rank, condition = self.directions.rank, self.directions.condition
        if rank is not None:
            lines.append(f"class means: rank {rank}, condition {condition:.3g}")
        return lines
