"""Read the file of a history, even if a killed run truncated its last line."""

import warnings
from pathlib import Path
from typing import NoReturn

from sknc.history._entry import HistoryEntry, entry_of, is_cut_off
from sknc.history._journal import Journal

_CALLER = 5  # stack level of the caller of NCHistory


def read_file(path: Path) -> tuple[Journal, list[HistoryEntry]]:
    """
    Return the journal of a file, which may not exist, and its entries.

    Warns if the last line is truncated, and skips it. Other damage is an error.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Journal(path), []
    return _read(path, data)


def _read(path: Path, data: bytes) -> tuple[Journal, list[HistoryEntry]]:
    entries: list[HistoryEntry] = []
    ends: list[int] = []
    *whole, last = data.split(b"\n")
    for line in whole:
        entries.append(_entry(path, line, entries))
        ends.append((ends[-1] if ends else 0) + len(line) + 1)
    if last:
        entry = _last_entry(path, last, entries)
        if entry is not None:  # only the line feed is missing
            entries.append(entry)
            ends.append(len(data))
    return Journal(path, ends, len(data)), entries


def _entry(path: Path, line: bytes, before: list[HistoryEntry]) -> HistoryEntry:
    """Return the entry of a complete line."""
    try:
        entry = entry_of(line)
    except ValueError as error:
        _refuse(path, len(before) + 1, str(error), error)
    if before and entry.step <= before[-1].step:
        what = f"its step {entry.step} does not come after step {before[-1].step}"
        _refuse(path, len(before) + 1, what)
    return entry


def _last_entry(
    path: Path, line: bytes, before: list[HistoryEntry]
) -> HistoryEntry | None:
    """Return the entry of a line without line feed, or None if it is truncated."""
    try:
        return _entry(path, line, before)
    except ValueError:
        if not is_cut_off(line):
            raise
    msg = (
        f"{path}: line {len(before) + 1}, the last, is truncated, because the run that "
        "wrote it was killed. Its report is lost. The next append replaces it."
    )
    warnings.warn(msg, stacklevel=_CALLER)
    return None


def _refuse(
    path: Path, number: int, what: str, error: Exception | None = None
) -> NoReturn:
    other = (
        " If it is not a history of sknc, choose another path." if number == 1 else ""
    )
    msg = (
        f"{path}: line {number} cannot be read: {what}. Restore the file from a copy, "
        f"or delete that line to continue without its reports.{other}"
    )
    raise ValueError(msg) from error
