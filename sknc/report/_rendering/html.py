"""Reports as an HTML table, for notebooks: the short form of their page."""

from collections.abc import Mapping

from sknc.report._rendering.page.document import resource
from sknc.report._rendering.page.markup import Markup, joined, tag
from sknc.report._rendering.page.metric_table import (
    direction_column,
    metric_table,
    note_column,
    value_columns,
)
from sknc.report._rendering.page.parts import ordered_keys
from sknc.report._rendering.table import (
    Shown,
    closing_lines,
    footnotes,
    lines_of_all,
)


def as_html(contents: Mapping[str, Shown]) -> str:
    """
    Return a table with a body for each property, and notes at its foot.

    Values of several reports are in adjacent columns, under their names.
    """
    reports = [*contents.values()]
    numbers = footnotes(*reports)
    columns = [
        *value_columns(contents),
        direction_column(reports[0]),
        note_column(reports, numbers, linked=False),
    ]
    titles = lines_of_all(contents, lambda content: [content.title()])
    foot = lines_of_all(contents, closing_lines)
    foot += [f"[{number}] {text}" for text, number in numbers.items()]
    table = metric_table(
        joined(*(tag("div", title) for title in titles)),
        ordered_keys(reports),
        reports[0],
        columns,
        foot=foot,
        short=True,
    )
    return tag("div", tag("style", Markup(resource("table.css"))), table, class_="sknc")
