"""Checkpoints of a report, from which a killed run goes on."""

import time
from pathlib import Path
from typing import Any, NoReturn

from sknc._utils.storage.atomic import checked_target, remove_leftovers, replacing
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.loading import load_with_notes

# What sums are made of. The other parameters are read when a report is.
_FITTED = ("covariance", "n_jackknife")


def described(path: Path) -> list[Any]:
    """Return by what a file, or a folder of a format, is known again."""
    parts = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [part.stat() for part in parts]
    size = sum(part.st_size for part in found)
    changed = max((part.st_mtime_ns for part in found), default=0)
    return [str(path.resolve()), size, changed]


class Checkpoint:
    """
    A state on the disk that is written again and again.

    Parameters
    ----------
    path : str
        The file. What a killed run left beside it is removed.
    seconds : float
        Least time from one checkpoint to the next.
    data : dict
        What the data are, as JSON holds it. Another run goes on only with the same.
    """

    def __init__(self, path: str, seconds: float, data: dict[str, Any]) -> None:
        self._path = checked_target(path, "checkpoint", "checkpoint.sknc")
        self._seconds, self._data = seconds, data
        self._written = time.monotonic()
        remove_leftovers(self._path)

    def resume(
        self, analyzer: NeuralCollapseAnalyzer
    ) -> tuple[NeuralCollapseAnalyzer, int]:
        """
        Go on from the last checkpoint, or from the beginning if there is none.

        Parameters
        ----------
        analyzer : NeuralCollapseAnalyzer
            Not fitted, with the parameters that are wanted.

        Returns
        -------
        analyzer : NeuralCollapseAnalyzer
            With the sums of the checkpoint. Nothing is read of them, because rows that
            wait would be added then, and the last bits be others.
        n_rows : int
            Number of rows in them.

        Raises
        ------
        ValueError
            If the checkpoint belongs to something else, or is damaged.
        """
        if not self._path.exists():
            return analyzer, 0
        found, notes = load_with_notes(self._path)
        if not {"data", "n_rows"} <= set(notes):
            self._refuse("is the state of something else")
        if notes["data"] != self._data:
            self._refuse(
                "belongs to other files, to what was in them before they changed, or "
                "to batches of other --rows"
            )
        wanted = analyzer.get_params(deep=False)
        for name in _FITTED:
            if getattr(found, name) != wanted.pop(name):
                self._refuse(f"was made with {name}={getattr(found, name)}")
        resumed: NeuralCollapseAnalyzer = found.set_params(**wanted)
        return resumed, int(notes["n_rows"])

    def _refuse(self, what: str) -> NoReturn:
        msg = (
            f"The checkpoint {self._path} {what}: name another file, or delete it to "
            "start over."
        )
        raise ValueError(msg)

    def write_if_due(self, analyzer: NeuralCollapseAnalyzer, n_rows: int) -> None:
        """Write the state of the first rows if the last time is long enough ago."""
        if time.monotonic() - self._written >= self._seconds:
            self.write(analyzer, n_rows)

    def write(self, analyzer: NeuralCollapseAnalyzer, n_rows: int) -> None:
        """Write the state of the first rows, and wait until it is stored."""
        with replacing(self._path) as file:
            analyzer._write(file, {"data": self._data, "n_rows": n_rows})
        self._written = time.monotonic()
