"""Colors and lines that figures share."""

from typing import Any

# Okabe and Ito's colors, which color-blind readers can distinguish.
COLORS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
)
# Of a reference value.
REFERENCE: dict[str, Any] = {"color": "black", "linewidth": 1.2, "linestyle": "--"}


def say_nothing(panel: Any, text: str) -> None:
    """Write into an empty panel why it has no numbers."""
    style = {"ha": "center", "va": "center", "color": "0.4", "fontsize": 9}
    panel.text(0.5, 0.5, text, transform=panel.transAxes, **style)
