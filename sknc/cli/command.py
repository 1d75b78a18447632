"""The command line: ``sknc report``, ``merge``, ``compare``, ``metrics``, ``demo``."""

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from sknc._version import __version__
from sknc.cli import _compare, _demo, _merge, _metrics, _report
from sknc.cli._options import WrongOptionError

_COMMANDS = (_report, _merge, _compare, _metrics, _demo)
_FAILURES = (ValueError, TypeError, OSError, ImportError, MemoryError)
_INTERRUPTED = 130  # the exit code of shells


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; by default those of the process.

    Returns
    -------
    int
        0 on success.

    Raises
    ------
    SystemExit
        With code 2 if an argument is wrong, or code 1 if a file is wrong or a library
        is missing. The message is one line, and says what to do.
    """
    _replace_what_cannot_be_shown()
    parser = _parser()
    options = parser.parse_args(argv)
    name = f"sknc {options.command}"
    with warnings.catch_warnings():
        warnings.showwarning = lambda text, *_: print(
            f"{name}: note: {_one_line(text)}", file=sys.stderr
        )
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            parser.exit(_INTERRUPTED, f"{name}: interrupted.\n")
        except WrongOptionError as error:
            parser.exit(2, f"{name}: {_one_line(error)}\n")
        except _FAILURES as error:
            parser.exit(1, f"{name}: {_one_line(error)}\n")
    return 0


def _replace_what_cannot_be_shown() -> None:
    """Print "?" for characters that the encoding lacks, rather than lose a result."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _one_line(text: object) -> str:
    return " ".join(str(text).split()) or type(text).__name__


class _Parser(argparse.ArgumentParser):
    """A parser that reports errors in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {_one_line(message)} (usage: {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sknc", description="Measure neural collapse of a classifier's features."
    )
    parser.add_argument("--version", action="version", version=f"sknc {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in _COMMANDS:
        module.add_to(commands)
    return parser
