"""Marks of three classes in a plane, with their simplex."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc.plotting._panels import inches_of, share_of_legend
from sknc.plotting._plane import CORNERS
from sknc.plotting._style import COLORS
from sknc.plotting._words import short_label

# From dark to light, so that they differ in grayscale too.
_COLORS = ("#1B3A6B", COLORS[1], "#E8B93B")
_MARKERS = ("o", "s", "^")
_FEATURE: dict[str, Any] = {
    "s": 14,
    "alpha": 0.65,
    "linewidths": 0.3,
    "edgecolors": "0.2",
    "zorder": 2,
}
_MEAN: dict[str, Any] = {
    "s": 130,
    "facecolors": "none",
    "edgecolors": "black",
    "linewidths": 1.8,
    "zorder": 4,
}
_HEAD: dict[str, Any] = {
    "color": "black",
    "linewidth": 1.3,
    "marker": "D",
    "markersize": 5,
    "markeredgecolor": "white",
    "markevery": [1],
    "zorder": 3,
}
_SIMPLEX: dict[str, Any] = {"color": "0.45", "linestyle": "--", "linewidth": 1.2}
_NAME: dict[str, Any] = {"ha": "center", "fontsize": 9, "zorder": 5}
_WIDE = 2.7  # inches from which the legend has one line
_POINTS_A_LETTER = 6.0
_BEYOND = 0.12  # share of the height between the outermost mark and a name


@dataclass(frozen=True)
class Look:
    """Keyword arguments of the caller for each kind of mark."""

    features: Mapping[str, Any]
    means: Mapping[str, Any]
    head: Mapping[str, Any]
    simplex: Mapping[str, Any]

    def explain(self, panel: Any) -> None:
        """Add the legend, and make room for it below the plane."""
        handles, labels = panel.get_legend_handles_labels()
        found = dict(zip(labels, handles, strict=True))
        n_columns = len(found) if inches_of(panel)[0] > _WIDE else 1
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.0)}
        style = {"frameon": False, "fontsize": 8, "markerscale": 0.7}
        legend = panel.legend(
            found.values(),
            found.keys(),
            ncols=n_columns,
            columnspacing=1.2,
            borderaxespad=0,
            **place,
            **style,
        )
        share = share_of_legend(panel, legend, 0.5)
        low, high = panel.get_ylim()
        panel.set_ylim(low - (high - low) * share / (1 - share), high)


def draw_triangle(
    panel: Any,
    features: Sequence[np.ndarray],
    means: np.ndarray,
    head: np.ndarray | None,
    names: Sequence[str],
    look: Look,
) -> None:
    """Draw the marks of three classes, with their shortened names."""
    corners = np.vstack([CORNERS, CORNERS[:1]])
    panel.plot(*corners.T, label="simplex", **{**_SIMPLEX, **look.simplex})
    for k, marker in enumerate(_MARKERS):
        style = {**_FEATURE, "color": _COLORS[k], "marker": marker}
        if {"c", "color", "facecolors"} & look.features.keys():
            del style["color"]
        panel.scatter(*features[k].T, **{**style, **look.features})
        style = {**_MEAN, "marker": marker, "label": "class mean" if not k else None}
        panel.scatter(*means[[k]].T, **{**style, **look.means})
        if head is not None:
            label = "row of head (scaled)" if not k else None
            line = np.vstack([[0, 0], head[k]])
            panel.plot(*line.T, **{**_HEAD, "label": label, **look.head})
    panel.set_aspect("equal")
    panel.set_axis_off()
    points = [*features, means, CORNERS, *(() if head is None else (head,))]
    _name_classes(panel, np.vstack(points), names)


def _name_classes(panel: Any, points: np.ndarray, names: Sequence[str]) -> None:
    """Write labels above the first class and below the others."""
    low, high = points.min(axis=0), points.max(axis=0)
    gap = _BEYOND * (high[1] - low[1])
    longest = max(4, min(20, int(36 * inches_of(panel)[0] / _POINTS_A_LETTER)))
    texts = [short_label(name, longest) for name in names]
    panel.text(0, high[1] + gap / 2, texts[0], va="bottom", **_NAME)
    aside = max(CORNERS[2, 0], (high[0] - low[0]) / 4)
    for x, text in ((-aside, texts[1]), (aside, texts[2])):
        panel.text(x, low[1] - gap / 2, text, va="top", **_NAME)
    panel.set_ylim(low[1] - 1.6 * gap, high[1] + 1.6 * gap)
