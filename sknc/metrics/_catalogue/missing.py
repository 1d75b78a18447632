"""Which metrics a report leaves out, and how to get them."""

from collections.abc import Collection
from dataclasses import dataclass

from sknc.metrics._catalogue.metric import Metric
from sknc.metrics._catalogue.table import TABLE, select

_SAMPLES = "It is measured on samples: call score(X, y) or score_batches(batches)."
_ELSEWHERE = "It is measured on out-of-distribution samples: call score_ood(X)."
_SCATTER = "It requires the scatter: fit with covariance=True."
_CLASS_SCATTERS = (
    'It requires the scatter of each class: fit with covariance="by_class", also '
    "everything that is merged."
)
_EITHER = (
    "Without the scatter it is measured on samples: call score(X, y) or "
    "score_batches(batches), or fit with covariance=True."
)
_HEAD = "It requires a linear head: NeuralCollapseAnalyzer(head=...)."
_BIAS = "It requires a head with a bias: head=(weights, bias)."
OF_SAMPLES = {
    "decisions",
    "measures",
    "energies",
    "ncc_margins",
    "cosine_margins",
    "directional",
}
_OF_HEAD = {"head", "any_head"}
_FROM_ELSEWHERE = {"ood_mean", "ood_features"}


@dataclass(frozen=True)
class Request:
    """The metrics requested for a report, and the inputs that were available."""

    metrics: str | tuple[str, ...]
    inputs: frozenset[str]

    def why_missing(self, key: str, within: str, n_classes: int) -> str:
        """Return how to get a metric that the report does not have."""
        metric = TABLE[key]
        text = how_to_get(metric, self.inputs, within)
        if metric not in select(self.metrics) and not metric.is_ood:
            text = f"Request it: metrics=[{key!r}, ...]. {text}"
        elif metric.is_skipped(self.metrics, n_classes):
            text = (
                f'metrics="all" skips it above {metric.most_classes} classes, because '
                f"of its cost: request it by name. {text}"
            )
        return text.rstrip()

    def missing(self, keys: Collection[str], n_classes: int) -> list[str]:
        """
        Return the missing metrics that deserve a note.

        They were requested by name, or skipped because of their cost.
        """
        by_name = self.metrics not in ("default", "essential", "all")
        return [
            metric.key
            for metric in select(self.metrics)
            if metric.key not in keys
            and (by_name or metric.is_skipped(self.metrics, n_classes))
        ]


def how_to_get(
    metric: Metric, available: Collection[str], within: str = "sample"
) -> str:
    """Return how to get a metric, with a sentence for each missing input."""
    lacking = set(metric.needs) - set(available)
    has_head = "head" in available
    by_class = "within" in lacking and within == "class"
    steps = {
        _ELSEWHERE: bool(lacking & _FROM_ELSEWHERE),
        _SAMPLES: bool(lacking & OF_SAMPLES) or by_class,
        _EITHER: "within" in lacking and not by_class,
        _SCATTER: "scatter" in lacking,
        _CLASS_SCATTERS: "class_scatters" in lacking,
        _HEAD: not has_head and bool(lacking & {*_OF_HEAD, "head_decisions"}),
        _BIAS: "bias" in lacking and has_head,
    }
    return " ".join(text for text, wanted in steps.items() if wanted)
