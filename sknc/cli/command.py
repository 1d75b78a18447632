"""The command line: ``sknc demo``."""

import argparse
from collections.abc import Sequence

from sknc._version import __version__
from sknc.cli.demo import DemoSettings, run_demo


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, with the arguments of the process by default."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        settings = DemoSettings(options.epochs, options.seed, options.device)
        run_demo(settings, options.output)
    except ValueError as error:
        parser.error(str(error))
    except ImportError as error:
        parser.exit(1, f"{error}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sknc", description="Measure neural collapse of a classifier's features."
    )
    parser.add_argument("--version", action="version", version=f"sknc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    return parser


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="train a small network until it collapses, and draw how",
        description=(
            "Train a small network on handwritten digits well past zero training "
            "error; print a table of NC0 to NC4 by epoch and save a figure of them."
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
        demo.add_argument(f"--{name}", type=type(value), default=value, help=text)
