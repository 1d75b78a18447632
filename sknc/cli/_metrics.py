"""``sknc metrics``: the catalogue."""

import argparse
import json
import textwrap
from typing import Any

from sknc.cli._options import WrongOptionError
from sknc.cli._output import add_format, as_csv, write_text
from sknc.metrics import catalogue, select
from sknc.metrics._catalogue.properties import PROPERTIES

_COLUMNS = ("key", "group", "direction", "ideal", "needs", "summary")


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "metrics",
        help="list the metrics",
        description="List the metrics, their values at collapse, and what they need.",
    )
    parser.add_argument(
        "metrics",
        nargs="*",
        metavar="METRIC",
        help='keys, or groups such as "NC1"; "default" for the default ones',
    )
    add_format(parser, "json", "csv")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    wanted = options.metrics or ["all"]
    try:
        keys = {m.key for m in select(wanted[0] if len(wanted) == 1 else wanted)}
    except ValueError as error:
        raise WrongOptionError(str(error)) from error
    rows = [row for row in catalogue() if row["key"] in keys]
    if options.format == "json":
        text = json.dumps([{**row, "needs": list(row["needs"])} for row in rows])
    elif options.format == "csv":
        cells = [{**row, "needs": " ".join(row["needs"])} for row in rows]
        text = as_csv(_COLUMNS, [[row[name] for name in _COLUMNS] for row in cells])
    else:
        text = _text(rows)
    write_text(text, options.output)


def _text(rows: list[dict[str, Any]]) -> str:
    """Return a paragraph for each metric, grouped by property."""
    lines, group = [], None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            lines.append(f"{group}: {PROPERTIES[group]}")
        ideal = "" if row["ideal"] is None else f", {row['ideal']} at collapse"
        better = {"none": "no direction"}.get(row["direction"], row["direction"])
        needs = ", ".join(row["needs"])
        lines.append(f"  {row['key']} ({better}{ideal}; needs {needs})")
        lines += textwrap.wrap(row["summary"], 84, initial_indent="    ")
    return "\n".join(lines)
