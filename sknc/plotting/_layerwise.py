"""`LayerwiseDisplay`: metrics against depth."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np

from sknc._utils.docstrings import documented
from sknc.plotting._runs import Run, run_of_reports
from sknc.plotting._trajectory import CollapseTrajectoryDisplay
from sknc.report.layerwise_report import LayerwiseReport

_MISMATCH = "layer_ncc_mismatch"
# Total length of names that do not fit under a panel even if slanted.
_MANY_LETTERS = 120
_MOST_TICKS = 12
_DEFAULT_KEYS = ("nc1_fuzziness", "nc1_cdnv", "nc4_ncc_accuracy", _MISMATCH)


@documented(CollapseTrajectoryDisplay)
class LayerwiseDisplay:
    """
    Metrics of the layers of a model against depth, one panel per metric.

    Create it with `from_report`; draw it with `plot`.

    Parameters
    ----------
    report : LayerwiseReport
        Reports of the layers.

    Attributes
    ----------
    report : LayerwiseReport
        Reports of the layers.

    Raises
    ------
    TypeError
        If `report` is another object.

    See Also
    --------
    CollapseTrajectoryDisplay : The same during training.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import LayerwiseDisplay, LayerwiseReport, NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> reports = {
    ...     f"layer{p}": NeuralCollapseAnalyzer().fit(X**p, y).score(X**p, y)
    ...     for p in (1, 2)
    ... }
    >>> display = LayerwiseDisplay.from_report(LayerwiseReport(reports))
    >>> display.plot().figure_.savefig("layers.png")  # doctest: +SKIP
    """

    axes_: np.ndarray
    figure_: Any
    keys_: list[str]

    def __init__(self, report: LayerwiseReport) -> None:
        if not isinstance(report, LayerwiseReport):
            msg = (
                "report must be a LayerwiseReport, such as from "
                f"sknc.torch.analyze_layers, got {type(report).__name__}."
            )
            raise TypeError(msg)
        self.report = report

    @classmethod
    def from_report(cls, report: LayerwiseReport) -> Self:
        """
        Create a display of a report.

        Parameters
        ----------
        report : LayerwiseReport
            Reports of the layers.

        Returns
        -------
        LayerwiseDisplay
            Not yet drawn.

        Raises
        ------
        TypeError
            If `report` is another object.
        """
        return cls(report)

    @documented(CollapseTrajectoryDisplay.plot)
    def plot(
        self,
        ax: Any = None,
        *,
        metrics: str | Iterable[str] | None = None,
        value_scale: Literal["auto", "linear", "log"] = "auto",
        labels: Literal["formula", "key"] = "formula",
        line_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """
        Draw the metrics.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of Axes, default=None
            One axes to divide into panels, or one for each panel. By default a new
            figure.
        metrics : str or iterable of str, default=None
            Keys and groups such as "NC1", with one panel per key, or "all"; also
            "layer_ncc_mismatch". By default those of ``nc1_fuzziness``, ``nc1_cdnv``,
            ``nc4_ncc_accuracy`` and ``layer_ncc_mismatch`` that the report has.

        Returns
        -------
        LayerwiseDisplay
            The display itself, with `axes_`, `figure_` and `keys_`.

        Notes
        -----
        ``nc1_fuzziness`` is a logarithm: where the law of data separation holds, it
        falls along a straight line. If the names of layers do not fit under the panels,
        their positions in ``report.layers`` are shown.
        """
        # A model that is its own only layer has an empty name.
        names = [name or "model" for name in self.report.layers]
        run = self._run(names)
        if metrics is None:
            metrics = [key for key in _DEFAULT_KEYS if key in run.keys] or None
        drawn = CollapseTrajectoryDisplay._of({"": run}).plot(
            ax,
            metrics=metrics,
            value_scale=value_scale,
            labels=labels,
            xlabel="layer",
            line_kw=line_kw,
        )
        if sum(map(len, names)) > _MANY_LETTERS:
            for panel in drawn.axes_:
                _number_layers(panel, len(names))
        self.figure_, self.axes_, self.keys_ = drawn.figure_, drawn.axes_, drawn.keys_
        return self

    def _run(self, names: list[str]) -> Run:
        report = self.report
        held_out = None if report.held_out is None else report.held_out.values()
        run = run_of_reports(names, report.train.values(), held_out)
        if report.train_mismatch is not None:
            shares = {_MISMATCH: report.train_mismatch}
            run = replace(run, train=run.train | shares)
        if report.held_out_mismatch is not None:
            shares = {_MISMATCH: report.held_out_mismatch}
            run = replace(run, held_out=run.held_out | shares)
        return run


def _number_layers(panel: Any, n_layers: int) -> None:
    """Label layers by position if their names do not fit."""
    places = range(0, n_layers, math.ceil(n_layers / _MOST_TICKS))
    panel.set_xticks(places, [str(place) for place in places])
    panel.tick_params("x", rotation=0)
    for label in panel.get_xticklabels():
        label.set(ha="center", rotation_mode="default")
    panel.set_xlabel("position of the layer, from 0")
