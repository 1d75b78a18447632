"""The table of metrics and its columns; `reports` and `html` put these in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sknc.metrics._catalogue.sources import Source
from sknc.report._rendering.page.markup import (
    Markup,
    joined,
    link,
    tag,
    with_code,
    with_links,
)
from sknc.report._rendering.table import DIRECTIONS, MetricRow, Shown

_ARROWS = {"lower": "↓ lower", "higher": "↑ higher", "none": ""}


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, and what is in the row of a metric."""

    heading: str
    cell: Callable[[str], str]  # by key
    look: str | None = None


def metric_table(
    caption: str | Markup,
    keys: Sequence[str],
    content: Shown,
    columns: Sequence[Column],
    *,
    foot: Sequence[str] = (),
    short: bool = False,
) -> Markup:
    """Return a table with a body for each property that the metrics measure."""
    headings = [tag("th", "metric", scope="col")]
    headings += [tag("th", c.heading, scope="col", class_=c.look) for c in columns]
    bodies = [
        _body(
            f"{group}: {content.meaning(group)}", list(found), content, columns, short
        )
        for group, found in groupby(keys, key=lambda key: content.metric(key).group)
    ]
    width = len(columns) + 1
    closing = [tag("tr", tag("td", line, colspan=width)) for line in foot]
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *headings)),
        *bodies,
        *([tag("tfoot", *closing)] if closing else []),
        class_="metrics",
    )


def _body(
    heading: str,
    keys: Sequence[str],
    content: Shown,
    columns: Sequence[Column],
    short: bool,
) -> Markup:
    first = tag("th", heading, colspan=len(columns) + 1, scope="rowgroup")
    lines = [tag("tr", first)]
    for key in keys:
        name = tag("code", key)
        about = with_code(content.metric(key).summary)
        parts = [name] if short else [name, tag("span", about, class_="about")]
        cells = [
            tag(
                "td",
                c.cell(key),
                class_=c.look,
                data_label=None if short else c.heading,  # on narrow screens
            )
            for c in columns
        ]
        lines.append(tag("tr", tag("th", *parts, scope="row"), *cells))
    return tag("tbody", *lines)


# Columns --------------------------------------------------------------------------


def value_columns(contents: Mapping[str, Shown]) -> list[Column]:
    """Return the values of each report, and their standard errors if it has any."""
    if len(contents) > 1:
        return [_values_with_errors(*item) for item in contents.items()]
    (content,) = contents.values()
    columns = [Column("value", _values(content.values, 6), "number")]
    if content.standard_error:
        errors = _values(content.standard_error, 2)
        columns.append(Column("standard error", errors, "number"))
    return columns


def _values_with_errors(name: str, content: Shown) -> Column:
    """Return both in one column, so that those of several reports fit side by side."""
    value, error = _values(content.values, 6), _values(content.standard_error, 2)
    if not content.standard_error:
        return Column(name, value, "number")

    def cell(key: str) -> Markup:
        found = error(key)
        after = [tag("span", f" ± {found}", class_="error")] if found else []
        return joined(value(key), *after)

    return Column(f"{name} ±\u00a0standard error", cell, "number")


def _values(values: Mapping[str, float], digits: int) -> Callable[[str], str]:
    return lambda key: f"{values[key]:.{digits}g}" if key in values else ""


def direction_column(content: Shown) -> Column:
    """Return which values are more collapsed."""
    return Column("more collapsed", lambda key: _ARROWS[_direction(content, key)])


def known_columns(content: Shown) -> list[Column]:
    """Return what is known of metrics beside their values."""
    return [
        direction_column(content),
        Column("at collapse", lambda key: _ideal(content.metric(key))),
        Column("source", lambda key: _source(content.metric(key)), "source"),
    ]


def note_column(
    contents: Sequence[Shown], numbers: Mapping[str, int], *, linked: bool = True
) -> Column:
    """Return the numbers of notes on a metric, which lead to the notes if linked."""

    def cell(key: str) -> Markup:
        texts = {
            one.notes[key]: None
            for one in contents
            if key in one.values and key in one.notes
        }
        places = [numbers[text] for text in texts]
        if not linked:
            return joined(*(f"[{number}]" for number in places))
        return joined(*(tag("a", f"[{n}]", href=f"#note-{n}") for n in places))

    return Column("note", cell)


def _direction(content: Shown, key: str) -> str:
    return DIRECTIONS[content.metric(key).lower_is_collapsed]


def _ideal(metric: MetricRow) -> str:
    if metric.ideal is None:
        return ""
    return metric.ideal if isinstance(metric.ideal, str) else f"{metric.ideal:g}"


def _source(metric: MetricRow) -> Markup:
    source = metric.sources[0]
    if not source.address:
        return joined(source.label)
    return joined(f"{source.authors}, ", link(source.address, source.link))


# What stands below ----------------------------------------------------------------


def note_list(numbers: Mapping[str, int]) -> Markup:
    """Return the notes that the numbers in the table lead to."""
    lines = (
        tag("li", text, id=f"note-{number}", value=number)
        for text, number in numbers.items()
    )
    return tag("ol", *lines, class_="remarks") if numbers else Markup()


def reference_list(sources: Sequence[Source]) -> Markup:
    """Return whole references, each once, in alphabetical order."""
    texts = sorted(
        {source.reference for source in sources if "http" in source.reference}
    )
    return tag("ul", *(tag("li", with_links(text)) for text in texts), class_="remarks")
