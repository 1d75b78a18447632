"""Options that several commands have."""

import argparse
from collections.abc import Iterable
from typing import Any

from sknc.convention import PRESETS, Convention
from sknc.metrics import select


class WrongOptionError(ValueError):
    """An invalid option, found before any file is read."""


def add_choices(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what to report."""
    parser.add_argument(
        "--metrics",
        metavar="LIST",
        help='"default", "essential", "all", or keys and groups with commas, such as '
        "NC1,nc2_etf",
    )
    parser.add_argument(
        "--convention", metavar="NAME", help=f"one of {', '.join(PRESETS)}"
    )


def chosen_parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Return the analyzer parameters given as options, checked."""
    chosen: dict[str, Any] = {}
    if options.metrics is not None:
        names = [name.strip() for name in options.metrics.split(",")]
        chosen["metrics"] = names[0] if len(names) == 1 else names
    if options.convention is not None:
        chosen["convention"] = options.convention
    try:
        select(chosen.get("metrics", "default"))
        Convention.preset(chosen.get("convention", "default"))
    except ValueError as error:
        msg = f"--{error}"
        raise WrongOptionError(msg) from error
    return chosen


def flags(names: Iterable[str]) -> str:
    """Return options as the user types them."""
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)


def check_partner(options: argparse.Namespace, partner: str, *names: str) -> None:
    """Raise if options would be ignored because another one is missing."""
    given = [name for name in names if getattr(options, name)]
    if given and getattr(options, partner) is None:
        msg = f"{flags(given)} without {flags([partner])}: add it, or leave this out."
        raise WrongOptionError(msg)
