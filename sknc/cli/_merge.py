"""``sknc merge``: merge the states of several workers."""

import argparse
from pathlib import Path
from typing import Any

from sknc._utils import arrays
from sknc.cli._options import WrongOptionError
from sknc.cli._output import STANDARD
from sknc.cli._states import read_state, write_state
from sknc.cli._targets import check_not_read, check_targets


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "merge",
        help="merge states fitted on different samples",
        description=(
            "Merge states fitted on different samples of the same features. The result "
            "is exact. Parameters and head are those of the first state."
        ),
    )
    parser.add_argument(
        "states", nargs="+", metavar="STATE", help="a file, or - for standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="STATE",
        help="the file to write, or - for standard output",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    _check(options)
    merged = read_state(options.states[0])
    for path in options.states[1:]:
        other = read_state(path)
        first, second = merged.class_means_, other.class_means_
        if not arrays.same_place(first, second):  # tensors, and NumPy arrays
            merged, other = merged.to("numpy"), other.to("numpy")
        try:
            merged.merge(other)
        except (ValueError, TypeError) as error:
            msg = f"{path} cannot be merged with {options.states[0]}: {error}"
            raise ValueError(msg) from error
    write_state(merged, options.output)
    if options.output != STANDARD:
        print(
            f"{len(options.states)} states of {merged.n_samples_seen_} samples merged "
            f"into {options.output}"
        )


def _check(options: argparse.Namespace) -> None:
    """Raise if a state would count twice, or be overwritten."""
    seen: set[Path | None] = set()
    for path in options.states:
        place = None if path == STANDARD else Path(path).resolve()
        if place in seen:
            msg = (
                f"{path} is named twice, so its samples would count twice. Name each "
                "state once."
            )
            raise WrongOptionError(msg)
        seen.add(place)
    targets = {"--output": options.output}
    check_targets(targets, states=targets)
    check_not_read(targets, [place for place in seen if place is not None])
