"""A report as an HTML table, for notebooks: the short form of its page."""

from sknc.report._rendering.page.document import resource
from sknc.report._rendering.page.markup import Markup, tag
from sknc.report._rendering.page.metric_table import (
    direction_column,
    metric_table,
    note_column,
    value_columns,
)
from sknc.report._rendering.table import Shown, closing_lines, footnotes


def as_html(content: Shown) -> str:
    """Return a table with a body for each property, and notes at its foot."""
    numbers = footnotes(content)
    columns = [
        *value_columns({"": content}),
        direction_column(content),
        note_column([content], numbers, linked=False),
    ]
    foot = closing_lines(content)
    foot += [f"[{number}] {text}" for text, number in numbers.items()]
    table = metric_table(
        content.title(), list(content.values), content, columns, foot=foot, short=True
    )
    return tag("div", tag("style", Markup(resource("table.css"))), table, class_="sknc")
