"""Axes of figures: where values stand, in percent of the width."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST_TICKS = 6
_SHARE_OF_ROUNDING = 1e-7
_ROOM = 0.2  # of a power of ten
_LEAST_POWER, _MOST_POWER = -307, 308  # that float64 has
_LEAST = 1e-300  # part of an axis that is not logarithmic
_SIMILAR = 20  # times the least value
_ROUNDING = 1 + 1e-9
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # of an axis that is not logarithmic


@dataclass(frozen=True)
class Scale:
    """
    An axis from `least` to `most`, with a tick each `step`; logarithmic without one.

    It takes up `left` to `right` percent of the width. On a logarithmic axis zero, and
    what is too small, stands at the left end.
    """

    least: float
    most: float
    step: float | None
    left: float
    right: float

    def place(self, value: float) -> float:
        """Return where a value stands, at one of the ends if it lies beyond."""
        if self.step is not None:
            part = (value - self.least) / (self.most - self.least)
        elif value <= 0:
            part = 0.0
        else:
            low, high = math.log(self.least), math.log(self.most)
            part = (math.log(value) - low) / (high - low)
        within = min(1.0, max(0.0, part))
        return round(self.left + within * (self.right - self.left), 2)

    def is_below(self, value: float) -> bool:
        """Whether a value lies below the axis."""
        return value < self.least

    def ticks(self) -> list[float]:
        """Return values to mark."""
        if self.step is not None:
            first, last = round(self.least / self.step), round(self.most / self.step)
            return [number * self.step for number in range(first, last + 1)]
        first, last = round(math.log10(self.least)), round(math.log10(self.most))
        stride = math.ceil((last - first + 1) / _MOST_TICKS)
        return [10.0**exponent for exponent in range(first, last + 1, stride)]


def decades(values: Iterable[float], left: float, right: float) -> Scale:
    """Return a logarithmic axis of whole powers of ten around positive values."""
    positive = [value for value in values if math.isfinite(value) and value > 0]
    most = max(positive, default=1.0)
    # Rounding instead of zero would leave no room for all others.
    least = max(min(positive, default=0.1), most * _SHARE_OF_ROUNDING)
    # Room at the left end, where zeros are.
    low = math.floor(math.log10(least) - _ROOM)
    low = min(max(low, _LEAST_POWER), _MOST_POWER - 1)
    high = min(max(math.ceil(math.log10(most)), low + 1), _MOST_POWER)
    return Scale(10.0**low, 10.0**high, None, left, right)


def scale_of(values: Sequence[float], left: float, right: float) -> Scale:
    """
    Return an axis for finite values.

    It begins at zero where they are of similar size and below it where some are
    negative, and is one of powers of ten where they differ more.
    """
    low, high = min(0.0, *values), max(values)
    if low == 0 and (min(values) <= 0 or high > _SIMILAR * min(values)):
        return decades(values, left, right)
    high = max(high, 0.0)
    quarter = high / 4 - low / 4
    if not _LEAST < quarter < 1 / _LEAST:
        return decades(values, left, right)
    power = 10.0 ** math.floor(math.log10(quarter))
    step = next(s * power for s in _STEPS if s * power >= quarter / _ROUNDING)
    ends = step * math.floor(low / step), step * math.ceil(high / step)
    return Scale(*ends, step, left, right)
