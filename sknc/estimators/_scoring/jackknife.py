"""
Delete-a-group jackknife: standard errors of metrics from groups of samples.

`_fitting.groups` assigns samples to groups. Their number is the parameter `n_jackknife`
of `NeuralCollapseAnalyzer`, whose default the signatures of `sknc.torch` repeat.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sknc._utils.label_kinds import in_common, union
from sknc._utils.merge_tree import merge_all
from sknc.convention import Convention
from sknc.estimators._fitting.groups import about_common_anchors, merge_all_but_one
from sknc.estimators._scoring.evaluation import EvaluationResult
from sknc.head import LinearHead
from sknc.metrics import TABLE
from sknc.report._building import Inputs, metric_values
from sknc.statistics.class_statistics import ClassStatistics

_OF_SCATTER = {"scatter", "within"}


def jackknife_errors(replicates: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """
    Return the standard error of each metric from its values without each of G groups.

    ``sqrt((G - 1) / G * sum of squared deviations from the mean)`` [1]_; NaN if a value
    is not finite.

    .. [1] B. Efron, C. Stein. "The jackknife estimate of variance." Annals of
       Statistics 9 (3), 1981. https://doi.org/10.1214/aos/1176345462

    >>> from sknc.estimators._scoring.jackknife import jackknife_errors
    >>> jackknife_errors([{"a": 1.0}, {"a": 3.0}])  # sqrt(1/2 * 2)
    {'a': 1.0}
    """
    shared = [key for key in replicates[0] if all(key in r for r in replicates)]
    factor = (len(replicates) - 1) / len(replicates)
    errors = {}
    for key in shared:
        values = np.array([replicate[key] for replicate in replicates])
        finite = bool(np.isfinite(values).all())
        center = values[0] if np.all(values == values[0]) else values.mean()
        deviations = values - center if finite else math.nan
        errors[key] = math.sqrt(factor * float(np.sum(deviations**2)))
    return errors


def errors_of_report(
    parts: Sequence[ClassStatistics | None],
    head: LinearHead | None,
    convention: Convention,
    keys: Sequence[str],
) -> dict[str, float]:
    """
    Return errors of metrics of fitted samples, from the statistics of each group.

    Metrics of the head alone do not depend on samples and have error zero. If all
    samples of a class are in one group, other errors are NaN. The head has rows of all
    classes of some group.
    """
    held = [part for part in parts if part is not None]
    if len(held) < 2:
        return {}
    if not any(_OF_SCATTER & set(TABLE[key].needs) for key in keys):
        held = [replace(p, moments=p.moments.without_scatter()) for p in held]
    held = about_common_anchors(held)
    n_classes = len(union(*(_observed(part) for part in held)))
    of_head = [key for key in keys if TABLE[key].depends_only_on_head]
    of_samples = [key for key in keys if key not in of_head]

    def values(statistics: ClassStatistics) -> dict[str, float]:
        seen = statistics.observed_only()
        # Without that class, it would be another quantity.
        if seen.n_classes < n_classes:
            return dict.fromkeys(of_samples, math.nan)
        return metric_values(Inputs(seen, convention, head), of_samples)

    whole = merge_all(held).observed_only()
    constant = metric_values(Inputs(whole, convention, head), of_head)
    return _errors(held, values) | jackknife_errors([constant, constant])


def single_group_classes(parts: Sequence[ClassStatistics | None]) -> list[Any]:
    """Return the labels of classes whose samples are all in one group."""
    held = [_observed(part) for part in parts if part is not None]
    if len(held) < 2:
        return []
    labels, n_groups = np.unique(np.concatenate(in_common(*held)), return_counts=True)
    lone: list[Any] = labels[n_groups == 1].tolist()
    return lone


def errors_of_score(
    parts: Sequence[EvaluationResult],
    head: LinearHead | None,
    convention: Convention,
    keys: Sequence[str],
) -> dict[str, float]:
    """Return errors of metrics of scored samples about fixed centers."""
    if len(parts) < 2:
        return {}

    def values(found: EvaluationResult) -> dict[str, float]:
        inputs = Inputs(
            found.held_out, convention, head, found.decisions, found.measures
        )
        return metric_values(inputs, keys)

    return _errors(parts, values)


def _observed(part: ClassStatistics) -> np.ndarray:
    labels: np.ndarray = part.classes[part.observed]
    return labels


def _errors(
    parts: Sequence[Any], values: Callable[[Any], dict[str, float]]
) -> dict[str, float]:
    return jackknife_errors([values(rest) for rest in merge_all_but_one(parts)])
