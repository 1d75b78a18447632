"""Feature files that a command reads, with a progress bar."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sknc.io import FeatureFiles, open_features
from sknc.io._paths import find_files, natural_order

# Options for the parameters of `open_features`.
_OPTIONS = {"label_key=": "--label-key ", "key=": "--key ", "labels=": "--labels "}


def open_files(
    paths: list[str], labels: list[str] | None, options: argparse.Namespace, name: str
) -> FeatureFiles:
    """
    Open features and their labels; errors name the wrong option.

    `name` is the option for labels in other files.
    """
    keys = {"key": options.key, "label_key": options.label_key}
    try:
        files = open_features(paths, labels, **keys)
    except ValueError as error:
        text = str(error)
        for parameter, option in _OPTIONS.items():
            text = text.replace(parameter, option)
        raise ValueError(text) from error
    if files.label_parts is None:
        msg = (
            f"There are no labels in {files.paths[0]}. Name the label file with "
            f"{name}, or the array of labels in this file with --label-key."
        )
        raise ValueError(msg)
    if len(files_of(labels)) == 1:
        _check_order(paths)
    return files


def files_of(names: list[str] | None, what: str = "labels") -> list[Path]:
    """Return the files given by an option."""
    return [] if names is None else find_files(what, names)


def _check_order(names: list[str]) -> None:
    """Raise if names are in shell order, where the order of the rows is not clear."""
    last: dict[str, str] = {}  # by the name without its numbers
    for name in names:
        words = re.sub(r"[0-9]+", "0", name)
        before = last.setdefault(words, name)
        if natural_order(Path(name)) < natural_order(Path(before)):
            msg = (
                f"{name} comes after {before}, so it is not clear which rows the "
                "labels in the one file belong to. Quote the pattern, so that files "
                "are sorted by their numbers, or give them in that order."
            )
            raise ValueError(msg)
        last[words] = name


def batches(
    files: FeatureFiles, rows: int, what: str, start: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches, with a progress bar of rows on a terminal."""
    with _progress(files.shape[0], what, start) as bar:
        for X, y in files.batches(rows, start=start):
            yield X, y
            bar.update(len(X))


class _NoBar:
    """A placeholder for a progress bar."""

    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, n_rows: int) -> None:
        """Do nothing."""


def _progress(n_rows: int, what: str, start: int) -> Any:
    if not sys.stderr.isatty():
        return _NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(
        total=n_rows, initial=start, desc=what, unit="row", unit_scale=True, leave=False
    )
