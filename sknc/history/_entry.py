"""The reports of one step, and the line of JSON that stores them."""

import json
import math
from dataclasses import dataclass
from typing import Any

from sknc._utils.parameters import is_integer, is_number, shown
from sknc.report.nc_report import NCReport

FORMAT_VERSION = 1
_PREFIX = '{"sknc_history": '
_LARGEST_STEP = 2**63 - 1


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """
    The reports of one step.

    Parameters
    ----------
    step : int or float
        Epoch or number of batches.
    train : NCReport or None
        Report on the training samples.
    held_out : NCReport or None
        Report on held-out samples.
    """

    step: float
    train: NCReport | None = None
    held_out: NCReport | None = None


def check_step(step: Any) -> float:
    """Return a finite step as a Python int or float."""
    if is_integer(step) and abs(int(step)) <= _LARGEST_STEP:
        return int(step)
    if is_number(step) and not is_integer(step) and math.isfinite(step):
        return float(step)
    msg = (
        f"step must be a finite number, such as an epoch or a count of batches, got "
        f"{shown(step)}."
    )
    raise ValueError(msg)


def line_of(entry: HistoryEntry) -> bytes:
    """Return the line of an entry, including the line feed."""
    parts = [
        "null" if report is None else report.to_json()
        for report in (entry.train, entry.held_out)
    ]
    return (
        f'{_PREFIX}{FORMAT_VERSION}, "step": {json.dumps(entry.step)}, '
        f'"train": {parts[0]}, "held_out": {parts[1]}}}\n'
    ).encode("ascii")


def is_cut_off(line: bytes) -> bool:
    """
    Whether bytes may be the truncated line of a killed run.

    A file system may have written zeros in place of the rest.
    """
    start, prefix = line.rstrip(b"\0"), _PREFIX.encode()
    if not (start.startswith(prefix) or prefix.startswith(start)):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def entry_of(line: bytes) -> HistoryEntry:
    """Return the entry of a line, equal bit for bit to the one that was written."""
    try:
        document = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        msg = f"it is not JSON ({error})"
        raise ValueError(msg) from error
    if not isinstance(document, dict) or "sknc_history" not in document:
        msg = 'it is not an object with "sknc_history", as NCHistory writes'
        raise ValueError(msg)
    version = document["sknc_history"]
    if version != FORMAT_VERSION or isinstance(version, bool):
        msg = (
            f"it has format version {version!r}, but this version of sknc reads "
            f"version {FORMAT_VERSION}"
        )
        raise ValueError(msg)
    missing = [name for name in ("step", "train", "held_out") if name not in document]
    if missing:
        msg = f"it lacks {missing}"
        raise ValueError(msg)
    try:
        train, held_out = (_report_of(document[name]) for name in ("train", "held_out"))
    except RecursionError as error:
        msg = f"it is nested too deeply ({error})"
        raise ValueError(msg) from error
    if train is None and held_out is None:
        msg = "it has no report"
        raise ValueError(msg)
    return HistoryEntry(check_step(document["step"]), train, held_out)


def _report_of(part: Any) -> NCReport | None:
    return None if part is None else NCReport.from_json(json.dumps(part))
