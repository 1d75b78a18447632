"""Statistics of some of the classes, computed from those of all."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.label_kinds import label_keys
from sknc._utils.parameters import refuse, shown
from sknc.statistics._moments import scatter_of_means
from sknc.statistics.class_scatters import ClassScatters
from sknc.statistics.class_statistics import ClassStatistics


def chosen_labels(
    statistics: ClassStatistics,
    classes: Iterable[Any] | None = None,
    count_range: tuple[float | None, float | None] | None = None,
) -> np.ndarray:
    """Return the sorted labels of observed classes, selected by name or count."""
    labels = statistics.classes[statistics.observed]
    keep = np.ones(len(labels), bool)
    if classes is not None:
        named, keys = _by_key(classes), label_keys(labels)
        unknown = [named[key] for key in named.keys() - set(keys)]
        if unknown:
            msg = (
                f"classes names {sorted(unknown, key=str)}, which are not classes with "
                "samples: expected some of "
                f"{labels.tolist()[:10]}{' and others' * (len(labels) > 10)}."
            )
            raise ValueError(msg)
        keep = np.array([key in named for key in keys])
    if count_range is not None:
        least, most = _bounds(count_range)
        counts = arrays.to_numpy(statistics.counts)[statistics.observed]
        keep &= (counts >= least) & (counts <= most)
    if keep.sum() < 2:
        msg = (
            "Neural collapse compares classes: at least 2 classes that have samples "
            f"must be chosen, got {keep.sum()} by classes={shown(classes)} and "
            f"count_range={count_range!r}."
        )
        raise ValueError(msg)
    kept: np.ndarray = labels[keep]
    return kept


def _by_key(classes: Iterable[Any]) -> dict[Any, Any]:
    """Return the given labels by their keys."""
    found = np.asarray(list(classes))
    labels: list[Any] = found.tolist()
    if found.dtype == object:
        for kind, dtype in ((date, "M8[us]"), (timedelta, "m8[us]")):
            if all(isinstance(label, kind) for label in labels):
                found = found.astype(dtype)
    return dict(zip(label_keys(found), labels, strict=True))


def _bounds(count_range: Any) -> tuple[float, float]:
    try:
        least, most = count_range
        bounds = (
            -np.inf if least is None else float(least),
            np.inf if most is None else float(most),
        )
    except (TypeError, ValueError):
        refuse("count_range", "(least, most), numbers or None", count_range)
    return bounds


def subset_of(statistics: ClassStatistics, labels: np.ndarray) -> ClassStatistics:
    """Return the statistics of the samples of some classes."""
    # The scatter without other classes is only known if each class has its own.
    rows = np.flatnonzero(np.isin(statistics.classes, labels))
    moments = statistics.moments.take(rows).without_scatter()
    scatters, classes = statistics.class_scatters, statistics.classes[rows]
    if scatters is None:
        if statistics.weighted:
            msg = (
                "With sample weights, the number of samples of each class is stored "
                'only with covariance="by_class". Fit with it, or without weights.'
            )
            raise ValueError(msg)
        n_samples = int(moments.counts.sum())
        return replace(
            statistics, classes=classes, moments=moments, n_samples=n_samples
        )
    held = [
        (k, scatters.by_label[k]) for k in label_keys(classes) if k in scatters.by_label
    ]
    n_samples = sum(spread.n_samples for _, spread in held)
    seen = moments.take(np.flatnonzero(arrays.to_numpy(moments.counts)))
    if held:
        scatter = scatter_of_means(seen.sums, seen.counts)
        for _, spread in held:
            scatter = scatter + spread.scatter
        moments = replace(moments, scatter=scatter)
    chosen = ClassScatters(dict(held))
    return ClassStatistics(classes, moments, n_samples, statistics.input_dtype, chosen)
