"""Why a report lacks a metric, and which call gives it, in words."""

from collections.abc import Collection

from sknc.metrics._metric import Metric

_SAMPLES = "It is measured on samples: call score(X, y) or score_batches(batches)."
_ELSEWHERE = "It is measured on samples from elsewhere: call score_ood(X)."
_SCATTER = "It takes the scatter: fit with covariance=True."
_EITHER = (
    "Without the scatter it is measured on samples: call score(X, y) or "
    "score_batches(batches), or fit with covariance=True."
)
_HEAD = "It takes a linear head: NeuralCollapseAnalyzer(head=...)."
_BIAS = "It takes a head with a bias: head=(weights, bias)."
_OF_SAMPLES = {"decisions", "measures", "energies"}
_OF_HEAD = {"head", "any_head"}
_FROM_ELSEWHERE = {"ood_mean", "ood_features"}


def remedy(metric: Metric, available: Collection[str], within: str = "sample") -> str:
    """
    Return which call gives a metric whose input a report did not have.

    Parameters
    ----------
    metric : Metric
        The metric.
    available : collection of str
        Inputs that the report had.
    within : {"sample", "class"}, default="sample"
        The convention's within-class covariance.

    Returns
    -------
    str
        A sentence for each thing to do; empty if no input lacks.
    """
    lacking = set(metric.needs) - set(available)
    has_head = "head" in available
    by_class = "within" in lacking and within == "class"
    steps = {
        _ELSEWHERE: bool(lacking & _FROM_ELSEWHERE),
        _SAMPLES: bool(lacking & _OF_SAMPLES) or by_class,
        _EITHER: "within" in lacking and not by_class,
        _SCATTER: "scatter" in lacking,
        _HEAD: not has_head and bool(lacking & {*_OF_HEAD, "head_decisions"}),
        _BIAS: "bias" in lacking and has_head,
    }
    return " ".join(text for text, wanted in steps.items() if wanted)
