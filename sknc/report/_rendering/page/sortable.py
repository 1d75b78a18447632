"""Tables with a row for each class, target or layer, which a script can sort."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sknc.report._rendering.page.markup import Markup, tag

MOST_ROWS = 2000


def sortable_table(
    identifier: str,
    caption: str,
    headings: Sequence[str],
    names: Iterable[str],
    columns: Sequence[np.ndarray],
) -> Markup:
    """Return a table with a name in each row, and a number in each other column."""
    first, *others = headings
    head = [tag("th", first, scope="col")]
    head += [tag("th", text, scope="col", class_="number") for text in others]
    lines = [
        tag("tr", _name(name), *(_number(value) for value in values))
        for name, *values in zip(names, *columns, strict=True)
    ]
    table = tag(
        "table",
        tag("caption", caption, id=f"{identifier}-caption"),
        tag("thead", tag("tr", *head)),
        tag("tbody", *lines),
        id=f"{identifier}-table",
        class_="sortable",
    )
    return tag(
        "div",
        table,
        class_="scroll tall" if len(lines) > 25 else "scroll",
        tabindex=0,
        role="region",
        aria_labelledby=f"{identifier}-caption",
    )


def shown_number(value: Any) -> str:
    """Return a number of four digits, whole ones with all; for NaN a dash."""
    number = float(value)
    if math.isnan(number):
        return "–"
    if math.isfinite(number) and number.is_integer() and abs(number) < 1e15:
        return f"{number:.0f}"
    return f"{number:.4g}"


def _name(name: str) -> Markup:
    return tag("th", tag("bdi", name), scope="row")


def _number(value: Any) -> Markup:
    return tag("td", shown_number(value), class_="number")
