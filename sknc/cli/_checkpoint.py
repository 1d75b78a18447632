"""Checkpoints of a report, from which a killed run resumes."""

import time
from pathlib import Path
from typing import Any, NoReturn

from sknc._utils.storage.atomic import checked_target, remove_leftovers, replacing
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.loading import load_with_notes

# Parameters that affect the sums. Reports read the others.
_FITTED = ("covariance", "n_jackknife")


def described(path: Path) -> list[Any]:
    """Return what identifies a file, or a folder of a format."""
    parts = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [part.stat() for part in parts]
    size = sum(part.st_size for part in found)
    changed = max((part.st_mtime_ns for part in found), default=0)
    return [str(path.resolve()), size, changed]


class Checkpoint:
    """
    A state that is written to disk at regular intervals.

    Another run resumes only with the same data. Temporary files of a killed run are
    removed.
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
        Return an analyzer with the sums of the last checkpoint, and how many rows.

        Its parameters are those of `analyzer`, which is not fitted. If there is no
        checkpoint, `analyzer` itself is returned. The sums are not read here: that
        would add the buffered rows now, and change the last bits of the result.
        """
        if not self._path.exists():
            return analyzer, 0
        found, notes = load_with_notes(self._path)
        if not {"data", "n_rows"} <= set(notes):
            self._refuse("is not a state of sknc report --checkpoint")
        if notes["data"] != self._data:
            self._refuse(
                "belongs to other files, to files that have changed since, or to "
                "another --rows"
            )
        wanted = analyzer.get_params(deep=False)
        for name in _FITTED:
            if getattr(found, name) != wanted.pop(name):
                self._refuse(f"was made with {name}={getattr(found, name)}")
        resumed: NeuralCollapseAnalyzer = found.set_params(**wanted)
        return resumed, int(notes["n_rows"])

    def _refuse(self, what: str) -> NoReturn:
        msg = (
            f"The checkpoint {self._path} {what}. Name another file, or delete it to "
            "start over."
        )
        raise ValueError(msg)

    def write_if_due(self, analyzer: NeuralCollapseAnalyzer, n_rows: int) -> None:
        """Write the state after `n_rows` rows, if enough time has passed."""
        if time.monotonic() - self._written >= self._seconds:
            self.write(analyzer, n_rows)

    def write(self, analyzer: NeuralCollapseAnalyzer, n_rows: int) -> None:
        """Write the state after `n_rows` rows, and wait until it is on disk."""
        with replacing(self._path) as file:
            analyzer._write(file, {"data": self._data, "n_rows": n_rows})
        self._written = time.monotonic()
