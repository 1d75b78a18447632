"""Heatmaps and histograms of cosines."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sknc.plotting._cosines import PairRange, histogram_of
from sknc.plotting._panels import inches_of, share_of_legend
from sknc.plotting._style import COLORS, REFERENCE
from sknc.plotting._words import digits, plain, short_labels

# Of colors around the ideal, so that rounding errors stay invisible.
_LEAST_REACH = 0.05
_LEAST_WIDTH = 0.01  # of a histogram
_MOST_TICKS = 20
_TICKS_AN_INCH = 5
_LETTERS_AN_INCH = 5.5  # per inch of panel width, for names
_MOST_BINS = 60
_UNEVEN = 10  # ratio of the highest bins from which a logarithmic axis is used
_POINTS_A_LETTER = 0.62  # relative to the font size
_SMALLEST, _LARGEST = 6.0, 9.0  # font sizes of numbers in cells
_NARROW = 1.4  # inches of a panel with a short title
_NOTHING = "0.93"  # color of cells without a number
_TITLES = {"means": "class means", "head": "rows of the head"}
_BARS: dict[str, dict[str, Any]] = {
    "means": {"color": COLORS[0], "fill": True, "alpha": 0.55, "linewidth": 0},
    "head": {"color": COLORS[1], "linewidth": 1.6},
}


# Heatmaps -------------------------------------------------------------------------


def draw_heatmaps(
    panels: np.ndarray,
    grids: Mapping[str, np.ndarray],
    labels: np.ndarray,
    ideal: float,
    options: Mapping[str, Any],
) -> Any:
    """Draw the cosines of each panel, with colors centered at the ideal."""
    reach = max(_LEAST_REACH, *(_reach(grid, ideal) for grid in grids.values()))
    look = {"vmin": ideal - reach, "vmax": ideal + reach, **options}
    if "norm" in look:
        look = {name: x for name, x in look.items() if name not in ("vmin", "vmax")}
    for panel, (name, grid) in zip(panels, grids.items(), strict=True):
        panel.set_facecolor(_NOTHING)
        image = panel.imshow(grid, interpolation="nearest", **look)
        image.set_gid(f"cosines-{name}")
        title = _title(name, grid, inches_of(panel)[0])
        panel.set_title(title, loc="left", fontsize=10)
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0, labelsize=8)
        _name_classes(panel, labels)
    for panel in panels[1:]:
        panel.tick_params(labelleft=False)
    bar = panels[0].figure.colorbar(image, ax=list(panels), shrink=0.85)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.formatter = lambda value, _: plain(value, 2)
    bar.update_ticks()
    return bar


def mark_ideal(bar: Any, ideal: float, options: Mapping[str, Any]) -> None:
    """Mark the cosine of a simplex on the color bar."""
    bar.ax.axhline(ideal, **{**REFERENCE, **options})
    text = f"cosine\n(dashed: simplex, {digits(ideal)})"
    bar.set_label(text, fontsize=8)


def write_values(
    panels: np.ndarray, grids: Mapping[str, np.ndarray], wanted: bool | None
) -> None:
    """Write numbers into cells if they fit."""
    for panel, grid in zip(panels, grids.values(), strict=True):
        size = _font_size(panel, len(grid))
        if wanted is False or (wanted is None and size < _SMALLEST):
            continue
        image = panel.images[0]
        style = {"ha": "center", "va": "center", "fontsize": max(size, 3.0)}
        for (row, column), value in np.ndenumerate(grid):
            if math.isfinite(value):
                dark = _luminance(image.cmap(image.norm(value))) < 0.5
                color = "white" if dark else "black"
                panel.text(column, row, plain(value, 2), color=color, **style)


def _title(name: str, grid: np.ndarray, width: float) -> str:
    """Return the title, with the number of rows without numbers."""
    n_blank = int(np.sum(~np.isfinite(grid).any(axis=1)))
    words = _TITLES[name] if width > _NARROW else name
    return words + (f" ({n_blank} of length 0)" if n_blank else "")


def _reach(grid: np.ndarray, ideal: float) -> float:
    """Return the largest distance from the ideal."""
    found = np.abs(grid[np.isfinite(grid)] - ideal)
    return float(found.max()) if len(found) else 0.0


def _luminance(color: tuple[float, ...]) -> float:
    """Return the luminance of a color, in [0, 1]."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def _font_size(panel: Any, n_classes: int) -> float:
    """Return the font size at which "−0.11" fits into a cell."""
    points = 72 * min(inches_of(panel)) / n_classes
    return min(_LARGEST, 0.8 * points / (5 * _POINTS_A_LETTER))


def _name_classes(panel: Any, labels: np.ndarray) -> None:
    """Label rows and columns with their classes, as many as fit."""
    width, height = inches_of(panel)
    most = max(3, min(_MOST_TICKS, int(_TICKS_AN_INCH * min(width, height))))
    places = np.arange(0, len(labels), math.ceil(len(labels) / most))
    letters = max(4, min(16, int(_LETTERS_AN_INCH * width)))
    texts = short_labels(labels[places], letters)
    panel.set_yticks(places, texts)
    panel.set_xticks(places, texts)
    if sum(map(len, texts)) > 2 * letters:
        panel.tick_params("x", rotation=90)


# Histograms -----------------------------------------------------------------------


def draw_histogram(
    panel: Any,
    vectors: Mapping[str, np.ndarray],
    ranges: Mapping[str, PairRange],
    ideal: float,
    options: Mapping[str, Any],
) -> None:
    """Draw a histogram of the cosines."""
    edges = _edges(ranges.values(), ideal)
    heights = {name: histogram_of(rows, edges) for name, rows in vectors.items()}
    for name, shares in heights.items():
        look = {**_BARS[name], "label": _TITLES[name], **options}
        panel.stairs(shares, edges, **look).set_gid(f"cosines-{name}")
    highest = [shares.max() for shares in heights.values() if shares.any()]
    panel.set_xlabel("cosine")
    panel.set_ylabel("share of pairs")
    panel.spines[["top", "right"]].set_visible(False)
    if highest and max(highest) > _UNEVEN * min(highest):
        panel.set_yscale("log")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))


def draw_ideal(panel: Any, ideal: float, options: Mapping[str, Any]) -> None:
    """Mark the cosine of a simplex, and explain everything drawn so far."""
    label = f"simplex: {digits(ideal)}"
    from matplotlib.ticker import NullLocator

    line = panel.axvline(ideal, **{**REFERENCE, "label": label, **options})
    found = panel.legend(loc="upper left", frameon=False, fontsize=8, borderaxespad=0.2)
    share = share_of_legend(panel, found)
    line.set_ydata([0, 1 - share])
    low, high = panel.get_ylim()
    if panel.get_yscale() == "log":
        panel.set_ylim(low, high * (high / low) ** (share / (1 - share)))
        panel.set_yticks([tick for tick in panel.get_yticks() if low <= tick <= 1])
        panel.yaxis.set_minor_locator(NullLocator())
    else:
        panel.set_ylim(low, low + (high - low) / (1 - share))


def _edges(ranges: Iterable[PairRange], ideal: float) -> np.ndarray:
    """Return the edges of bins that contain all cosines, with one bin at the ideal."""
    found = [one for one in ranges if one.n_pairs]
    low = min((one.low for one in found), default=ideal)
    high = max((one.high for one in found), default=ideal)
    n_pairs = max((one.n_pairs for one in found), default=0)
    n_bins = max(6, min(_MOST_BINS, round(2 * n_pairs ** (1 / 3))))
    width = max(high - low, _LEAST_WIDTH) / n_bins
    n_below = max(0, math.ceil((ideal - low) / width - 0.5 + 1e-9))
    n_above = max(0, math.ceil((high - ideal) / width - 0.5 + 1e-9))
    edges: np.ndarray = ideal + width * np.arange(-n_below - 0.5, n_above + 1)
    return edges
