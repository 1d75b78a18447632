"""`CollapseTrajectoryDisplay`: how the metrics move as a network trains."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np

from sknc._utils.docstrings import documented
from sknc._utils.optional import require_matplotlib
from sknc._utils.parameters import check_choice
from sknc.metrics._catalogue import sources as by
from sknc.plotting import _curves, _scales
from sknc.plotting._choice import chosen_keys
from sknc.plotting._labels import axis_label, title
from sknc.plotting._panels import make_panels
from sknc.plotting._runs import Columns, Run, make_run, run_of_reports
from sknc.report._rendering import data_frame
from sknc.report.nc_report import NCReport

_COLUMNS = ("run", "epoch", "samples", "metric", "value", "standard_error")


@documented(by.references(by.PAPYAN))
class CollapseTrajectoryDisplay:
    """
    Curves of neural collapse metrics over training, one panel a property.

    Make it with `from_reports`, or of several runs with `from_runs`; draw it with
    `plot`. Drawn in the manner of Papyan, Han and Donoho [1]_: every property of neural
    collapse has its own axes, on which collapse is at the bottom.

    Parameters
    ----------
    epochs : array-like of shape (n_reports,)
        When each report was made: epochs, steps, or any number that grows; or names,
        such as those of layers, which are drawn in their order at equal distances.
    train : mapping of str to array-like of shape (n_reports,)
        Values on the training samples by key of the metric.
    held_out : mapping of str to array-like of shape (n_reports,), default=None
        Values on held-out samples by key of the metric.
    train_error : mapping of str to array-like of shape (n_reports,), default=None
        Standard errors of `train`, drawn as bands.
    held_out_error : mapping of str to array-like of shape (n_reports,), default=None
        Standard errors of `held_out`.

    Attributes
    ----------
    runs : dict of str to object
        The numbers of each run by its name, with `epochs`, `train`, `held_out`,
        `train_error` and `held_out_error`. The name is empty if there is one run.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        The panels, once `plot` was called.
    figure_ : matplotlib Figure
        The figure that holds them.
    keys_ : list of str
        The metric of each panel.

    See Also
    --------
    NeuralCollapseAnalyzer : Makes the reports.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.plotting import CollapseTrajectoryDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> reports = [NeuralCollapseAnalyzer().fit(X**p, y).report() for p in (1, 2)]
    >>> display = CollapseTrajectoryDisplay.from_reports([1, 2], reports)
    >>> display.train["nc1_trace_ratio"].round(4)
    array([0.1508, 0.3071])
    >>> display.plot().figure_.savefig("collapse.png")  # doctest: +SKIP
    """

    axes_: np.ndarray
    figure_: Any
    keys_: list[str]

    def __init__(
        self,
        epochs: Any,
        train: Mapping[str, Any],
        held_out: Mapping[str, Any] | None = None,
        *,
        train_error: Mapping[str, Any] | None = None,
        held_out_error: Mapping[str, Any] | None = None,
    ) -> None:
        self.runs = {"": make_run(epochs, train, held_out, train_error, held_out_error)}

    @classmethod
    def from_reports(
        cls,
        epochs: Iterable[float] | Iterable[str],
        reports: Iterable[NCReport | None],
        held_out: Iterable[NCReport | None] | None = None,
    ) -> Self:
        """
        Collect the numbers of reports.

        Parameters
        ----------
        epochs : iterable of float or of str
            When each report was made, or what of, such as names of layers.
        reports : iterable of NCReport or None
            Of the training samples, one an epoch; None at an epoch without.
        held_out : iterable of NCReport or None, default=None
            Of held-out samples, one an epoch; None at an epoch without.

        Returns
        -------
        CollapseTrajectoryDisplay
            Not drawn yet. A metric that some of the reports lack is NaN there.

        Raises
        ------
        TypeError
            If something else than reports is passed, or epochs are not all numbers or
            all names, or a set.
        ValueError
            If there are not as many reports as epochs, or none, or an epoch is not
            finite.
        """
        return cls._of({"": run_of_reports(epochs, reports, held_out)})

    @classmethod
    def from_runs(cls, runs: "Mapping[str, CollapseTrajectoryDisplay]") -> Self:
        """
        Put several runs, such as seeds or models, into one figure.

        Parameters
        ----------
        runs : mapping of str to CollapseTrajectoryDisplay
            Displays by the names that legends show.

        Returns
        -------
        CollapseTrajectoryDisplay
            Not drawn yet. Runs differ by color, training and held-out samples by line.

        Raises
        ------
        TypeError
            If it is no mapping of displays.
        ValueError
            If it is empty, or some runs have numbers as epochs and others names.

        Examples
        --------
        >>> from sknc import CollapseTrajectoryDisplay
        >>> first = CollapseTrajectoryDisplay([1, 2], {"nc1_cdnv": [0.5, 0.1]})
        >>> second = CollapseTrajectoryDisplay([1, 2], {"nc1_cdnv": [0.7, 0.2]})
        >>> both = CollapseTrajectoryDisplay.from_runs({"a": first, "b": second})
        >>> both.runs["b"].train["nc1_cdnv"]
        array([0.7, 0.2])
        """
        if not isinstance(runs, Mapping) or not all(
            isinstance(display, CollapseTrajectoryDisplay) for display in runs.values()
        ):
            msg = (
                "from_runs expected displays by name, such as "
                f"{{'seed 0': display, ...}}, got {runs!r:.200}."
            )
            raise TypeError(msg)
        found = {
            ", ".join(filter(None, (str(name), inner))): run
            for name, display in runs.items()
            for inner, run in display.runs.items()
        }
        if not found or len({run.is_named for run in found.values()}) > 1:
            what = "numbers as epochs in some and names in others" if found else "none"
            msg = f"from_runs expected runs with epochs of one kind, got {what}."
            raise ValueError(msg)
        return cls._of(found)

    @classmethod
    def _of(cls, runs: dict[str, Run]) -> Self:
        self = cls.__new__(cls)
        self.runs = runs
        return self

    # Numbers -------------------------------------------------------------------

    @property
    def epochs(self) -> np.ndarray:
        """Epochs of the only run, (n_reports,)."""
        return self._only("epochs").epochs

    @property
    def train(self) -> Columns:
        """Values of the only run on the training samples, by key."""
        return self._only("train").train

    @property
    def held_out(self) -> Columns:
        """Values of the only run on held-out samples, by key."""
        return self._only("held_out").held_out

    @property
    def train_error(self) -> Columns:
        """Standard errors of `train`, by key."""
        return self._only("train_error").train_error

    @property
    def held_out_error(self) -> Columns:
        """Standard errors of `held_out`, by key."""
        return self._only("held_out_error").held_out_error

    def _only(self, name: str) -> Run:
        if len(self.runs) > 1:
            first = next(iter(self.runs))
            msg = (
                f"This display has {len(self.runs)} runs: take display.runs[{first!r}]"
                f".{name}, for example."
            )
            raise AttributeError(msg)
        return next(iter(self.runs.values()))

    @documented(NCReport.to_frame)
    def frame(self, backend: str = "pandas") -> Any:
        """
        Return the numbers as a data frame.

        Returns
        -------
        DataFrame
            One row a value: "run" (empty if there is one), "epoch", "samples" ("train"
            or "held-out"), "metric", "value" and "standard_error" (NaN without one).
        """
        rows = [row for name, run in self.runs.items() for row in run.rows(name)]
        return data_frame(_COLUMNS, rows, backend, "CollapseTrajectoryDisplay.frame")

    # Drawing -------------------------------------------------------------------

    def plot(
        self,
        ax: Any = None,
        *,
        metrics: str | Iterable[str] | None = None,
        epoch_scale: Literal["linear", "log"] = "linear",
        value_scale: Literal["auto", "linear", "log"] = "auto",
        xlabel: str | None = None,
        labels: Literal["formula", "key"] = "formula",
        bands: bool = True,
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """
        Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One to divide into panels, or one for each panel; of more, those that are
            empty are hidden. By default a new figure is made.
        metrics : str or iterable of str, default=None
            Keys and groups such as "NC1" to draw, a panel for each key, or "all". By
            default ``nc1_pinv``, ``nc2_equinorm``, ``nc2_equiangular``,
            ``nc3_self_duality``, ``nc4_mismatch`` and ``nc4_head_accuracy``, those that
            any of the reports has.
        epoch_scale : {"linear", "log"}, default="linear"
            Of the horizontal axis.
        value_scale : {"auto", "linear", "log"}, default="auto"
            Of the vertical axes. "auto" takes a logarithm for metrics that fall to 0 at
            collapse, if all values are above 0 and span a factor of 3, except for
            shares of samples.
        xlabel : str, default=None
            Of the horizontal axis, such as "step" or "layer". By default "epoch", or
            nothing if epochs are names.
        labels : {"formula", "key"}, default="formula"
            What vertical axes show: a formula, of common metrics, or the key.
        bands : bool, default=True
            Whether to draw standard errors, where there are some, as bands of one error
            to either side.
        line_kw : mapping, default=None
            Passed to every `matplotlib.axes.Axes.plot`. A label becomes the name of the
            run in legends.

        Returns
        -------
        CollapseTrajectoryDisplay
            Itself, with `axes_`, `figure_` and `keys_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a metric is not in the reports, `ax` has too few axes, or a scale or kind
            of label does not exist.

        Notes
        -----
        A metric with a ``_head`` twin shares its panel. Held-out curves are left out
        where they equal those of training, as for all that is of the class means only.
        The dotted line is the first epoch whose report has no training error. A legend
        explains each curve once, in the first panel that has it.
        """
        require_matplotlib("CollapseTrajectoryDisplay.plot")
        check_choice("epoch_scale", epoch_scale, ("linear", "log"))
        check_choice("value_scale", value_scale, ("auto", "linear", "log"))
        check_choice("labels", labels, ("formula", "key"))
        known = {key for run in self.runs.values() for key in run.keys}
        self.keys_ = chosen_keys(metrics, known)
        self.figure_, self.axes_ = make_panels(ax, len(self.keys_))
        lines = _curves.Lines.of(self.runs, line_kw or {})
        if lines.names and epoch_scale == "log":
            msg = 'epoch_scale="log" takes numbers as epochs, got names.'
            raise ValueError(msg)
        for panel, key in zip(self.axes_, self.keys_, strict=True):
            self._decorate(panel, key, labels, xlabel)
            lines.draw(panel, key, value_scale, bands=bands)
            if lines.names:
                _scales.name_epochs(panel, lines.names)
            else:
                _scales.set_epoch_scale(panel, lines.all_places, epoch_scale)
        _curves.add_legends(self.axes_, lines.explained_runs)
        return self

    def _decorate(self, panel: Any, key: str, labels: str, xlabel: str | None) -> None:
        """Write the title and the names of the axes."""
        conventions = {run.convention for run in self.runs.values()}
        shared = conventions.pop() if len(conventions) == 1 else None
        named = next(iter(self.runs.values())).is_named
        panel.set_title(title(key), loc="left", fontsize=10)
        panel.set_xlabel(("" if named else "epoch") if xlabel is None else xlabel)
        panel.set_ylabel(key if labels == "key" else axis_label(key, shared))
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.9", linewidth=0.8)
        panel.set_axisbelow(True)
