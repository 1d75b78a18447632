"""`CollapseTrajectoryDisplay`: metrics over the course of training."""

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
    Curves of neural collapse metrics over training, one panel per property.

    Create it with `from_reports`, or from several runs with `from_runs`; draw it with
    `plot`. As in Papyan, Han and Donoho [1]_, every property of neural collapse has its
    own axes, with collapse at the bottom.

    Parameters
    ----------
    epochs : array-like of shape (n_reports,)
        When each report was made: epochs, steps, or any increasing number. Or names,
        such as those of layers, which are drawn in order at equal distances.
    train : mapping of str to array-like of shape (n_reports,)
        Values on the training samples, by key of the metric.
    held_out : mapping of str to array-like of shape (n_reports,), default=None
        Values on held-out samples, by key of the metric.
    train_error : mapping of str to array-like of shape (n_reports,), default=None
        Standard errors of `train`, drawn as bands.
    held_out_error : mapping of str to array-like of shape (n_reports,), default=None
        Standard errors of `held_out`.

    Attributes
    ----------
    runs : dict of str to object
        The values of each run by its name, with `epochs`, `train`, `held_out`,
        `train_error` and `held_out_error`. The name is empty if there is one run.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        The panels, once `plot` was called.
    figure_ : matplotlib Figure
        The figure of the panels.
    keys_ : list of str
        The metric of each panel.

    See Also
    --------
    NeuralCollapseAnalyzer : Computes the reports.

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
        Collect the values of reports.

        Parameters
        ----------
        epochs : iterable of float or of str
            When each report was made, or a name for it, such as that of a layer.
        reports : iterable of NCReport or None
            Reports on the training samples, one per epoch; None where there is none.
        held_out : iterable of NCReport or None, default=None
            Reports on held-out samples, one per epoch; None where there is none.

        Returns
        -------
        CollapseTrajectoryDisplay
            Not yet drawn. A metric is NaN where a report lacks it.

        Raises
        ------
        TypeError
            If an item is not a report, or if epochs are a set, or neither all numbers
            nor all names.
        ValueError
            If the numbers of reports and epochs differ, there are no reports, or an
            epoch is not finite.
        """
        return cls._of({"": run_of_reports(epochs, reports, held_out)})

    @classmethod
    def from_runs(cls, runs: "Mapping[str, CollapseTrajectoryDisplay]") -> Self:
        """
        Show several runs, such as seeds or models, in one figure.

        Parameters
        ----------
        runs : mapping of str to CollapseTrajectoryDisplay
            Displays by the name in the legend.

        Returns
        -------
        CollapseTrajectoryDisplay
            Not yet drawn. Runs differ in color, their samples in line style.

        Raises
        ------
        TypeError
            If `runs` is not a mapping of names to displays.
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
                f"This display has {len(self.runs)} runs. Choose one, for example "
                f"display.runs[{first!r}].{name}."
            )
            raise AttributeError(msg)
        return next(iter(self.runs.values()))

    @documented(NCReport.to_frame)
    def frame(self, backend: str = "pandas") -> Any:
        """
        Return the values as a data frame.

        Returns
        -------
        DataFrame
            One row per value: "run" (empty if there is one), "epoch", "samples"
            ("train" or "held-out"), "metric", "value" and "standard_error" (NaN if
            unknown).
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
            One axes to divide into panels, or one for each panel; further empty axes
            are hidden. By default a new figure.
        metrics : str or iterable of str, default=None
            Keys and groups such as "NC1", with one panel per key, or "all". By default
            those of ``nc1_pinv``, ``nc2_equinorm``, ``nc2_equiangular``,
            ``nc3_self_duality``, ``nc4_mismatch`` and ``nc4_head_accuracy`` that any
            report has.
        epoch_scale : {"linear", "log"}, default="linear"
            Scale of the horizontal axis.
        value_scale : {"auto", "linear", "log"}, default="auto"
            Scale of the vertical axes. "auto" is logarithmic for metrics that fall to 0
            at collapse, except shares of samples, if all values are above 0 and span a
            factor of 3.
        xlabel : str, default=None
            Label of the horizontal axis, such as "step" or "layer". By default "epoch",
            or none if epochs are names.
        labels : {"formula", "key"}, default="formula"
            Labels of vertical axes: formulas, for common metrics, or keys.
        bands : bool, default=True
            Whether to draw standard errors, if there are any, as bands of one error on
            each side.
        line_kw : mapping, default=None
            Passed to every `matplotlib.axes.Axes.plot`. A label becomes the name of the
            run in legends.

        Returns
        -------
        CollapseTrajectoryDisplay
            The display itself, with `axes_`, `figure_` and `keys_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a metric is not in the reports, `ax` has too few axes, or a scale or kind
            of label is invalid.

        Notes
        -----
        A metric with a ``_head`` twin shares its panel. Held-out curves are omitted
        where they equal the training curves, as for all metrics of the class means
        only. The dotted line marks the first epoch whose report has no training error.
        A legend explains each curve once, in the first panel that has it.
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
            msg = 'epoch_scale="log" requires numbers as epochs, got names.'
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
        """Set the title and the axis labels."""
        conventions = {run.convention for run in self.runs.values()}
        shared = conventions.pop() if len(conventions) == 1 else None
        named = next(iter(self.runs.values())).is_named
        panel.set_title(title(key), loc="left", fontsize=10)
        panel.set_xlabel(("" if named else "epoch") if xlabel is None else xlabel)
        panel.set_ylabel(key if labels == "key" else axis_label(key, shared))
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="0.9", linewidth=0.8)
        panel.set_axisbelow(True)
