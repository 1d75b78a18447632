"""The figure: three classes at the first and last epoch, and curves in between."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sknc.cli.demo._settings import N_HIDDEN_LAYERS, DemoSettings
from sknc.plotting import CollapseTrajectoryDisplay, SimplexProjectionDisplay

_INCHES = (15, 6.8)
_WIDTHS = (1, 2.6)  # of planes and curves


def save_figure(
    trajectory: CollapseTrajectoryDisplay,
    planes: Mapping[int, SimplexProjectionDisplay],
    settings: DemoSettings,
    path: Path,
) -> None:
    """Draw the planes next to the curves, and save the figure."""
    # Not pyplot, which would keep the figure and may need a display.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=_INCHES, layout=layout)
    parts: Any = figure.subfigures(1, 2, width_ratios=_WIDTHS)
    _draw_planes(parts[0], planes)
    trajectory.plot(parts[1].add_subplot(), epoch_scale="log")
    title = "Neural collapse of a small network on handwritten digits"
    details = (
        f"{N_HIDDEN_LAYERS} hidden layers of {settings.width}, seed {settings.seed}"
    )
    figure.suptitle(f"{title} ({details})", fontsize=14)
    figure.savefig(path, dpi=100)


def _draw_planes(figure: Any, planes: Mapping[int, SimplexProjectionDisplay]) -> None:
    """Draw the planes below each other, with the same scale and one legend."""
    axes = figure.subplots(len(planes), 1, sharex=True, sharey=True, squeeze=False)
    bottom, top = [], []
    for ax, (epoch, plane) in zip(axes[:, 0], planes.items(), strict=True):
        plane.plot(ax=ax, legend=False)
        ax.set_title(f"Digits 0, 1 and 2 at epoch {epoch}", fontsize=10)
        bottom.append(ax.get_ylim()[0])
        top.append(ax.get_ylim()[1])
    axes[0, 0].set_ylim(min(bottom), max(top))
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 8}
    figure.legend(*axes[0, 0].get_legend_handles_labels(), ncols=3, **style)


def check_output(path: Path) -> Path:
    """Check the output file before training, not after it."""
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        msg = (
            f"The figure's file name must end in one of .{', .'.join(formats)}, got "
            f"{str(path)!r}."
        )
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"The figure's folder {str(path.parent)!r} does not exist. Create it."
        raise ValueError(msg)
    return path
