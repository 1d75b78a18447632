"""Curves, bands, marks and legends of a panel; `_style` has their colors by part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc.plotting._runs import Curve, Run
from sknc.plotting._scales import set_value_limits, set_value_scale
from sknc.plotting._style import BY_LINE, BY_PART, COLORS, say_nothing

_LINE: dict[str, Any] = {"linewidth": 1.6, "markersize": 4}
_BAND: dict[str, Any] = {"alpha": 0.2, "linewidth": 0}
_MARK: dict[str, Any] = {"linewidth": 1.2, "linestyle": ":", "zorder": 1}
# If there is no room next to the curves, names stay readable on top of them.
_LEGEND: dict[str, Any] = {"fontsize": 9, "framealpha": 0.8, "edgecolor": "none"}
_DEEPEST_BAND = 10  # factor below the curve, on a logarithmic axis
_NO_ERROR = "no training error"


@dataclass(frozen=True, eq=False)
class Lines:
    """The curves of a figure."""

    runs: dict[str, Run]
    colors: dict[str, Any]  # by name of the run; None for a single run
    options: dict[str, Any]  # keyword arguments of the caller for every line
    names: list[str]  # epochs that are names, in order; empty for numbers

    @classmethod
    def of(cls, runs: dict[str, Run], line_kw: Mapping[str, Any]) -> "Lines":
        """Assign a color to each run."""
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D

        colors = dict(zip(runs, _run_colors(len(runs)), strict=True))
        named = [run.epochs.tolist() for run in runs.values() if run.is_named]
        names = list(dict.fromkeys(name for epochs in named for name in epochs))
        return cls(runs, colors, normalize_kwargs(dict(line_kw), Line2D), names)

    @property
    def explained_runs(self) -> dict[str, Any]:
        """Colors by name, if there are several runs."""
        return self.colors if len(self.runs) > 1 else {}

    @property
    def all_places(self) -> np.ndarray:
        """Horizontal positions of all points of the curves."""
        return np.concatenate([self._places(run) for run in self.runs.values()])

    def _places(self, run: Run) -> np.ndarray:
        if not self.names:
            return run.epochs
        return np.array([self.names.index(name) for name in run.epochs.tolist()])

    def draw(self, panel: Any, key: str, scale: str, *, bands: bool) -> None:
        """Draw the curves of a metric, its bands and marks, and scale its axis."""
        curves = [
            (name, self._places(run), curve)
            for name, run in self.runs.items()
            for curve in run.curves(key)
        ]
        for name, x, curve in curves:
            values = curve.values[curve.measured]
            panel.plot(x[curve.measured], values, **self._style(name, curve.part))
        if not np.isfinite(panel.dataLim.ymin):
            say_nothing(panel, "no finite value:\nsee report.notes")
            panel.set_yticks([])
        # All panels show all epochs.
        panel.update_datalim([(x, 0) for x in self.all_places], updatey=False)
        if not np.isfinite(panel.dataLim.ymin):
            return
        set_value_scale(panel, key, scale)
        for name, x, curve in curves if bands else ():
            _draw_band(panel, x, curve, self._style(name, curve.part)["color"])
        set_value_limits(panel, key)
        for name, run in self.runs.items():
            _draw_mark(panel, run, self.colors[name])

    def _style(self, name: str, part: str) -> dict[str, Any]:
        """Return the style of a curve: from its samples, its run and the caller."""
        color = self.options.get("color", self.colors[name])
        look = BY_PART[part] if color is None else {**BY_LINE[part], "color": color}
        label = ", ".join(filter(None, (self.options.get("label"), name, part)))
        return {**_LINE, **look, **self.options, "label": label}


def _run_colors(n_runs: int) -> list[Any]:
    if n_runs == 1:
        return [None]
    if n_runs <= len(COLORS):
        return list(COLORS[:n_runs])
    from matplotlib import colormaps

    return list(colormaps["viridis"](np.linspace(0, 0.92, n_runs)))


def _draw_band(panel: Any, x: np.ndarray, curve: Curve, color: Any) -> None:
    """Draw the standard errors around a curve, if there are any."""
    if curve.errors is None or not np.isfinite(curve.errors).any():
        return
    at = curve.measured
    values, errors = curve.values[at], curve.errors[at]
    low, high = values - errors, values + errors
    if panel.get_yscale() == "log":  # a band down to 0 would leave no room for curves
        low = np.maximum(low, values / _DEEPEST_BAND)
    panel.fill_between(x[at], low, high, color=color, **_BAND)


def _draw_mark(panel: Any, run: Run, color: Any) -> None:
    """Mark the first epoch without training errors with a dotted line."""
    epoch = run.first_without_error()
    if epoch is not None:
        look = {"color": "0.45" if color is None else color, **_MARK}
        panel.axvline(epoch, label=_NO_ERROR, **look)


def add_legends(panels: Iterable[Any], runs: Mapping[str, Any]) -> None:
    """Explain every label once, on the first panel that has it, and the runs."""
    seen: set[str] = set()
    for panel in panels:
        found = _entries(panel, runs)
        new = {label: line for label, line in found.items() if label not in seen}
        seen |= new.keys()
        if set(new) - {"train"}:
            panel.legend(new.values(), new.keys(), **_LEGEND)
        elif panel.get_legend() is not None:
            panel.get_legend().remove()


def _entries(panel: Any, runs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the handle of each label; of several runs, runs and samples separately."""
    handles, labels = panel.get_legend_handles_labels()
    if not runs:
        return dict(zip(labels, handles, strict=True))
    from matplotlib.lines import Line2D

    found = {name: Line2D([], [], color=color, **_LINE) for name, color in runs.items()}
    parts = [p for p in BY_LINE if any(x.endswith(f", {p}") for x in labels)]
    for part in parts if parts != ["train"] else ():
        found[part] = Line2D([], [], color="0.3", **_LINE, **BY_LINE[part])
    if _NO_ERROR in labels:
        found[_NO_ERROR] = Line2D([], [], color="0.45", **_MARK)
    return found
