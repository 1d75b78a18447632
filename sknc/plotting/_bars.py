"""Horizontal bars with names and notes, the longest on top."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sknc.plotting._panels import inches_of
from sknc.plotting._style import COLORS, say_nothing
from sknc.plotting._words import short_label

_BAR: dict[str, Any] = {"color": COLORS[0], "height": 0.7}
_NOTE: dict[str, Any] = {"va": "center", "fontsize": 8, "color": "0.25"}
_PAPER: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
_POINTS_A_ROW = 12.0
_POINTS_OF_TEXT = 60.0  # title and axis, which the layout takes from the rows
_INCHES_A_ROW = 0.24
_LETTERS_AN_INCH = 6.5  # per inch of panel width, for names
_ROOM = 1.3  # times the longest bar, for the notes after it
MOST_ROWS = 20


@dataclass(frozen=True)
class Bar:
    """A row of a figure: the name before the bar, its length, the note after it."""

    name: str
    value: float
    note: str


def rows_that_fit(ax: Any) -> int:
    """Return how many readable rows fit in given axes, or in a new figure."""
    if ax is None:
        return MOST_ROWS
    points = 72 * inches_of(ax)[1]
    if ax.figure.canvas.figure.get_layout_engine() is not None:
        points -= _POINTS_OF_TEXT
    return max(3, min(MOST_ROWS, int(points / _POINTS_A_ROW)))


def inches_for(n_rows: int) -> tuple[float, float]:
    """Return the size of a new figure."""
    return 5.2, 1.15 + _INCHES_A_ROW * max(3, n_rows)


def draw_bars(
    panel: Any, bars: Sequence[Bar], least: float, options: Mapping[str, Any]
) -> None:
    """Draw bars from top to bottom, on an axis that extends at least to `least`."""
    from matplotlib.ticker import MaxNLocator

    if not bars:
        say_nothing(panel, "on no sample")
    places = range(len(bars))
    lengths = [bar.value for bar in bars]
    panel.barh(places, lengths, **{**_BAR, **options})
    letters = max(6, min(24, int(_LETTERS_AN_INCH * inches_of(panel)[0])))
    panel.set_yticks(places, [short_label(bar.name, letters) for bar in bars])
    longest = max(lengths, default=0.0) or 1.0
    longest = max(longest, least)
    panel.set_xlim(0, _ROOM * longest)
    panel.set_ylim(max(2.5, len(bars) - 0.5), -0.5)
    for place, bar in enumerate(bars):
        panel.text(
            bar.value + 0.015 * _ROOM * longest, place, bar.note, bbox=_PAPER, **_NOTE
        )
    locator = MaxNLocator(5, steps=[1, 2, 5, 10], integer=longest > 1)
    panel.xaxis.set_major_locator(locator)
    panel.set_xticks([tick for tick in panel.get_xticks() if tick <= max(1, longest)])
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params("y", length=0, labelsize=8)
    panel.tick_params("x", labelsize=8)
