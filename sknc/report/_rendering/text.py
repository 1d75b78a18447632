"""A report as plain text."""

from sknc.report._rendering.table import Row, Shown, closing_lines, footnotes, sections

_ARROWS = {"lower": "↓", "higher": "↑", "none": " "}


def as_text(content: Shown) -> str:
    """Return the table of metrics under headings, with notes at the end."""
    numbers = footnotes(content)
    width = max(map(len, content.values), default=0)
    lines = [content.title()]
    for group, what, found in sections(content):
        lines.append(f"{group}: {what}")
        lines += [_line(row, width, numbers) for row in found]
    lines += [f"  {line}" for line in closing_lines(content)]
    lines += [f"  [{number}] {text}" for text, number in numbers.items()]
    return "\n".join(lines)


def _line(row: Row, width: int, numbers: dict[str, int]) -> str:
    error = "" if row.error is None else f"± {row.error:<10.2g}"
    mark = f"[{numbers[row.note]}]" if row.note else ""
    arrow = _ARROWS[row.direction]
    return f"  {row.key:<{width}} {arrow} {row.value:<12.6g}{error}{mark}".rstrip()
