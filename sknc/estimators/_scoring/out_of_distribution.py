"""NC5 metrics of out-of-distribution samples, batch by batch."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from sknc._utils.arrays import Array, namespace
from sknc.convention import Convention
from sknc.estimators._inputs.batches import refuse_no_batches
from sknc.estimators._inputs.labels import check_labels
from sknc.metrics import neco_scores
from sknc.report._building import Inputs, metric_values
from sknc.statistics.class_statistics import ClassStatistics


def ood_labels(y: Any, n_samples: int) -> Any:
    """Return labels of out-of-distribution samples, by default one label for all."""
    if y is None:
        return np.zeros(n_samples, dtype=np.int64)
    return check_labels(y, n_samples, "score_ood")


def values_out_of_distribution(
    statistics: ClassStatistics,
    convention: Convention,
    parts: Iterable[tuple[Array, Any]],
) -> dict[str, float]:
    """Return the NC5 metrics of features and labels, in one pass over them."""
    found, total, n_samples = [], 0.0, 0
    with_scatter = statistics.moments.scatter is not None
    for features, labels in parts:
        found.append(ClassStatistics.from_samples(features, labels, covariance=False))
        n_samples += int(features.shape[0])
        if with_scatter:
            scores = neco_scores(statistics, features)
            total += float(namespace(scores).sum(scores))
        if len(found) > 1:
            found = [found[0].merge(found[1])]
    if not found:
        refuse_no_batches("score_ood_batches")
    (whole,) = found
    mean = whole if whole.n_classes == 1 else _mean_of_classes(whole)
    values = metric_values(Inputs(statistics, convention, ood_mean=mean), "NC5")
    return values | ({"nc5_neco": total / n_samples} if with_scatter else {})


def _mean_of_classes(whole: ClassStatistics) -> Array:
    return namespace(whole.counts).mean(whole.class_means, axis=0)
