"""Docstrings of metrics: the common parts, filled in from their rows."""

import re

from sknc._utils.docstrings import entries_of, filled, join_sections, split_sections
from sknc.metrics._catalogue.metric import ARGUMENTS, Metric
from sknc.metrics._catalogue.sources import references

_PARAMETERS = entries_of(
    r"""
head : LinearHead
    Weights of shape (K, D), one row per class.
decisions : Decisions
    Counts of decisions.
measures : SampleMeasures
    Values of each sample.
ood_mean : array of shape (D,), or ClassStatistics
    Mean of the features of out-of-distribution samples; or their statistics as one
    class, which keep all digits if all features share an offset.
X : array of shape (B, D)
    Features to score, in any array library.
minority : float or iterable of labels, default=0.5
    Labels of the minority classes; or a quantile q, 0 < q < 1, to select those whose
    count is at most the q-quantile of the counts (the least count that ``q K`` classes
    do not exceed) and below the largest count.
weight_decay : float, default=0.0
    The factor :math:`\lambda`.
"""
)
# Why a function may lack input; a report then skips the metric.
_WITHOUT = {
    "scatter": "the scatter was not kept",
    "within": "the scatter was not kept",
    "class_scatters": "the scatters of classes were not kept",
    "bias": "the head has no bias",
    "head_decisions": "there is no head",
}
_DIRECTIONS = {True: "lower is more collapsed", False: "higher is more collapsed"}
_IMPORTS = {
    "np": "import numpy as np",
    "ClassStatistics": "from sknc import ClassStatistics",
    "LinearHead": "from sknc import LinearHead",
    "NeuralCollapseAnalyzer": "from sknc import NeuralCollapseAnalyzer",
    "Decisions": "from sknc.statistics import Decisions",
}
# Names of a function's inputs, in the order of `ARGUMENTS`.
_INPUTS = tuple("X" if name == "ood_features" else name for name in ARGUMENTS)
_CLASS_MEANS = re.compile(r"(un)?(centered )?class means")
# Examples create statistics in this way; for a head they are replaced.
_FROM_SAMPLES = re.compile(r"ClassStatistics\.from_samples\((\w+), np\.arange\(\d+\)\)")


def complete_docstring(metric: Metric) -> str:
    """
    Return the docstring of a metric with all its sections.

    The function's own docstring has the summary, the formula and an example, and may
    have notes and parameters.
    """
    head, written = split_sections(metric.function.__doc__)
    if "Examples" not in written:
        msg = (
            f"The docstring of {metric.key} must have a section Examples, with a value "
            "that a reader can verify without a computer."
        )
        raise ValueError(msg)
    _, shared = split_sections(references(*metric.sources))
    made = {
        "Parameters": _parameters(metric, written.get("Parameters", "")),
        "Returns": f"float\n{filled(_returns(metric))}",
        "Raises": _raises(metric),
        "Examples": _example(metric, written["Examples"]),
    }
    return join_sections(head, written | shared | made)


def docstring_for_head(metric: Metric) -> str:
    """Return summary and example of a metric of class means, for rows of the head."""
    summary = _CLASS_MEANS.sub("rows of the head", metric.summary)
    summary = re.sub(r"``(\w+)``", r"``\1_head``", summary)
    written = split_sections(metric.function.__doc__)[1]["Examples"]
    commands = written[written.index(">>> ") :].splitlines()
    example = "\n".join(line for line in commands if " import " not in line)
    example = _FROM_SAMPLES.sub(r"LinearHead(\1, None)", example)
    example = example.replace(f"{metric.key}(", f"{metric.key}_head(")
    return (
        f"{summary}\n\nThe formula of `{metric.key}` on the rows of W, uncentered.\n\n"
        f"Examples\n--------\n{example}\n"
    )


def _parameters(metric: Metric, written: str) -> str:
    own = entries_of(written)
    either = "" if "measures" in metric.needs else "ClassStatistics or "
    plain = {"scatter", "within"}.isdisjoint(metric.needs)
    shared = _PARAMETERS | {
        "statistics": f"statistics : {either}HeldOutStatistics\n    Statistics of K "
        f"classes of D features{'' if plain else ', with their scatter'}.",
        "convention": 'convention : str or Convention, default="default"\n'
        + filled(metric.convention),
    }
    entries = shared | own
    for name in metric.parameters:
        if name not in entries:
            msg = (
                f"{metric.key} has an unknown parameter {name!r}: expected inputs, "
                f"which are {', '.join(_INPUTS)}, or an option with an entry in the "
                "section Parameters of the docstring."
            )
            raise ValueError(msg)
    return "\n".join(entries[name] for name in metric.parameters)


def _returns(metric: Metric) -> str:
    sentences = [_meaning(metric)]
    reasons = [item.words for item in metric.undefined]
    reasons += [_WITHOUT[need] for need in metric.needs if need in _WITHOUT]
    if reasons:
        sentences.append(f"NaN if {', or if '.join(dict.fromkeys(reasons))}")
    if metric.infinite:
        sign = "Minus infinity" if metric.ideal == "-inf" else "Infinite"
        sentences.append(f"{sign} if {metric.infinite}")
    if metric.unchanged_by:
        sentences.append(f"Unchanged by {metric.unchanged_by}")
    return " ".join(f"{sentence}." for sentence in sentences)


def _meaning(metric: Metric) -> str:
    """Return the range, the direction, and the value at collapse."""
    text, ideal = f"{metric.unit}, in {metric.interval}", metric.ideal
    if metric.lower_is_collapsed is not None:
        text += f"; {_DIRECTIONS[metric.lower_is_collapsed]}"
    if isinstance(ideal, float):
        ideal = f"{ideal:g}"
    if ideal is None:
        return text
    if " " in ideal:
        return f"{text}. At collapse: {ideal}"
    return (
        f"{text}{';' if metric.lower_is_collapsed is None else ','} {ideal} at collapse"
    )


def _raises(metric: Metric) -> str:
    if not metric.raises or "statistics" not in metric.needs:
        return ""
    return f"ValueError\n{filled(metric.raises)}"


def _example(metric: Metric, written: str) -> str:
    used = [
        line for name, line in _IMPORTS.items() if re.search(rf"\b{name}\b", written)
    ]
    used = [line for line in used if line not in written]
    if "NeuralCollapseAnalyzer" not in written:
        used.append(f"from sknc.metrics import {metric.key}")
    imports = "".join(f">>> {line}\n" for line in used)
    return re.sub(r"^(?=>>> )", imports, written, count=1, flags=re.MULTILINE)
