"""``sknc report``: a report on features in files, or on a state."""

import argparse
import sys
from pathlib import Path
from typing import Any

from sknc._utils import arrays
from sknc.cli._checkpoint import Checkpoint, described
from sknc.cli._features import batches, files_of, open_files
from sknc.cli._heads import add_head, read_head
from sknc.cli._options import (
    WrongOptionError,
    add_choices,
    check_partner,
    chosen_parameters,
    flags,
)
from sknc.cli._output import STANDARD, add_format, shown_reports, write_text
from sknc.cli._states import is_state, open_input, read_analyzer, write_state
from sknc.cli._targets import check_not_read, check_targets
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.io import FeatureFiles
from sknc.report.nc_report import NCReport

_ROWS, _SECONDS = 8192, 60.0
# Options about reading features, which do not apply to a state.
_OF_FEATURES = (
    "labels",
    "checkpoint",
    "score",
    "no_covariance",
    "jackknife",
)


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "report",
        help="report the metrics of features in files, or of a state",
        description=(
            "Report the metrics of features in files, in one pass and with little "
            "memory, or those of a saved state."
        ),
    )
    parser.add_argument(
        "features",
        nargs="+",
        metavar="FEATURES",
        help="files, folders or patterns; or one state (.sknc, - for standard input)",
    )
    _add_files(parser)
    add_head(parser)
    add_choices(parser)
    parser.add_argument(
        "--jackknife",
        type=int,
        metavar="GROUPS",
        help="number of groups for standard errors",
    )
    parser.add_argument(
        "--no-covariance",
        action="store_true",
        help="do not store a (n_features, n_features) matrix",
    )
    add_format(parser, "json", "csv", "html")
    _add_states(parser)
    parser.set_defaults(run=_run)


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options for feature and label files."""
    for name, text in (
        ("--labels", "labels of the features, if they are in other files"),
        ("--held-out", "features to score about the fitted class means"),
        ("--held-out-labels", "their labels"),
    ):
        text += "; can be repeated"
        parser.add_argument(name, action="append", metavar="FILES", help=text)
    parser.add_argument("--key", metavar="NAME", help="array of the features in a file")
    parser.add_argument("--label-key", metavar="NAME", help="array of the labels")
    parser.add_argument(
        "--rows",
        type=int,
        default=_ROWS,
        help=f"rows read at a time, {_ROWS} by default",
    )
    parser.add_argument(
        "--score",
        action="store_true",
        help="read the features a second time, for metrics of decisions (NC4)",
    )


def _add_states(parser: argparse.ArgumentParser) -> None:
    """Add the options for states to write."""
    parser.add_argument(
        "--save",
        metavar="STATE",
        help="write the state to this file, or - for standard output",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="STATE",
        help="save progress in this file, and resume from it if it exists",
    )
    parser.add_argument(
        "--checkpoint-every",
        type=float,
        default=_SECONDS,
        metavar="SECONDS",
        help=f"how often, {_SECONDS:g} by default",
    )


def _run(options: argparse.Namespace) -> None:
    _check(options)
    chosen_parameters(options)
    of_state = len(options.features) == 1 and is_state(options.features[0])
    check_not_read(_targets(options), _read(options, of_state))
    files = held_out = None
    if not of_state:
        files = open_files(options.features, options.labels, options, "--labels")
    if options.held_out is not None:
        labels = options.held_out_labels
        held_out = open_files(options.held_out, labels, options, "--held-out-labels")
    analyzer = _of_state(options) if files is None else _of_features(files, options)
    if options.save is not None:
        write_state(analyzer, options.save)
    train = analyzer.report()
    if files is not None and options.score:
        train = _scored(analyzer, files, options, "scoring")
    reports: dict[str, NCReport] = {"train": train}
    try:
        if held_out is not None:
            reports["held_out"] = _scored(analyzer, held_out, options, "held-out")
    finally:  # finished work is not lost
        text = shown_reports(reports, options.format)
        write_text(text, options.output, options.format)


def _targets(options: argparse.Namespace) -> dict[str, Any]:
    """Return the paths of files to write, by option."""
    return {
        "--save": options.save,
        "--checkpoint": options.checkpoint,
        "--output": options.output,
    }


def _read(options: argparse.Namespace, of_state: bool) -> list[Path]:
    """Return the files to read."""
    if of_state:
        found = [Path(path) for path in options.features if path != STANDARD]
    else:
        found = files_of(options.features, "paths") + files_of(options.labels)
    found += files_of(options.held_out, "paths") + files_of(options.held_out_labels)
    return found + [Path(path) for path in (options.head, options.bias) if path]


def _check(options: argparse.Namespace) -> None:
    """Raise for contradictory options, before any file is read."""
    check_partner(options, "head", "bias", "head_key", "transpose_head")
    check_partner(options, "held_out", "held_out_labels")
    if options.save == options.output == STANDARD:
        msg = "--save - takes standard output: name a file for the report, --output."
        raise WrongOptionError(msg)
    if options.rows < 1:
        msg = f"--rows must be at least 1, got {options.rows}."
        raise WrongOptionError(msg)
    if options.jackknife is not None and options.jackknife < 2:
        msg = f"--jackknife must be at least 2, got {options.jackknife}."
        raise WrongOptionError(msg)
    if not options.checkpoint_every >= 0:
        msg = f"--checkpoint-every must be at least 0, got {options.checkpoint_every}."
        raise WrongOptionError(msg)
    check_targets(_targets(options), states=("--save", "--checkpoint"))


def _of_state(options: argparse.Namespace) -> NeuralCollapseAnalyzer:
    """Return the analyzer of a state, with the head and options that were given."""
    (path,) = options.features
    keys = ("key", "label_key") if options.held_out is None else ()
    given = [name for name in (*_OF_FEATURES, *keys) if getattr(options, name)]
    if given:
        msg = f"{path} is a state, not features: leave out {flags(given)}."
        raise WrongOptionError(msg)
    with open_input(path) as file:
        analyzer: NeuralCollapseAnalyzer = read_analyzer(file)
    head = read_head(options, analyzer.n_features_in_)
    if head is not None:
        analyzer.set_params(head=head)
    analyzer.set_params(**chosen_parameters(options))
    return analyzer


def _of_features(
    files: FeatureFiles, options: argparse.Namespace
) -> NeuralCollapseAnalyzer:
    """Return an analyzer fitted on features in files."""
    groups = {} if options.jackknife is None else {"n_jackknife": options.jackknife}
    analyzer = NeuralCollapseAnalyzer(
        read_head(options, files.shape[1]),
        covariance=not options.no_covariance,
        **groups,
        **chosen_parameters(options),
    )
    checkpoint, start, n_rows = None, 0, files.shape[0]
    if options.checkpoint is not None:
        checkpoint = Checkpoint(
            options.checkpoint, options.checkpoint_every, _described(files, options)
        )
        analyzer, start = checkpoint.resume(analyzer)
        if start:
            text = f"sknc report: resumes after {start} of {n_rows} rows."
            print(text, file=sys.stderr)
    for X, y in batches(files, options.rows, "fitting", start):
        _add(analyzer, X, y, start)
        start += len(X)
        if checkpoint is not None:
            checkpoint.write_if_due(analyzer, start)
    if checkpoint is not None:
        checkpoint.write(analyzer, start)
    return analyzer


def _add(analyzer: NeuralCollapseAnalyzer, X: Any, y: Any, start: int) -> None:
    try:
        analyzer.partial_fit(X, y)
    except (ValueError, TypeError) as error:
        msg = f"{error} This was in rows {start} to {start + len(X) - 1}, from 0."
        raise ValueError(msg) from error


def _described(files: FeatureFiles, options: argparse.Namespace) -> dict[str, Any]:
    """Return what must stay the same for a run to resume."""
    return {
        "files": [described(path) for path in files.paths],
        "labels": [described(path) for path in files_of(options.labels)],
        "keys": [options.key, options.label_key],
        "n_features": files.shape[1],
        "dtype": str(files.dtype),
        "rows": options.rows,
    }


def _scored(
    analyzer: NeuralCollapseAnalyzer,
    files: FeatureFiles,
    options: argparse.Namespace,
    what: str,
) -> NCReport:
    # Sums of a state may be tensors, features in files are none.
    if arrays.is_tensor(analyzer.class_means_):
        analyzer = analyzer.to("numpy")
    return analyzer.score_batches(batches(files, options.rows, what))
