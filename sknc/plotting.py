"""`CollapseTrajectoryDisplay`: how the metrics move as a network trains."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np

from sknc.metrics import TABLE
from sknc.report import NCReport

_TITLES = {
    "nc1_pinv": "within-class variability",
    "nc2_equinorm": "unequal norms",
    "nc2_equiangular": "unequal angles",
    "nc3_self_duality": "distance of head from means",
    "nc4_mismatch": "head differs from nearest center",
    "nc4_head_accuracy": "accuracy of the head",
}
# Okabe and Ito's colors, which readers with color blindness tell apart.
_STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": "#0072B2", "marker": "o"},
    "head": {"color": "#009E73", "marker": "D", "linestyle": "--"},
    "held-out": {"color": "#D55E00", "marker": "s"},
}
_PANEL_INCHES = (4.0, 3.0)


class CollapseTrajectoryDisplay:
    """
    Curves of neural collapse metrics over training, one panel a property.

    Make it with `from_reports`; draw it with `plot`. Drawn in the manner of Papyan,
    Han and Donoho [1]_: every property of neural collapse has its own axes, on which
    collapse is at the bottom.

    Parameters
    ----------
    epochs : array-like of shape (n_reports,)
        When each report was made: epochs, steps, or any number that grows.
    train : mapping of str to array-like of shape (n_reports,)
        Values on the training samples by key of the metric.
    held_out : mapping of str to array-like of shape (n_reports,), default=None
        Values on held-out samples by key of the metric.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        The panels, once `plot` was called.
    figure_ : matplotlib Figure
        The figure that holds them.
    keys_ : list of str
        The metric of each panel.

    See Also
    --------
    NeuralCollapseAnalyzer : Makes the reports.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

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
    ) -> None:
        self.epochs = np.asarray(epochs)
        self.train = _columns(train, "train", len(self.epochs))
        self.held_out = _columns(held_out or {}, "held_out", len(self.epochs))

    @classmethod
    def from_reports(
        cls,
        epochs: Iterable[float],
        reports: Iterable[NCReport],
        held_out: Iterable[NCReport] | None = None,
    ) -> Self:
        """
        Collect the numbers of reports.

        Parameters
        ----------
        epochs : iterable of float
            When each report was made.
        reports : iterable of NCReport
            Of the training samples, one an epoch.
        held_out : iterable of NCReport, default=None
            Of held-out samples, one an epoch.

        Returns
        -------
        CollapseTrajectoryDisplay
            Not drawn yet. A metric that some of the reports lack is NaN there.

        Raises
        ------
        ValueError
            If there are not as many reports as epochs, or none.
        """
        times = list(epochs)
        train = _collect(reports, "reports", len(times))
        other = None if held_out is None else _collect(held_out, "held_out", len(times))
        return cls(times, train, other)

    def frame(self, backend: str = "pandas") -> Any:
        """
        Return the numbers as a data frame.

        Parameters
        ----------
        backend : str, default="pandas"
            "pandas", "polars" or another library that narwhals knows.

        Returns
        -------
        DataFrame
            One row a value: "epoch", "samples" ("train" or "held-out"), "metric" and
            "value".

        Raises
        ------
        ImportError
            If narwhals or the backend is not installed.
        """
        rows = [
            (epoch, samples, key, value)
            for samples, columns in (("train", self.train), ("held-out", self.held_out))
            for key, values in columns.items()
            for epoch, value in zip(self.epochs.tolist(), values.tolist(), strict=True)
        ]
        names = ("epoch", "samples", "metric", "value")
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        try:
            import narwhals

            return narwhals.from_dict(columns, backend=backend).to_native()
        except ImportError as error:
            msg = (
                f"CollapseTrajectoryDisplay.frame(backend={backend!r}) requires "
                f"narwhals and {backend}: pip install 'sknc[frame]'."
            )
            raise ImportError(msg) from error

    def plot(
        self,
        ax: Any = None,
        *,
        metrics: Iterable[str] | None = None,
        epoch_scale: Literal["linear", "log"] = "linear",
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """
        Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One to divide into panels, or one for each panel. By default a new figure
            is made.
        metrics : iterable of str, default=None
            Keys to draw, one panel each. By default ``nc1_pinv``, ``nc2_equinorm``,
            ``nc2_equiangular``, ``nc3_self_duality``, ``nc4_mismatch`` and
            ``nc4_head_accuracy``, those that any of the reports has.
        epoch_scale : {"linear", "log"}, default="linear"
            Of the horizontal axis.
        line_kw : mapping, default=None
            Passed to every `matplotlib.axes.Axes.plot`.

        Returns
        -------
        CollapseTrajectoryDisplay
            Itself, with `axes_`, `figure_` and `keys_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If a metric is not in the reports, or `ax` has too few axes.

        Notes
        -----
        A metric with a ``_head`` twin shares its panel. Held-out curves are left out
        where they equal those of training, as for all that is of the class means only.
        The dotted line is the first epoch whose report has no training error.
        """
        _require_matplotlib()
        self.keys_ = self._chosen(metrics)
        self.figure_, self.axes_ = _panels(ax, len(self.keys_))
        for panel, key in zip(self.axes_, self.keys_, strict=True):
            self._draw(panel, key, dict(line_kw or {}))
            self._mark_terminal_phase(panel, key)
            _set_epoch_scale(panel, self.epochs, epoch_scale)
            if panel.get_legend_handles_labels()[1] not in ([], ["train"]):
                panel.legend(frameon=False, fontsize=9)
        return self

    def _chosen(self, metrics: Iterable[str] | None) -> list[str]:
        known = self.train | self.held_out
        keys = [*_TITLES] if metrics is None else list(metrics)
        held = [key for key in keys if key in known]
        if metrics is None:
            return held or [*known]
        if not keys or len(held) < len(keys):
            wrong = [key for key in keys if key not in known]
            msg = (
                f"metrics must be keys of the reports, got {wrong}. The reports have: "
                f"{', '.join(known)}."
            )
            raise ValueError(msg)
        return keys

    def _curves(self, key: str) -> dict[str, tuple[str, np.ndarray]]:
        """Return label and values by style of the curves of a panel."""
        curves: dict[str, tuple[str, np.ndarray]] = {}
        twin = self.train.get(f"{key}_head")
        if key in self.train:
            curves["train"] = (
                "train" if twin is None else "class means",
                self.train[key],
            )
        if twin is not None:
            curves["head"] = ("head", twin)
        other = self.held_out.get(key)
        if other is not None and not _same(other, self.train.get(key)):
            curves["held-out"] = ("held-out", other)
        return curves

    def _draw(self, panel: Any, key: str, options: dict[str, Any]) -> None:
        curves = self._curves(key)
        for style, (label, values) in curves.items():
            look = {"linewidth": 1.6, "markersize": 4, **_STYLES[style], **options}
            panel.plot(self.epochs, values, label=label, **look)
        _label(panel, key)
        values = np.concatenate([values for _, values in curves.values()])
        _set_value_scale(panel, key, values)

    def _mark_terminal_phase(self, panel: Any, key: str) -> None:
        accuracy = self.train.get("nc4_head_accuracy", np.zeros(0))
        reached = np.flatnonzero(accuracy == 1)
        if len(reached):
            style = {"color": "0.45", "linewidth": 1.2, "linestyle": ":", "zorder": 1}
            # Said once, on the panel that shows it.
            label = "no training error" if key == "nc4_head_accuracy" else None
            panel.axvline(self.epochs[reached[0]], label=label, **style)


def _label(panel: Any, key: str) -> None:
    title = _TITLES.get(key, "")
    if key in TABLE and TABLE[key].lower_is_collapsed is not None:
        title = f"{TABLE[key].group}  {title}"
    panel.set_title(title[:1].upper() + title[1:], loc="left", fontsize=11)
    panel.set(xlabel="epoch", ylabel=key)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="0.9", linewidth=0.8)
    panel.set_axisbelow(True)


def _collect(
    reports: Iterable[NCReport], name: str, expected: int
) -> dict[str, list[float]]:
    found = list(reports)
    if not found or len(found) != expected:
        msg = (
            f"Expected one report an epoch, and at least one: got {expected} epochs "
            f"and {len(found)} {name}."
        )
        raise ValueError(msg)
    tables = [report.to_dict() for report in found]
    keys = dict.fromkeys(key for table in tables for key in table)
    return {key: [table.get(key, math.nan) for table in tables] for key in keys}


def _columns(
    values: Mapping[str, Any], name: str, expected: int
) -> dict[str, np.ndarray]:
    columns = {key: np.asarray(column, float) for key, column in values.items()}
    for key, column in columns.items():
        if column.shape != (expected,):
            msg = (
                f"{name}[{key!r}] must have one value an epoch, shape ({expected},): "
                f"got {column.shape}."
            )
            raise ValueError(msg)
    return columns


def _same(one: np.ndarray, other: np.ndarray | None) -> bool:
    return other is not None and np.allclose(one, other, 1e-9, 0, equal_nan=True)


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        msg = (
            "CollapseTrajectoryDisplay.plot requires matplotlib: "
            "pip install 'sknc[plot]'."
        )
        raise ImportError(msg) from error


def _panels(ax: Any, n_panels: int) -> tuple[Any, np.ndarray]:
    """Return the figure and the axes to draw on."""
    n_columns = min(3, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    if isinstance(ax, (np.ndarray, Sequence)):
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) < n_panels:
            msg = (
                f"ax must be one Axes or at least {n_panels}, one a panel: got "
                f"{len(axes)}. Choose fewer panels with metrics=."
            )
            raise ValueError(msg)
        return axes[0].figure, axes[:n_panels]
    if ax is None:
        from matplotlib import pyplot

        size = (_PANEL_INCHES[0] * n_columns, _PANEL_INCHES[1] * n_rows)
        figure = pyplot.figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    else:
        figure, place = ax.figure, ax.get_subplotspec()
        if place is None:
            msg = (
                "ax must be in a grid to be divided into panels, as plt.subplots and "
                "figure.add_subplot make it; this Axes was placed by hand."
            )
            raise ValueError(msg)
        ax.set_axis_off()
        grid = place.subgridspec(n_rows, n_columns)
    cells = [grid[divmod(index, n_columns)] for index in range(n_panels)]
    return figure, np.array([figure.add_subplot(cell) for cell in cells], dtype=object)


def _set_epoch_scale(panel: Any, epochs: np.ndarray, scale: str) -> None:
    if scale not in ("linear", "log"):
        msg = f'epoch_scale must be "linear" or "log", got {scale!r}.'
        raise ValueError(msg)
    if scale == "log":
        # An epoch 0, before training, has its place left of 1.
        options = {"linthresh": 1} if min(epochs) < 1 else {}
        panel.set_xscale("symlog" if options else "log", **options)
        panel.xaxis.set_major_formatter("{x:g}")


def _set_value_scale(panel: Any, key: str, values: np.ndarray) -> None:
    """Take a logarithm if there is one, else keep the ideal value in sight."""
    row = TABLE.get(key)
    if row is not None and row.group == "NC1" and np.any(values > 0):
        panel.set_yscale("log", nonpositive="mask")
    elif row is not None and row.ideal == 0:
        finite = values[np.isfinite(values)]
        top = float(finite.max(initial=0)) or 1.0
        panel.set_ylim(-0.04 * top, 1.06 * top)
