"""
SVG figures that are readable at any width: horizontal positions are in percent.

Letters and marks keep their size on a narrow screen, and only the distances between
them shrink.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from unicodedata import east_asian_width

from sknc.report._rendering.page.markup import Markup, joined, tag
from sknc.report._rendering.page.scales import Scale, decades, scale_of

_RIGHT = 97.0  # percent of the width at which rows end
_ROW, _TOP = 22, 6
_LONGEST_NAME = 21  # letters that fit on the left of the narrowest figure
_LOOKS = ("first", "second")  # of the first and the second series


@dataclass(frozen=True)
class Series:
    """Values of the rows of a figure, with standard errors if there are any."""

    name: str
    values: Sequence[float]
    errors: Sequence[float] = ()


def marks() -> Markup:
    """Return the shapes that figures use: told apart without their color."""
    shapes = {
        "first": tag("circle", r="4.5"),
        "second": tag("path", d="M0-6.5L6.5 0L0 6.5L-6.5 0Z"),
        "first-zero": tag("path", d="M-5 0L4-5V5Z"),
        "second-zero": tag("path", d="M-7 0L5-6.5V6.5Z"),
    }
    symbols = (tag("g", shape, id=f"mark-{name}") for name, shape in shapes.items())
    return tag("svg", tag("defs", *symbols), class_="marks", aria_hidden="true")


def key(index: int) -> Markup:
    """Return the mark of a series, to stand in a line of text."""
    return tag("svg", _mark(index, 50, 8), class_="key", aria_hidden="true")


def legend(names: Sequence[str]) -> Markup:
    """Return which mark is which series, where there are several."""
    if len(names) < 2:
        return Markup()
    parts = (tag("span", key(i), f" {name}") for i, name in enumerate(names))
    return tag("p", *parts, class_="legend")


def dot_plot(
    identifier: str,
    caption: str,
    remarks: Sequence[str],
    names: Sequence[str],
    series: Sequence[Series],
    *,
    logarithmic: bool = False,
    connected: bool = False,
) -> Markup:
    """
    Return a figure with a row for each name, and a mark for each of its values.

    It is empty if no value is finite. The axis is logarithmic if asked for, or if the
    values differ much in size.
    """
    values = [value for one in series for value in one.values if math.isfinite(value)]
    if not values:
        return Markup()
    left = _left(names)
    scale = (decades if logarithmic else scale_of)(values, left, _RIGHT)
    bottom = _TOP + _ROW * len(names)
    parts = [_axis(scale, bottom)]
    parts += [_name(name, row, left) for row, name in enumerate(names)]
    parts += [
        _marks_of(i, one, names, scale, connected) for i, one in enumerate(series)
    ]
    drawing = tag(
        "svg",
        tag("title", caption, id=f"{identifier}-title"),
        tag("desc", " ".join(remarks), id=f"{identifier}-text"),
        *parts,
        role="img",
        height=bottom + 24,
        aria_labelledby=f"{identifier}-title {identifier}-text",
    )
    text = tag("p", " ".join(remarks))
    names_of_marks = legend([one.name for one in series])
    words = tag("figcaption", tag("h3", caption), text, names_of_marks)
    return tag("figure", words, drawing)


def meter(values: Sequence[float], bounds: Sequence[float], scale: Scale) -> Markup:
    """Return a line with zones that end at the bounds, and a mark for each value."""
    ends = [0.0, *map(scale.place, bounds), 100.0]
    zones = (
        tag(
            "rect", x=f"{a}%", y=8, width=f"{b - a:.4g}%", height=12, class_=f"zone-{i}"
        )
        for i, (a, b) in enumerate(pairwise(ends))
    )
    dots = (
        _mark(i, scale.place(value), 14, zero=scale.is_below(value))
        for i, value in enumerate(values)
        if math.isfinite(value)
    )
    return tag("svg", *zones, *dots, class_="meter", aria_hidden="true")


def _axis(scale: Scale, bottom: int) -> Markup:
    parts = []
    for value in scale.ticks():
        x = f"{scale.place(value)}%"
        parts.append(tag("line", x1=x, x2=x, y1=_TOP, y2=bottom, class_="grid"))
        text = f"{value:g}"
        parts.append(
            tag("text", text, x=x, y=bottom + 16, class_="tick", text_anchor="middle")
        )
    return joined(*parts)


def _height_of(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _left(names: Sequence[str]) -> float:
    """Return the percent of the width at which rows begin, right of their names."""
    return 11 + 1.7 * max(_letters(_shortened(name)) for name in names)


def _name(name: str, row: int, left: float) -> Markup:
    y = _height_of(row)
    text = tag(
        "text",
        tag("title", name),
        _shortened(name),
        x=f"{left - 3.5:.4g}%",
        y=y + 4,
        text_anchor="end",
    )
    ends = {"x1": f"{left:.4g}%", "x2": f"{_RIGHT}%"}
    return joined(text, tag("line", **ends, y1=y, y2=y, class_="row"))


def _shortened(name: str) -> str:
    """Return a name that fits, cut in the middle."""
    text = " ".join(name.split())
    if _letters(text) <= _LONGEST_NAME:
        return text
    start = _beginning(text).rstrip()
    return f"{start}…{_beginning(text[::-1])[::-1].lstrip()}"


def _beginning(text: str) -> str:
    """Return as much of a text as half of a name has room for."""
    widths = accumulate(map(_letters, text))
    n_fitting = sum(width <= (_LONGEST_NAME - 1) // 2 for width in widths)
    return text[:n_fitting]


def _letters(text: str) -> int:
    """Return how wide a text is; Chinese, Japanese and Korean letters are two wide."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _marks_of(
    index: int, one: Series, names: Sequence[str], scale: Scale, connected: bool
) -> Markup:
    errors = one.errors or [math.nan] * len(one.values)
    places = [
        (scale.place(value), _height_of(row)) if math.isfinite(value) else None
        for row, value in enumerate(one.values)
    ]
    parts = []
    if connected:
        parts += [_line(a, b, index, "path") for a, b in pairwise(places) if a and b]
    rows = zip(names, one.values, errors, places, strict=True)
    for name, value, error, place in rows:
        if place is None:
            continue
        if math.isfinite(error) and error > 0:
            ends = scale.place(value - error), scale.place(value + error)
            low, high = ((x, place[1]) for x in ends)
            parts.append(_line(low, high, index, "error"))
        zero = scale.is_below(value)
        said = f"{name}, {one.name}: {value:.6g}"
        parts.append(_mark(index, *place, zero=zero, text=said))
    return joined(*parts)


def _line(
    start: tuple[float, float], end: tuple[float, float], index: int, look: str
) -> Markup:
    return tag(
        "line",
        x1=f"{start[0]}%",
        y1=start[1],
        x2=f"{end[0]}%",
        y2=end[1],
        class_=f"{_LOOKS[index]} {look}",
    )


def _mark(
    index: int, x: float, y: float, *, zero: bool = False, text: str = ""
) -> Markup:
    look = _LOOKS[index]
    return tag(
        "use",
        *([tag("title", text)] if text else []),
        href=f"#mark-{look}{'-zero' if zero else ''}",
        x=f"{x}%",
        y=y,
        class_=look,
    )
