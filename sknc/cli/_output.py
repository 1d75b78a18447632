"""Where results are written, and in which format."""

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sknc._utils.storage.atomic import checked_target, replacing
from sknc.report._rendering import report_page
from sknc.report._rendering.table import rows
from sknc.report.nc_report import NCReport

STANDARD = "-"  # input or output
_HELP = {
    "json": "print JSON, with the complete report",
    "csv": "print comma-separated values",
    "html": "print a page for a browser, one file that loads nothing else",
}
_COLUMNS = ("metric", "value", "standard_error", "group", "direction", "note")


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    """Add options for the format of the output, and for its file."""
    choice = parser.add_mutually_exclusive_group()
    for name in formats:
        choice.add_argument(
            f"--{name}",
            dest="format",
            action="store_const",
            const=name,
            help=_HELP[name],
        )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default=STANDARD,
        help="write to this file instead of standard output",
    )


def write_text(text: str, path: str, form: str | None = None) -> None:
    """Write text to a file atomically, or to standard output."""
    # Labels may hold what is no character, which UTF-8 cannot store.
    content = f"{text}\n".encode(errors="backslashreplace")
    if path != STANDARD:
        with replacing(checked_target(path, "output", "report.txt")) as file:
            file.write(content)
    elif form == "html" and isinstance(sys.stdout, io.TextIOWrapper):
        # A page says that it is UTF-8, and has hashes of its style and its script.
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        print(text, flush=True)  # before any error message


def as_csv(heading: Iterable[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table with all digits of numbers, and empty cells for NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heading)
    for line in lines:
        writer.writerow(["" if _is_nan(cell) else cell for cell in line])
    return text.getvalue().rstrip("\n")


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def shown_reports(reports: Mapping[str, NCReport], form: str | None) -> str:
    """
    Return the text of one report, or of two with their names.

    The default form is a table. One JSON report can be read by ``NCReport.from_json``;
    two become an object of both.
    """
    several = len(reports) > 1
    if form == "json":
        texts = {name: report.to_json(indent=2) for name, report in reports.items()}
        if not several:
            return next(iter(texts.values()))
        parts = ",\n".join(f'"{name}": {text}' for name, text in texts.items())
        return f"{{\n{parts}\n}}"
    if form == "csv":
        first = ("samples",) if several else ()
        lines = [
            [name] * several + _cells(row)
            for name, report in reports.items()
            for row in rows(report._content)
        ]
        return as_csv((*first, *_COLUMNS), lines)
    if form == "html":
        contents = {_words(name): report._content for name, report in reports.items()}
        return report_page(contents).rstrip("\n")
    if not several:
        return str(next(iter(reports.values())))
    return "\n\n".join(f"{_words(n)}:\n{report}" for n, report in reports.items())


def _cells(row: Any) -> list[Any]:
    error = math.nan if row.error is None else row.error
    return [row.key, row.value, error, row.group, row.direction, row.note]


def _words(name: str) -> str:
    return {"train": "Fitted samples", "held_out": "Held-out samples"}[name]


def check_not_a_terminal(what: str) -> None:
    """Raise if bytes would be printed to a terminal."""
    if sys.stdout.isatty():
        msg = f"{what} is not text: name a file, or send it through a pipe."
        raise ValueError(msg)
