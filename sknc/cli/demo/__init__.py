"""
The demonstration of ``sknc demo``: neural collapse of a small network in seconds.

Trains a network with three hidden layers on the handwritten digits of scikit-learn,
well past zero training error, and measures its last-layer features at several epochs.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sknc._utils.optional import required
from sknc.cli.demo._figure import check_output, save_figure
from sknc.cli.demo._settings import DemoSettings
from sknc.cli.demo._table import conclusion, format_table
from sknc.cli.demo._training import (
    features,
    load_digits,
    make_model,
    measure,
    one_thread,
    train,
)
from sknc.plotting import CollapseTrajectoryDisplay, SimplexProjectionDisplay

__all__ = [
    "DemoRun",
    "DemoSettings",
    "conclusion",
    "format_table",
    "run_demo",
    "train_and_measure",
]

_CLASSES = (0, 1, 2)  # drawn in their plane


@dataclass(frozen=True, eq=False)
class DemoRun:
    """
    Results of a run.

    Parameters
    ----------
    trajectory : CollapseTrajectoryDisplay
        Reports of all measured epochs.
    planes : dict of int to SimplexProjectionDisplay
        Three classes at the first and at the last epoch.
    """

    trajectory: CollapseTrajectoryDisplay
    planes: dict[int, SimplexProjectionDisplay]


def run_demo(settings: DemoSettings, output: str | Path) -> DemoRun:
    """Train and measure, print a table, and save a figure."""
    _require_libraries()
    path = check_output(Path(output))
    run = train_and_measure(settings, progress=True)
    print(format_table(run.trajectory))
    print(f"\n{conclusion(run.trajectory)}")
    save_figure(run.trajectory, run.planes, settings, path)
    print(f"\nFigure saved to {path.resolve()}")
    return run


def train_and_measure(settings: DemoSettings, *, progress: bool = False) -> DemoRun:
    """Train and measure; restore torch's random state and threads at the end."""
    place = _check_device(settings.device)
    samples, held_out = load_digits(settings, place)
    measured, pairs, planes = settings.measured_epochs(), [], {}
    with one_thread():
        model = make_model(settings).to(place)
        epochs = train(model, *samples, settings)
        for epoch in _with_bar(epochs, settings.epochs) if progress else epochs:
            if epoch not in measured:
                continue
            analysis = measure(model, samples, held_out, settings.batch_size)
            pairs.append((analysis.train, analysis.held_out))
            if epoch in (1, settings.epochs):
                planes[epoch] = _plane(analysis.analyzer, model, *samples)
    trajectory = CollapseTrajectoryDisplay.from_reports(
        measured, *zip(*pairs, strict=True)
    )
    return DemoRun(trajectory, planes)


def _plane(analyzer: Any, model: Any, X: Any, y: Any) -> SimplexProjectionDisplay:
    """Project samples of three classes onto the plane of their class means."""
    place = SimplexProjectionDisplay.from_estimator
    return place(analyzer, features(model, X), y, classes=_CLASSES)


def _with_bar(epochs: Iterator[int], total: int) -> Iterator[int]:
    from tqdm import tqdm

    bar: Iterator[int] = tqdm(
        epochs, desc="Training", total=total, unit="epoch", file=sys.stderr
    )
    return bar


def _require_libraries() -> None:
    with required("sknc demo", "torch, matplotlib and tqdm", "demo"):
        for name in ("torch", "matplotlib", "tqdm"):
            import_module(name)


def _check_device(name: str) -> Any:
    import torch

    try:
        probe = torch.zeros(1, device=name)
        probe.tolist()  # tensors on "meta" have no data
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        msg = (
            f'device must be available to torch, such as "cpu" or "cuda", got {name!r}.'
        )
        raise ValueError(msg) from error
    return probe.device
