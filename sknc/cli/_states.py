"""Reading and writing states."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sknc.cli._output import STANDARD, check_not_a_terminal
from sknc.estimators.loading import load

SUFFIX = ".sknc"
_START = b"PK"  # of zip archives


def is_state(path: str) -> bool:
    """Whether a path, or standard input, is a state by its name."""
    return path == STANDARD or Path(path).suffix.lower() == SUFFIX


@contextlib.contextmanager
def open_input(path: str) -> Iterator[BinaryIO]:
    """Open a file or standard input for random access."""
    if path == STANDARD:
        content = io.BytesIO(sys.stdin.buffer.read())
        content.name = "standard input"
        yield content
        return
    source = Path(path)
    if not source.is_file():
        what = "is a folder" if source.is_dir() else "does not exist"
        msg = f"{path} {what}: name the file of a state."
        raise FileNotFoundError(msg)
    with source.open("rb") as file:
        yield file


def holds_state(file: BinaryIO) -> bool:
    """Whether a file is a state rather than text, by its first bytes."""
    found = file.read(len(_START)) == _START
    file.seek(0)
    return found


def read_state(path: str) -> Any:
    """Return the estimator stored in a file or in standard input."""
    with open_input(path) as file:
        return load(file)


def read_analyzer(file: BinaryIO) -> Any:
    """Return the analyzer stored in an open file."""
    found = load(file)
    if not hasattr(found, "report"):
        msg = (
            f"{file.name} is the state of a {type(found).__name__}, which has no "
            "report. Name a state of a NeuralCollapseAnalyzer."
        )
        raise ValueError(msg)
    return found


def write_state(estimator: Any, path: str) -> None:
    """Save an estimator to a file or to standard output."""
    if path != STANDARD:
        estimator.save(path)
        return
    check_not_a_terminal("A state")
    estimator.save(sys.stdout.buffer)
    sys.stdout.buffer.flush()
