"""``sknc compare``: two states or reports side by side."""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sknc.cli._options import WrongOptionError, add_choices, chosen_parameters, flags
from sknc.cli._output import STANDARD, add_format, as_csv, write_text
from sknc.cli._states import holds_state, open_input, read_analyzer
from sknc.cli._targets import check_not_read, check_targets
from sknc.metrics import TABLE
from sknc.report.nc_report import NCReport

_COLUMNS = ("metric", "first", "second", "difference", "standard_error")


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "compare",
        help="show two states or reports side by side",
        description=(
            "Show the metrics of two states, or of two reports written by sknc report "
            "--json, and their differences. If both have standard errors, the error "
            "of a difference is the root of the sum of their squares, which assumes "
            "independent samples."
        ),
    )
    for name in ("first", "second"):
        parser.add_argument(
            name, metavar=name.upper(), help="a state or JSON, or - for standard input"
        )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="compare the reports on held-out samples, if both JSON files have one",
    )
    add_choices(parser)
    add_format(parser, "json", "csv")
    parser.set_defaults(run=_run)


@dataclass(frozen=True)
class Difference:
    """A metric in both reports, and its standard errors, if any."""

    metric: str
    first: float
    second: float
    errors: tuple[float | None, float | None]

    @property
    def difference(self) -> float:
        """Return the second value minus the first."""
        return self.second - self.first

    @property
    def error(self) -> float:
        """Return the standard error of the difference; NaN without both errors."""
        first, second = self.errors
        if first is None or second is None:
            return math.nan
        return math.hypot(first, second)


def _run(options: argparse.Namespace) -> None:
    targets = {"--output": options.output}
    check_targets(targets, states=())
    inputs = [Path(p) for p in (options.first, options.second) if p != STANDARD]
    check_not_read(targets, inputs)
    reports = [_report(path, options) for path in (options.first, options.second)]
    first, second = reports
    found = [
        Difference(
            key,
            first.to_dict().get(key, math.nan),
            second.to_dict().get(key, math.nan),
            (first.standard_error.get(key), second.standard_error.get(key)),
        )
        for key in TABLE
        if key in first or key in second
    ]
    write_text(_shown(found, reports, options), options.output)


def _report(path: str, options: argparse.Namespace) -> NCReport:
    """Return the report in a file of either kind."""
    chosen = chosen_parameters(options)
    with open_input(path) as file:
        if holds_state(file):
            if options.held_out:
                raise _no_held_out(path, "is a state, which has no held-out samples")
            found: NCReport = read_analyzer(file).set_params(**chosen).report()
            return found
        if chosen:
            msg = f"{path} is a report, which is final: leave out {flags(chosen)}."
            raise WrongOptionError(msg)
        return _of_json(path, file.read(), held_out=options.held_out)


def _of_json(path: str, text: bytes, *, held_out: bool) -> NCReport:
    """Return a report, or one of the two in a document with both."""
    name = "held_out" if held_out else "train"
    try:
        document = json.loads(text)
        both = isinstance(document, dict) and "train" in document
        if both:
            text = json.dumps(document[name]).encode()
        report = NCReport.from_json(text)
    except (ValueError, KeyError, RecursionError) as error:
        msg = (
            f"{path} is neither a state nor a report: expected a file written by sknc "
            f"report --save or --json ({error})."
        )
        raise ValueError(msg) from error
    if held_out and not both:
        raise _no_held_out(path, "has no report on held-out samples")
    return report


def _no_held_out(path: str, what: str) -> WrongOptionError:
    """Return the error for a file without a report on held-out samples."""
    return WrongOptionError(
        f"{path} {what}. Write it with sknc report --held-out FILES --json, or leave "
        "out --held-out."
    )


# Showing --------------------------------------------------------------------------


def _shown(
    found: list[Difference], reports: list[NCReport], options: argparse.Namespace
) -> str:
    lines = [(d.metric, d.first, d.second, d.difference, d.error) for d in found]
    if options.format == "csv":
        return as_csv(_COLUMNS, lines)
    if options.format == "json":
        rows = [dict(zip(_COLUMNS, map(_json, line), strict=True)) for line in lines]
        return json.dumps(rows, indent=2)
    names = [Path(path).name for path in (options.first, options.second)]
    return "\n".join([*_about(names, reports), *_table(names, found)])


def _json(value: Any) -> Any:
    """Return null for NaN, and infinite numbers as in reports."""
    if isinstance(value, str) or math.isfinite(value):
        return value
    return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value)


def _about(names: list[str], reports: list[NCReport]) -> list[str]:
    """Return a line about each report, and a warning if they are not comparable."""
    lines = [
        f"{name}: {report.n_samples} samples, {report.n_classes} classes, "
        f"{report.n_features} features, convention {report.convention.name!r}"
        for name, report in zip(names, reports, strict=True)
    ]
    first, second = (report.convention for report in reports)
    if first != second:
        lines.append("Their conventions differ, so some values cannot be compared.")
    return lines


def _table(names: list[str], found: list[Difference]) -> list[str]:
    heading = ("", *names, "difference")
    rows = [
        (
            d.metric,
            _number(d.first, d.errors[0]),
            _number(d.second, d.errors[1]),
            _number(d.difference, None if math.isnan(d.error) else d.error, "+.6g"),
        )
        for d in found
    ]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip()
        for row in (heading, *rows)
    ]


def _number(value: float, error: float | None, form: str = ".6g") -> str:
    if math.isnan(value):
        return "nan"
    return f"{value:{form}}" + ("" if error is None else f" ± {error:.2g}")
