"""Axis scales, with readable ticks in every range."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sknc.metrics import TABLE

# Ratio of values from which a logarithmic axis shows more than a linear one.
_LEAST_FACTOR = 3
# First digits of the ticks on an axis of this many decades.
_DIGITS = (
    (0.8, (1, 2, 3, 4, 5, 7)),
    (1.2, (1, 2, 3, 5)),
    (2.2, (1, 2, 5)),
    (3.5, (1, 3)),
    (math.inf, (1,)),
)
_FEW_DECADES = 0.4  # below which ticks are equally spaced
_PLAIN = (1e-4, 1e5)  # range written without a power of ten
_MANY_LETTERS = 30  # total length that does not fit under a panel


def set_value_scale(panel: Any, key: str, scale: str) -> None:
    """
    Choose the vertical scale of a panel whose lines are drawn.

    A logarithmic axis suits values that fall towards 0 but never reach it. Values that
    may be negative, and shares of samples, which are often 0, have a linear axis.
    """
    low, high = panel.dataLim.intervaly
    logarithm = high > 0
    if scale == "auto":
        logarithm = _falls_to_zero(key) and high >= _LEAST_FACTOR * low > 0
    panel.set_yscale("log" if logarithm and scale != "linear" else "linear")


def set_value_limits(panel: Any, key: str) -> None:
    """Set the vertical ticks, and keep an ideal of 0 visible on a linear axis."""
    limits = panel.dataLim
    if panel.get_yscale() == "log":
        set_log_ticks(panel.yaxis)
    elif limits.ymin >= 0 and key in TABLE and TABLE[key].ideal == 0:
        top = limits.ymax or 1.0
        panel.set_ylim(-0.04 * top, 1.06 * top)


def _falls_to_zero(key: str) -> bool:
    row = TABLE.get(key)
    return row is not None and row.ideal == 0 and "decisions" not in row.needs


def set_epoch_scale(panel: Any, epochs: np.ndarray, scale: str) -> None:
    """Scale the horizontal axis, and set its ticks."""
    from matplotlib.ticker import MaxNLocator

    if epochs.min() == epochs.max():
        panel.set_xticks(epochs[:1], [tick_text(epochs[0])])
        return
    if scale == "linear":
        if epochs.dtype.kind in "iu":
            panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        return
    if epochs.min() > 0:
        panel.set_xscale("log")
        set_log_ticks(panel.xaxis)
        return
    # Epoch 0, before training, is placed left of the first one.
    first = float(np.abs(epochs[epochs != 0]).min())
    panel.set_xscale("symlog", linthresh=first, linscale=0.5)
    _set_symlog_ticks(panel.xaxis, first, float(epochs.min()), float(epochs.max()))


def name_epochs(panel: Any, names: Sequence[str]) -> None:
    """Label the horizontal axis with names, slanted if they are long."""
    panel.set_xticks(range(len(names)), names)
    if sum(map(len, names)) > _MANY_LETTERS:
        panel.tick_params("x", rotation=30)
        for label in panel.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def set_log_ticks(axis: Any) -> None:
    """Set readable ticks on a logarithmic axis."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = np.sort(axis.get_view_interval())
    decades = math.log10(high / low)
    if decades < _FEW_DECADES:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(subs=_digits(decades), numticks=6))
    axis.set_major_formatter(tick_text)
    axis.set_minor_formatter(NullFormatter())


def _digits(decades: float) -> tuple[int, ...]:
    return next(digits for most, digits in _DIGITS if decades <= most)


def _set_symlog_ticks(axis: Any, first: float, low: float, high: float) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

    last = max(-low, high)
    digits = _digits(math.log10(last / first))
    ticks = np.asarray(LogLocator(subs=digits).tick_values(first, last))
    ticks = ticks[ticks >= first]
    ticks = np.array([*-ticks[::-1], 0, *ticks])
    axis.set_major_locator(
        FixedLocator(ticks[(ticks >= low) & (ticks <= high)].tolist())
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(tick_text)


def tick_text(value: float, _: object = None) -> str:
    """Return a number as text, with a power of ten only where needed."""
    if value == 0 or _PLAIN[0] <= abs(value) < _PLAIN[1]:
        return f"{value:g}".replace("-", "−")
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    factor = round(value / 10**exponent, 3)
    power = f"10^{{{exponent}}}"
    return f"${power}$" if factor == 1 else rf"${factor:g}\times {power}$"
