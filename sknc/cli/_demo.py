"""``sknc demo``: a small network that collapses."""

import argparse
from functools import partial
from typing import Any

from sknc.cli.demo import DemoSettings, run_demo


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "demo",
        help="train a small network until it collapses, and plot its metrics",
        description=(
            "Train a small network on handwritten digits well past zero training "
            "error. Prints a table of NC0 to NC4 by epoch, and saves a figure of them."
        ),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default = DemoSettings()
    for name, value, text in (
        ("epochs", default.epochs, "passes over the training samples"),
        ("seed", default.seed, "of the split, the initial weights and the order"),
        ("device", default.device, "where torch trains, such as cuda"),
        ("output", "neural_collapse_demo.png", "file of the figure"),
    ):
        parser.add_argument(f"--{name}", type=type(value), default=value, help=text)
    parser.set_defaults(run=partial(_run, parser))


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    try:
        settings = DemoSettings(options.epochs, options.seed, options.device)
        run_demo(settings, options.output)
    except ValueError as error:
        parser.error(str(error))
    except ImportError as error:
        parser.exit(1, f"{error}\n")
