"""A report as an HTML table, for notebooks."""

from html import escape

from sknc.report._rendering.table import Row, Shown, closing_lines, footnotes, sections

_LEFT = ' style="text-align: left"'


def as_html(content: Shown) -> str:
    """Return a table with a body for each property, and notes at its foot."""
    numbers = footnotes(content)
    names = ["metric", "value", "more collapsed", "note"]
    if content.standard_error:
        names.insert(2, "standard error")
    head = "".join(f"<th>{name}</th>" for name in names)
    bodies = "".join(
        _body(f"{group}: {what}", found, numbers, len(names))
        for group, what, found in sections(content)
    )
    return (
        f"<table><caption>{escape(content.title())}</caption>"
        f"<thead><tr>{head}</tr></thead>{bodies}{_foot(content, numbers, len(names))}"
        "</table>"
    )


def _body(heading: str, found: list[Row], numbers: dict[str, int], width: int) -> str:
    lines = "".join(_line(row, numbers, width) for row in found)
    return f"<tbody>{_spanning('th', heading, width)}{lines}</tbody>"


def _line(row: Row, numbers: dict[str, int], width: int) -> str:
    cells = [
        f"<code>{escape(row.key)}</code>",
        f"{row.value:.6g}",
        "" if row.direction == "none" else row.direction,
        f"[{numbers[row.note]}]" if row.note else "",
    ]
    if width > len(cells):
        cells.insert(2, "" if row.error is None else f"{row.error:.2g}")
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _foot(content: Shown, numbers: dict[str, int], width: int) -> str:
    lines = closing_lines(content)
    lines += [f"[{number}] {text}" for text, number in numbers.items()]
    return f"<tfoot>{''.join(_spanning('td', line, width) for line in lines)}</tfoot>"


def _spanning(tag: str, text: str, width: int) -> str:
    return f'<tr><{tag} colspan="{width}"{_LEFT}>{escape(text)}</{tag}></tr>'
