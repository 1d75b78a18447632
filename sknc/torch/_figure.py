"""The figure of one analysis: all metrics that are zero at collapse, on one axis."""

from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.metrics import TABLE
from sknc.report import NCReport

# Distinct in shape and lightness, so also in grayscale.
_LOOKS: dict[str, dict[str, Any]] = {
    "train": {"marker": "o", "color": "#1b3a6b"},
    "held out": {
        "marker": "D",
        "color": "#e08214",
        "markerfacecolor": "none",
        "markersize": 9,
        "markeredgewidth": 1.5,
    },
}
_ROW = 0.26  # inches


def draw(train: NCReport, held_out: NCReport | None, ax: Any = None) -> Any:
    """Draw the metrics of two reports that are zero at collapse; return the axes."""
    with required("Analysis.plot()", "matplotlib", "plot"):
        import matplotlib.pyplot as plt
    reports = {"train": train, "held out": held_out}
    shown = {name: report for name, report in reports.items() if report is not None}
    keys = [key for key in train.keys() if _is_shown(key, train)]  # noqa: SIM118
    if ax is None:
        size = (6.4, 1.3 + _ROW * len(keys))
        _, ax = plt.subplots(figsize=size, layout="constrained")
    rows = np.arange(len(keys))
    values = {name: _values(report, keys) for name, report in shown.items()}
    if held_out is not None:  # NC0, NC2 and NC3 depend on the fitted class means only
        own = [TABLE[key].needs_scored_samples for key in keys]
        values["held out"] = np.where(own, values["held out"], np.nan)
    left = _left_end(np.concatenate(list(values.values())))
    for name, numbers in values.items():
        _draw_report(ax, name, numbers, rows, left)
    ax.set_yticks(rows, keys)
    ax.set_ylim(len(keys) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.set_xlabel("value (0 at collapse, at the left)")
    ax.set_title(
        f"{train.n_samples} samples, {train.n_classes} classes, "
        f"{train.n_features} features",
        fontsize="medium",
    )
    ax.grid(axis="both", color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if len(shown) > 1:
        ax.figure.legend(
            *ax.get_legend_handles_labels(), loc="outside lower center", ncols=2
        )
    return ax


def _is_shown(key: str, report: NCReport) -> bool:
    return TABLE[key].ideal == 0 and bool(np.isfinite(report[key]))


def _values(report: NCReport, keys: list[str]) -> np.ndarray:
    found = report.to_dict()
    return np.array([found.get(key, np.nan) for key in keys], dtype=float)


def _left_end(values: np.ndarray) -> float:
    """Return where zeros are drawn: left of all other values."""
    positive = values[np.isfinite(values) & (values > 0)]
    return float(positive.min()) / 3 if len(positive) else 0.1


def _draw_report(
    ax: Any, name: str, numbers: np.ndarray, rows: np.ndarray, left: float
) -> None:
    """Draw one marker per metric; zeros at the left end, with an arrow."""
    ax.plot(
        np.where(numbers > 0, numbers, np.nan),
        rows,
        linestyle="none",
        label=name,
        **_LOOKS[name],
    )
    zeros = rows[numbers <= 0]
    if len(zeros):
        looks = {**_LOOKS[name], "marker": "<"}
        ax.plot(np.full(len(zeros), left), zeros, linestyle="none", **looks)
        for row in zeros:
            ax.annotate(
                "0", (left, row), xytext=(5, -3), textcoords="offset points", fontsize=7
            )
