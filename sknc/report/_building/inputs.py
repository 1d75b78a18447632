"""The inputs of metrics, and the computation of their values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics import select
from sknc.metrics._shared.geometry import spectrum_key
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import AnyStatistics
from sknc.statistics.sample_measures import SampleMeasures


@dataclass(frozen=True, eq=False)
class Inputs:
    """Checked inputs of metrics; None for missing inputs."""

    statistics: AnyStatistics  # of classes that all have centers
    convention: Convention
    head: LinearHead | None = None  # rows of the same classes
    decisions: Decisions | None = None
    measures: SampleMeasures | None = None
    ood_mean: Any = None  # out-of-distribution samples as one class, or their mean
    ood_features: Any = None  # the samples themselves

    def by_name(self) -> dict[str, Any]:
        """Return all inputs that the rows of the table may need, by name."""
        decisions, head = self.decisions, self.head
        return {
            "statistics": self.statistics,
            "head": head,
            "any_head": head,
            "bias": None if head is None else head.bias,
            "decisions": decisions,
            "head_decisions": None if decisions is None else decisions.mismatched,
            "measures": self.measures,
            "ncc_margins": getattr(self.measures, "ncc_margins", None),
            "cosine_margins": getattr(self.measures, "cosine_margins", None),
            "directional": getattr(self.measures, "directional", None),
            "ood_mean": self.ood_mean,
            "ood_features": self.ood_features,
            "scatter": self.statistics.within_scatter,
            "class_scatters": self.statistics.centers.class_scatters,
            "energies": self._energies(),
            "within": self._within(),
        }

    def _energies(self) -> Any:
        return self.statistics.class_projected_squares(spectrum_key(self.convention))

    def _within(self) -> Any:
        """Return the input from which ``nc1_pinv`` can be computed."""
        energies = self._energies()
        if energies is not None or self.convention.within == "class":
            return energies
        return self.statistics.within_scatter


def metric_values(
    inputs: Inputs, metrics: str | Iterable[str] = "default"
) -> dict[str, float]:
    """Compute the metrics whose inputs are available, in the order of the table."""
    found = inputs.by_name()
    n_classes = inputs.statistics.n_classes
    return {
        metric.key: metric.compute(found, inputs.convention)
        for metric in select(metrics)
        if not metric.is_skipped(metrics, n_classes)
        and not any(found[name] is None for name in metric.needs)
    }
