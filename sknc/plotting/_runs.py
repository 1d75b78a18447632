"""The numbers of one run by epoch, checked."""

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import numpy as np

from sknc._utils.parameters import check_iterable
from sknc.convention import Convention
from sknc.report.nc_report import NCReport

Columns = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Curve:
    """A line of a panel; it skips epochs that were not measured, and breaks at NaN."""

    part: str  # "train", "class means", "head" or "held-out"
    values: np.ndarray
    errors: np.ndarray | None
    measured: np.ndarray


@dataclass(frozen=True, eq=False)
class Run:
    """Metrics of one run, by key, and their standard errors, if any."""

    epochs: np.ndarray  # numbers, or names of categories
    train: Columns
    held_out: Columns
    train_error: Columns = field(default_factory=dict)
    held_out_error: Columns = field(default_factory=dict)
    convention: Convention | None = None  # the convention shared by all reports, if any
    train_measured: np.ndarray | None = None  # None: at every epoch
    held_out_measured: np.ndarray | None = None

    @property
    def keys(self) -> list[str]:
        """Keys of the metrics of the run."""
        return [*(self.train | self.held_out)]

    @property
    def is_named(self) -> bool:
        """Whether epochs are names."""
        return self.epochs.dtype.kind == "U"

    def rows(self, name: str) -> Iterator[tuple[Any, ...]]:
        """Yield (name, epoch, samples, key, value, standard error) of each value."""
        nothing = np.full(len(self.epochs), math.nan)
        train = ("train", self.train, self.train_error, self.train_measured)
        other = "held-out", self.held_out, self.held_out_error, self.held_out_measured
        for samples, columns, errors, measured in (train, other):
            at = self._at(measured)
            for key, values in columns.items():
                numbers = (self.epochs, values, errors.get(key, nothing))
                for item in zip(*(x[at].tolist() for x in numbers), strict=True):
                    epoch, value, error = item
                    yield name, epoch, samples, key, value, error

    def _at(self, measured: np.ndarray | None) -> np.ndarray:
        return np.ones(len(self.epochs), bool) if measured is None else measured

    def curves(self, key: str) -> list[Curve]:
        """Return the curves of a metric, and of its twin for the head."""
        found, twin, other = [], f"{key}_head", self.held_out.get(key)
        at, at_other = self._at(self.train_measured), self._at(self.held_out_measured)
        for name, part in ((key, "train"), (twin, "head")):
            if name in self.train:
                has_twin = name == key and twin in self.train
                label = "class means" if has_twin else part
                errors = self.train_error.get(name)
                found.append(Curve(label, self.train[name], errors, at))
        if other is not None and not _same(other, self.train.get(key), at & at_other):
            errors = self.held_out_error.get(key)
            found.append(Curve("held-out", other, errors, at_other))
        return found

    def first_without_error(self) -> Any:
        """Return the first epoch without training errors, or None."""
        if self.is_named:  # for example layers, which are not ordered in time
            return None
        accuracy = self.train.get("nc4_head_accuracy", np.zeros(0))
        reached = np.flatnonzero(accuracy == 1)
        return self.epochs[reached[0]] if len(reached) else None


def make_run(
    epochs: Any,
    train: Mapping[str, Any],
    held_out: Mapping[str, Any] | None = None,
    train_error: Mapping[str, Any] | None = None,
    held_out_error: Mapping[str, Any] | None = None,
    convention: Convention | None = None,
) -> Run:
    """Check epochs and columns."""
    times = check_epochs(epochs)
    n_times = len(times)
    return Run(
        times,
        _columns(train, "train", n_times),
        _columns(held_out, "held_out", n_times),
        _columns(train_error, "train_error", n_times),
        _columns(held_out_error, "held_out_error", n_times),
        convention,
    )


def run_of_reports(
    epochs: Iterable[Any],
    reports: Iterable[NCReport | None],
    held_out: Iterable[NCReport | None] | None,
) -> Run:
    """Collect the values of reports; None where there is no report."""
    times = check_epochs(epochs)
    train = _list_of_reports(reports, "reports", len(times))
    other = (
        [] if held_out is None else _list_of_reports(held_out, "held_out", len(times))
    )
    present = [report for report in (*train, *other) if report is not None]
    if not present:
        msg = "Expected at least one report, got None at every epoch."
        raise ValueError(msg)
    conventions = {report.convention for report in present}
    values, other_values, errors, other_errors = [
        _collect([None if report is None else numbers(report) for report in side])
        for numbers in (NCReport.to_dict, attrgetter("standard_error"))
        for side in (train, other)
    ]
    shared = conventions.pop() if len(conventions) == 1 else None
    run = make_run(times, values, other_values, errors, other_errors, shared)
    return replace(
        run,
        train_measured=np.array([report is not None for report in train]),
        held_out_measured=np.array([r is not None for r in other]) if other else None,
    )


def check_epochs(epochs: Any) -> np.ndarray:
    """Return finite numbers, or names, as an array; raise for others."""
    if isinstance(epochs, Set):
        kind = type(epochs).__name__
        msg = f"epochs must be in the order of the reports, got a {kind}."
        raise TypeError(msg)
    items = check_iterable("epochs", epochs, "numbers, or all of them names")
    found = np.asarray(items) if items else np.zeros(0)
    named = all(isinstance(item, str) for item in items)
    if found.ndim != 1 or (found.dtype.kind not in "biuf" and not named):
        msg = f"epochs must be numbers, or all of them names, got {items!r:.200}."
        raise TypeError(msg)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        wrong = int(np.flatnonzero(~np.isfinite(found))[0])
        msg = f"epochs must be finite, got {found[wrong]} at position {wrong}."
        raise ValueError(msg)
    return found


def _list_of_reports(
    reports: Iterable[NCReport | None], name: str, expected: int
) -> list[NCReport | None]:
    kind = "reports of NeuralCollapseAnalyzer"
    found = (
        [reports]
        if isinstance(reports, NCReport)
        else check_iterable(name, reports, kind)
    )
    for place, item in enumerate(found):
        if item is not None and not isinstance(item, NCReport):
            msg = (
                f"{name} must be {kind}, got "
                f"{type(item).__name__} at position {place}. For plain numbers use "
                "CollapseTrajectoryDisplay(epochs, {key: values})."
            )
            raise TypeError(msg)
    if not found or len(found) != expected:
        msg = (
            f"Expected one report per epoch, and at least one: got {expected} epochs "
            f"and {len(found)} {name}."
        )
        raise ValueError(msg)
    return found


def _collect(tables: list[Mapping[str, float] | None]) -> dict[str, list[float]]:
    keys = dict.fromkeys(key for table in tables for key in table or ())
    return {key: [(table or {}).get(key, math.nan) for table in tables] for key in keys}


def _columns(values: Mapping[str, Any] | None, name: str, expected: int) -> Columns:
    columns = {key: np.asarray(column, float) for key, column in (values or {}).items()}
    for key, column in columns.items():
        if column.shape != (expected,):
            msg = (
                f"{name}[{key!r}] must have one value per epoch, shape ({expected},): "
                f"got {column.shape}."
            )
            raise ValueError(msg)
    return columns


def _same(one: np.ndarray, other: np.ndarray | None, both: np.ndarray) -> bool:
    """Whether values are equal where both exist; False if they never do."""
    if other is None or not both.any():
        return False
    return np.allclose(one[both], other[both], 1e-9, 0, equal_nan=True)
