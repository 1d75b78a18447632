"""The command line: ``sknc demo``."""

import argparse
from collections.abc import Sequence

from sknc._version import __version__
from sknc.demo import DemoSettings, run_demo


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; those of the process by default.

    Returns
    -------
    int
        0 if all went well.

    Raises
    ------
    SystemExit
        With code 2 for arguments of no meaning, 1 if a library is missing.
    """
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
            "Train a small network on handwritten digits well past zero training error; "
            "print a table of NC0 to NC4 by epoch and save a figure of them."
        ),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default = DemoSettings()
    demo.add_argument("--epochs", type=int, default=default.epochs, help="to train")
    demo.add_argument("--seed", type=int, default=default.seed, help="of all chance")
    demo.add_argument("--device", default=default.device, help="of torch")
    demo.add_argument(
        "--output", default="neural_collapse_demo.png", help="file of the figure"
    )
