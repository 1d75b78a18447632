"""Classes on a page: which are furthest from collapse, and a table of all."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc.report._rendering.content import Content
from sknc.report._rendering.page.figures import Series, dot_plot
from sknc.report._rendering.page.markup import Markup, joined
from sknc.report._rendering.page.sortable import MOST_ROWS, sortable_table

_MOST_SHOWN = 20  # in the figure
_WORDS = {
    "label": "class",
    "count": "samples",
    "mean_norm": "norm of mean",
    "nc1_pinv": "part of nc1_pinv",
    "head_norm": "norm of row of head",
    "head_cosine": "cosine of mean and row",
    "ncc_recall": "recall of nearest center",
    "head_recall": "recall of head",
    "nuclear_ratio": "nuclear ratio",
    "stable_rank": "stable rank",
}


def class_tables(reports: Mapping[str, Content]) -> Markup:
    """Return a table of the classes of each report."""
    tables = []
    for number, (name, content) in enumerate(reports.items()):
        columns = dict(content.per_class)
        labels = columns.pop("label")
        kept = _largest(content, MOST_ROWS)
        caption = _caption(len(labels), len(kept))
        if len(reports) > 1:
            caption = f"{name}: {caption[0].lower()}{caption[1:]}"
        table = sortable_table(
            f"classes-{number}",
            caption,
            ["class", *(_WORDS.get(key, key) for key in columns)],
            _names(labels[kept]),
            [column[kept] for column in columns.values()],
        )
        tables.append(table)
    return joined(*tables)


def class_figure(reports: Mapping[str, Content]) -> Markup:
    """Return a figure of the classes that are furthest from collapse."""
    last = [*reports.values()][-1]
    key = _measure(last)
    chosen = _largest(last, _MOST_SHOWN)
    order = np.argsort(-last.per_class[key][chosen], kind="stable")
    labels = _names(last.per_class["label"][chosen][order])
    series = []
    for name, content in reports.items():
        of_class = dict(
            zip(
                _names(content.per_class["label"]),
                _column(content, key).tolist(),
                strict=True,
            )
        )
        series.append(Series(name, [of_class.get(x, np.nan) for x in labels]))
    what = {
        "nc1_pinv": "The part of each class in nc1_pinv: they add up to it.",
        "variance": "The variance of each class about its mean.",
    }
    n_classes = last.measured.n_classes
    shown = (
        f" Shown are {len(labels)} of {n_classes}." if len(labels) < n_classes else ""
    )
    return dot_plot(
        "classes-figure",
        "Classes that are furthest from collapse",
        [f"{what[key]}{shown}"],
        labels,
        series,
    )


def _measure(content: Content) -> str:
    """Return by which column classes are compared."""
    found = content.per_class.get("nc1_pinv")
    return "variance" if found is None or not np.isfinite(found).any() else "nc1_pinv"


def _column(content: Content, key: str) -> np.ndarray:
    n_classes = len(content.per_class["label"])
    return content.per_class.get(key, np.full(n_classes, np.nan))


def _largest(content: Content, most: int) -> np.ndarray:
    """Return the rows of the classes that are furthest from collapse, in order."""
    values = content.per_class[_measure(content)]
    if len(values) <= most:
        return np.arange(len(values))
    return np.sort(np.argsort(-values, kind="stable")[:most])


def _caption(n_classes: int, n_shown: int) -> str:
    if n_shown == n_classes:
        return f"All {n_classes} classes."
    return (
        f"The {n_shown} of {n_classes} classes that are furthest from collapse. "
        "report.per_class has all."
    )


def _names(labels: np.ndarray) -> list[str]:
    return [str(label) for label in _plain(labels)]


def _plain(labels: np.ndarray) -> list[Any]:
    """Return labels as their own text: of times, that of NumPy."""
    return list(labels) if labels.dtype.kind in "Mm" else labels.tolist()
