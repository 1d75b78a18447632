"""Add entries to a history in the order of their steps, and store them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sknc._utils.parameters import shown
from sknc._utils.storage.atomic import checked_target
from sknc.history._entry import HistoryEntry, check_step, line_of
from sknc.history._journal import Journal
from sknc.history._reading import read_file
from sknc.report.nc_report import NCReport


class StoredEntries:
    """
    Reports by step, in memory and optionally in a file.

    Parameters
    ----------
    path : str or path-like, default=None
        The file, if there is one.
    """

    path: Path | None

    def __init__(self, path: Any = None) -> None:
        self.path = None if path is None else _checked_path(path)
        self._journal: Journal | None = None
        self._entries: list[HistoryEntry] = []
        if self.path is not None:
            self._journal, self._entries = read_file(self.path)

    @classmethod
    def load(cls, path: Any) -> Self:
        """
        Open an existing file; reports can be appended.

        Nothing is written before the first `append`, so the file of a running process
        can be read.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        NCHistory
            With the reports in the file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If a line cannot be read.
        """
        if not Path(path).exists():
            msg = (
                f"There is no file {path}. NCHistory(path) starts a new history there."
            )
            raise FileNotFoundError(msg)
        return cls(path)

    def append(
        self,
        step: float,
        report: NCReport | None = None,
        held_out: NCReport | None = None,
    ) -> None:
        """
        Add the reports of a step, at least one, and store them.

        Parameters
        ----------
        step : int or float
            Epoch or number of batches, greater than the last step.
        report : NCReport, default=None
            Report on the training samples.
        held_out : NCReport, default=None
            Report on held-out samples.

        Raises
        ------
        TypeError
            If a report is not an `NCReport`, or there is none.
        ValueError
            If the step is not a finite number, or not greater than the last step.
        RuntimeError
            If something else has written to the file.
        OSError
            If the file cannot be written. The reports are then not added.
        """
        entry = HistoryEntry(check_step(step), report, held_out)
        _check_reports(entry)
        self._check_order(entry.step)
        if self._journal is not None:
            self._journal.append(len(self), [line_of(entry)])
        self._entries.append(entry)

    def rewind(self, step: float) -> None:
        """
        Remove the reports after a step, in the file too.

        Use it when a run resumes from a checkpoint older than its last report.

        Parameters
        ----------
        step : int or float
            The last step to keep.

        Raises
        ------
        ValueError
            If the step is not a finite number.
        RuntimeError
            If something else has written to the file.
        """
        last = check_step(step)
        n_kept = sum(entry.step <= last for entry in self)
        if n_kept == len(self):
            return
        if self._journal is not None:
            self._journal.keep(n_kept)
        del self._entries[n_kept:]

    def save(self, path: Any) -> None:
        """
        Write all reports to a new file.

        Parameters
        ----------
        path : str or path-like
            The file, which must not exist.

        Raises
        ------
        FileExistsError
            If it exists.
        FileNotFoundError
            If its folder does not exist.
        """
        target = _checked_path(path)
        if target.exists():
            msg = f"{target} exists: choose another path, or delete it first."
            raise FileExistsError(msg)
        Journal(target).append(0, [line_of(entry) for entry in self])

    def _check_order(self, step: float) -> None:
        if not self._entries or step > self._entries[-1].step:
            return
        last = self._entries[-1].step
        msg = (
            f"Steps must increase: got step {step} after step {last}. If the run was "
            "resumed from an older checkpoint, first call history.rewind(step) with "
            "the step of that checkpoint. To start over, use a new history with a new "
            "file, or delete the old file first."
        )
        raise ValueError(msg)

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._entries)

    def __iter__(self) -> Iterator[HistoryEntry]:
        """Iterate over the entries, in the order of their steps."""
        return iter(tuple(self._entries))


def _checked_path(path: Any) -> Path:
    return checked_target(path, "history", "history.jsonl")


def _check_reports(entry: HistoryEntry) -> None:
    reports = {"report": entry.train, "held_out": entry.held_out}
    for name, report in reports.items():
        if report is not None and not isinstance(report, NCReport):
            msg = (
                f"{name} must be an NCReport, as analyzer.report() and "
                f"analyzer.score(X, y) return, got {shown(report)}."
            )
            raise TypeError(msg)
    if entry.train is None and entry.held_out is None:
        msg = "append expected a report of the step, got none."
        raise TypeError(msg)
