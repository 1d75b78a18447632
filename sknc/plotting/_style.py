"""Colors of figures, and styles of curves by part: training, held-out, head."""

from typing import Any

# Okabe and Ito's colors, which color-blind readers can distinguish.
COLORS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
)
# A single run: training and held-out samples differ in color.
BY_PART: dict[str, dict[str, Any]] = {
    "train": {"color": COLORS[0], "marker": "o"},
    "class means": {"color": COLORS[0], "marker": "o"},
    "head": {"color": COLORS[2], "marker": "D", "linestyle": "--"},
    "held-out": {"color": COLORS[1], "marker": "s"},
}
# Several runs differ in color, their samples in line style.
BY_LINE: dict[str, dict[str, Any]] = {
    "train": {"linestyle": "-", "marker": "o"},
    "class means": {"linestyle": "-", "marker": "o"},
    "head": {"linestyle": ":", "marker": "D"},
    "held-out": {"linestyle": "--", "marker": "s"},
}
# Of a reference value.
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.2, "linestyle": "--"}


def say_nothing(panel: Any, text: str) -> None:
    """Write into an empty panel why it has no numbers."""
    style = {"ha": "center", "va": "center", "color": "0.4", "fontsize": 9}
    panel.text(0.5, 0.5, text, transform=panel.transAxes, **style)
