"""Layout of the panels of a figure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_PANEL_INCHES = (4.0, 3.0)
# Rows without a gap, if possible.
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2}
_MANY_PANELS = 12


def make_panels(
    ax: Any, n_panels: int, inches: tuple[float, float] = _PANEL_INCHES
) -> tuple[Any, np.ndarray]:
    """Return the figure and its axes: new ones, `ax`, or parts of it."""
    if isinstance(ax, (np.ndarray, Sequence)):
        return _given_panels(np.asarray(ax, dtype=object).ravel(), n_panels)
    if ax is not None and n_panels == 1:
        return ax.figure, np.array([ax], dtype=object)
    n_columns = _COLUMNS.get(n_panels, 3 if n_panels <= _MANY_PANELS else 4)
    n_rows = math.ceil(n_panels / n_columns)
    if ax is None:
        from matplotlib import pyplot

        size = (inches[0] * n_columns, inches[1] * n_rows)
        figure = pyplot.figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    else:
        figure, place = ax.figure, ax.get_subplotspec()
        if place is None:
            msg = (
                "ax must be in a grid to be divided into panels, such as from "
                "plt.subplots or figure.add_subplot; this Axes was placed by hand."
            )
            raise ValueError(msg)
        ax.set_axis_off()
        grid = place.subgridspec(n_rows, n_columns)
    current = None if ax is None else figure.gca()
    cells = [grid[divmod(index, n_columns)] for index in range(n_panels)]
    panels = np.array([figure.add_subplot(cell) for cell in cells], dtype=object)
    if current is not None:
        figure.sca(current)  # pyplot continues with these axes
    return figure, panels


def _given_panels(axes: np.ndarray, n_panels: int) -> tuple[Any, np.ndarray]:
    """Return as many axes as needed, and hide other empty ones."""
    if len(axes) < n_panels:
        msg = (
            f"ax must be one Axes or at least {n_panels}, one per panel: got "
            f"{len(axes)}. Choose fewer panels with metrics=."
        )
        raise ValueError(msg)
    for unused in axes[n_panels:]:
        if not unused.has_data():
            unused.set_visible(False)
    return axes[0].figure, axes[:n_panels]


def share_of_legend(panel: Any, legend: Any, most: float = 0.6) -> float:
    """Return the share of a panel's height that its legend takes, at most `most`."""
    height = 72 * inches_laid_out(panel)[1]
    points = 72 * legend.get_window_extent().height / panel.figure.dpi + 6
    return float(min(most, points / max(height, 1.0)))


def inches_laid_out(panel: Any) -> tuple[float, float]:
    """Return width and height of a panel after layout."""
    figure = panel.figure.canvas.figure  # of a subfigure, the one that contains it
    figure.draw_without_rendering()
    size = panel.get_window_extent()
    return float(size.width / figure.dpi), float(size.height / figure.dpi)


def inches_of(panel: Any) -> tuple[float, float]:
    """Return width and height of a panel before layout."""
    place, figure = panel.get_position(original=True), panel.figure
    width, height = figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    return float(width * place.width), float(height * place.height)
