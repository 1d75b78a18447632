"""`NCHistory`: the reports of one run, by step."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, overload

import numpy as np

from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_flag, shown
from sknc.history._entry import HistoryEntry
from sknc.history._stored import StoredEntries
from sknc.metrics._catalogue.table import did_you_mean
from sknc.plotting import CollapseTrajectoryDisplay
from sknc.report._rendering import data_frame
from sknc.report.nc_report import NCReport

_SCORE = "score"  # the report as a single number


class NCHistory(StoredEntries):
    """
    The reports of one run by step, in memory and optionally in a file.

    Each `append` adds a line to the file, and returns once it is on disk. If the run is
    killed, at most the last line is lost. Opening an existing file continues it.

    Parameters
    ----------
    path : str or path-like, default=None
        File for the reports, in JSON Lines; its folder must exist. Without a path, the
        reports are kept in memory only. Only one process may write to a file: in
        distributed training, append on one rank.

    Attributes
    ----------
    path : Path or None
        The file.

    Raises
    ------
    FileNotFoundError
        If the folder of the file does not exist.
    IsADirectoryError
        If `path` is a folder.
    ValueError
        If a line of the file cannot be read; the message says which.

    Warns
    -----
    UserWarning
        If the last line of the file is truncated. It is skipped, and the next `append`
        overwrites it.

    See Also
    --------
    CollapseTrajectoryDisplay : Plots the reports.

    Notes
    -----
    ``len(history)`` is the number of steps, and ``history[-1]`` the last entry, with
    `step`, `train` and `held_out`. Iteration yields the entries.
    ``history["nc1_pinv"]`` is an array of that metric on the training samples, with one
    value per step.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NCHistory, NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> history = NCHistory()
    >>> for step in (1, 2):
    ...     analyzer = NeuralCollapseAnalyzer().fit(X**step, y)
    ...     history.append(step, analyzer.report())
    >>> history["nc1_trace_ratio"].round(4)
    array([0.1508, 0.3071])
    >>> history[-1].step
    2
    """

    # Reading --------------------------------------------------------------------

    def __contains__(self, key: object) -> bool:
        """Whether any report has that metric."""
        return key in self.keys()

    @overload
    def __getitem__(self, place: int) -> HistoryEntry: ...
    @overload
    def __getitem__(self, place: slice) -> "NCHistory": ...
    @overload
    def __getitem__(self, place: str) -> np.ndarray: ...

    def __getitem__(self, place: Any) -> Any:
        """Return an entry, a history of some entries, or the values of a metric."""
        if isinstance(place, str):
            return self.metric(place)
        if isinstance(place, slice):
            if place.step is not None and place.step < 0:
                msg = "Steps of a history increase. Use a slice with a positive step."
                raise ValueError(msg)
            part = NCHistory()
            part._entries = self._entries[place]
            return part
        return self._entries[place]

    @property
    def steps(self) -> np.ndarray:
        """Steps of the entries, as integers if all of them are, (n_steps,)."""
        found = [entry.step for entry in self]
        whole = all(isinstance(step, int) for step in found)
        return np.array(found, np.int64 if whole else np.float64)

    def keys(self) -> list[str]:
        """
        Return the metrics that any report has.

        Returns
        -------
        list of str
            In the order of the reports.
        """
        return list(
            dict.fromkeys([*_keys_of("train", self), *_keys_of("held_out", self)])
        )

    def metric(self, key: str, *, held_out: bool = False) -> np.ndarray:
        """
        Return a metric at every step.

        Parameters
        ----------
        key : str
            Key of the metric, or "score" for the score of each report.
        held_out : bool, default=False
            Whether to use the reports on held-out samples.

        Returns
        -------
        ndarray of shape (n_steps,)
            Values; NaN where there is no report, or one without the metric.

        Raises
        ------
        KeyError
            If no report has the metric.
        """
        side = "held_out" if check_flag("held_out", held_out) else "train"
        reports = [getattr(entry, side) for entry in self]
        if key == _SCORE and any(report is not None for report in reports):
            return np.array([math.nan if r is None else float(r) for r in reports])
        if not any(r is not None and key in r for r in reports):
            raise KeyError(_missing(key, side, self))
        return np.array(
            [math.nan if r is None or key not in r else r[key] for r in reports]
        )

    @documented(NCReport.to_frame)
    def to_frame(self, backend: str = "pandas") -> Any:
        """
        Return the reports as a data frame.

        Returns
        -------
        DataFrame
            One row per step: "step", and columns such as "train/nc1_pinv" and
            "held_out/nc1_pinv" for each metric, after "train/score" and
            "held_out/score". NaN where there is no value. Training or held-out columns
            are missing if there are no such reports.
        """
        columns = {"step": self.steps.tolist()}
        for side in ("train", "held_out"):
            found = _keys_of(side, self)
            if any(getattr(entry, side) is not None for entry in self):
                found.insert(0, _SCORE)
            for key in found:
                values = self.metric(key, held_out=side == "held_out")
                columns[f"{side}/{key}"] = values.tolist()
        rows = zip(*columns.values(), strict=True)
        return data_frame(list(columns), rows, backend, "NCHistory.to_frame")

    def __repr__(self) -> str:
        """Return the number of steps, their range, and the file."""
        where = "" if self.path is None else f", path={str(self.path)!r}"
        if not self._entries:
            return f"NCHistory(no steps{where})"
        first, last = self._entries[0].step, self._entries[-1].step
        count = "1 step" if len(self) == 1 else f"{len(self)} steps"
        span = f"{first}" if len(self) == 1 else f"{first} to {last}"
        return f"NCHistory({count}: {span}{where})"

    # Drawing --------------------------------------------------------------------

    def to_display(self) -> CollapseTrajectoryDisplay:
        """
        Return a display of the reports, not yet drawn.

        Returns
        -------
        CollapseTrajectoryDisplay
            Display with the steps as epochs.

        Raises
        ------
        ValueError
            If there are no reports.
        """
        if not self._entries:
            msg = "This history has no reports to plot. Append some first."
            raise ValueError(msg)
        train = [entry.train for entry in self]
        held_out = [entry.held_out for entry in self]
        return CollapseTrajectoryDisplay.from_reports(self.steps, train, held_out)

    def plot(
        self,
        ax: Any = None,
        *,
        metrics: str | Iterable[str] | None = None,
        xlabel: str = "step",
        **options: Any,
    ) -> CollapseTrajectoryDisplay:
        """
        Plot the metrics over the steps.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            Where to draw; by default a new figure.
        metrics : str or iterable of str, default=None
            Metrics to plot; by default one for each property.
        xlabel : str, default="step"
            Label of the steps.
        **options
            Passed to `CollapseTrajectoryDisplay.plot`.

        Returns
        -------
        CollapseTrajectoryDisplay
            With `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there are no reports, or an option is invalid.
        """
        display = self.to_display()
        return display.plot(ax, metrics=metrics, xlabel=xlabel, **options)

    @staticmethod
    @documented(plot)
    def compare(
        histories: "Mapping[str, NCHistory]",
        ax: Any = None,
        *,
        metrics: str | Iterable[str] | None = None,
        xlabel: str = "step",
        **options: Any,
    ) -> CollapseTrajectoryDisplay:
        """
        Plot several runs in the same panels.

        Parameters
        ----------
        histories : mapping of str to NCHistory
            Histories by the name in the legend.

        Returns
        -------
        CollapseTrajectoryDisplay
            With `axes_` and `figure_`. Runs differ in color, training and held-out
            samples in line style.

        Raises
        ------
        TypeError
            If `histories` is not a mapping of names to histories.
        ValueError
            If there are no histories, one has no reports, or an option is invalid.
        """
        if not isinstance(histories, Mapping) or not all(
            isinstance(history, NCHistory) for history in histories.values()
        ):
            msg = (
                "compare expected histories by name, such as "
                f"{{'sgd': history, ...}}, got {shown(histories)}."
            )
            raise TypeError(msg)
        empty = [name for name, history in histories.items() if not len(history)]
        if empty or not histories:
            which = f"none in {empty}" if empty else "no histories"
            msg = f"compare expected histories with reports, got {which}."
            raise ValueError(msg)
        displays = {name: one.to_display() for name, one in histories.items()}
        both = CollapseTrajectoryDisplay.from_runs(displays)
        return both.plot(ax, metrics=metrics, xlabel=xlabel, **options)


def _keys_of(side: str, history: NCHistory) -> list[str]:
    """Return the metrics of the training or the held-out reports."""
    reports = (getattr(entry, side) for entry in history)
    found = (key for report in reports if report is not None for key in report)
    return list(dict.fromkeys(found))


def _missing(key: str, side: str, history: NCHistory) -> str:
    """Return why a metric has no values, and what to do."""
    other = {"train": "held_out", "held_out": "train"}[side]
    if key in _keys_of(other, history):
        return (
            f"No {side} report has {key!r}, but {other} reports do: "
            f"history.metric({key!r}, held_out={other == 'held_out'})."
        )
    known = ", ".join(_keys_of(side, history)) or "nothing"
    return f"No {side} report has {key!r}.{did_you_mean(key)} They have: {known}."
