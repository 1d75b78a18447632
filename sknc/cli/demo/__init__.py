"""
Neural collapse of a small network, in seconds: what ``sknc demo`` runs.

Trains a network with three hidden layers on the handwritten digits that come with
scikit-learn, well past the epoch at which it makes no error in training, and measures
its last-layer features on the way.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.cli.demo._table import conclusion, format_table
from sknc.plotting import CollapseTrajectoryDisplay
from sknc.report.nc_report import NCReport

_N_HIDDEN_LAYERS = 3
_N_MEASUREMENTS = 18


@dataclass(frozen=True)
class DemoSettings:
    """Settings of the demonstration; the defaults reach collapse."""

    epochs: int = 300
    seed: int = 0  # of the split, the initial weights and the order of samples
    device: str = "cpu"
    width: int = 256  # of each hidden layer
    batch_size: int = 256
    learning_rate: float = 0.06  # of the first steps
    momentum: float = 0.9
    weight_decay: float = 5e-3  # of every parameter; collapse takes some
    decay: float = 0.3  # factor of the learning rate at each of `decay_at`
    decay_at: tuple[float, ...] = (0.4, 0.6, 0.8)  # shares of `epochs`
    held_out: float = 0.25  # share of the samples

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, value, least in (("epochs", self.epochs, 1), ("seed", self.seed, 0)):
            if value < least:
                msg = f"{name} must be at least {least}, got {value}."
                raise ValueError(msg)

    def measured_epochs(self) -> list[int]:
        """Return the epochs to measure at: nearly geometric, with first and last."""
        spaced = np.geomspace(1, self.epochs, _N_MEASUREMENTS)
        return sorted({round(epoch) for epoch in spaced.tolist()})


def run_demo(settings: DemoSettings, output: str | Path) -> CollapseTrajectoryDisplay:
    """Train and measure, print a table, and save a figure."""
    _require_libraries()
    path = _check_output(Path(output))
    display = train_and_measure(settings, progress=True)
    print(format_table(display))
    print(f"\n{conclusion(display)}")
    _save_figure(display, settings, path)
    print(f"\nFigure saved to {path.resolve()}")
    return display


def train_and_measure(
    settings: DemoSettings, *, progress: bool = False
) -> CollapseTrajectoryDisplay:
    """Train and measure; leave random state and threads of torch as they were."""
    place = _check_device(settings.device)
    train, held_out = _load_digits(settings, place)
    measured = settings.measured_epochs()
    with _one_thread():
        model = _make_model(settings).to(place)
        epochs = _train(model, *train, settings)
        pairs = [
            _measure(model, train, held_out, settings.batch_size)
            for epoch in (_with_bar(epochs, settings.epochs) if progress else epochs)
            if epoch in measured
        ]
    return CollapseTrajectoryDisplay.from_reports(measured, *zip(*pairs, strict=True))


# Training -------------------------------------------------------------------------


def _load_digits(settings: DemoSettings, place: Any) -> list[tuple[Any, Any]]:
    """Return (images, labels) to train on, and held out."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    options = {"test_size": settings.held_out, "random_state": settings.seed}
    parts = train_test_split((X / 16).astype(np.float32), y, stratify=y, **options)
    X_train, X_held_out, y_train, y_held_out = (
        torch.from_numpy(part).to(place) for part in parts
    )
    return [(X_train, y_train), (X_held_out, y_held_out)]


def _make_model(settings: DemoSettings) -> Any:
    """Return a network of two parts, ``body`` and the linear ``head``."""
    import torch
    from torch import nn

    layers: list[Any] = []
    n_inputs, width = 64, settings.width
    # torch fills weights from its global generator: seed it here, then put it back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        for _ in range(_N_HIDDEN_LAYERS):
            linear = nn.Linear(n_inputs, width, bias=False)
            layers += [linear, nn.BatchNorm1d(width), nn.ReLU()]
            n_inputs = width
        parts = {"body": nn.Sequential(*layers), "head": nn.Linear(width, 10)}
    return nn.Sequential(OrderedDict(parts))


def _train(model: Any, X: Any, y: Any, settings: DemoSettings) -> Iterator[int]:
    """Train, and yield the number of each epoch that is over."""
    import torch

    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    milestones = [round(share * settings.epochs) for share in settings.decay_at]
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, milestones, gamma=settings.decay
    )
    generator = torch.Generator().manual_seed(settings.seed)
    for epoch in range(1, settings.epochs + 1):
        order = torch.randperm(len(X), generator=generator).to(X.device)
        _train_epoch(model, X[order], y[order], optimizer, settings.batch_size)
        schedule.step()
        yield epoch


def _train_epoch(model: Any, X: Any, y: Any, optimizer: Any, batch_size: int) -> None:
    from torch.nn.functional import cross_entropy

    model.train()
    for images, labels in zip(X.split(batch_size), y.split(batch_size), strict=True):
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()


def _measure(
    model: Any, train: tuple[Any, Any], held_out: tuple[Any, Any], batch_size: int
) -> tuple[NCReport, NCReport | None]:
    """Report the metrics of both parts about the class means of the first."""
    from sknc.torch import analyze

    loaders = [
        [*zip(*(part.split(batch_size) for part in samples), strict=True)]
        for samples in (train, held_out)
    ]
    analysis = analyze(model, loaders[0], held_out=loaders[1])
    return analysis.train, analysis.held_out


@contextmanager
def _one_thread() -> Iterator[None]:
    """
    Let torch use one thread of the CPU, then as many as before.

    Layers this small gain nothing from more, lose much where other programs run, and
    one thread adds in the same order on machines with any number of cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# Surroundings ---------------------------------------------------------------------


def _with_bar(epochs: Iterator[int], total: int) -> Iterator[int]:
    from tqdm import tqdm

    bar: Iterator[int] = tqdm(
        epochs, desc="Training", total=total, unit="epoch", file=sys.stderr
    )
    return bar


def _save_figure(
    display: CollapseTrajectoryDisplay, settings: DemoSettings, path: Path
) -> None:
    # A Figure of its own: pyplot would keep it, and might look for a screen.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(12, 6.8), layout=layout)
    display.plot(figure.add_subplot(), epoch_scale="log")
    title = "Neural collapse of a small network on handwritten digits"
    details = (
        f"{_N_HIDDEN_LAYERS} hidden layers of {settings.width}, seed {settings.seed}"
    )
    figure.suptitle(f"{title} ({details})", fontsize=14)
    figure.savefig(path, dpi=100)


def _require_libraries() -> None:
    with required("sknc demo", "torch, matplotlib and tqdm", "demo"):
        for name in ("torch", "matplotlib", "tqdm"):
            import_module(name)


def _check_output(path: Path) -> Path:
    """Refuse before training what would fail after it."""
    from matplotlib.figure import Figure

    formats = Figure().canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        msg = (
            f"The figure's file name must end in one of .{', .'.join(formats)}: got "
            f"{str(path)!r}."
        )
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"The figure's folder {str(path.parent)!r} does not exist: create it."
        raise ValueError(msg)
    return path


def _check_device(name: str) -> Any:
    import torch

    try:
        probe = torch.zeros(1, device=name)
        probe.tolist()  # "meta" has no numbers to read
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        msg = (
            f'device must be one that torch can use here, such as "cpu" or "cuda", got '
            f"{name!r}."
        )
        raise ValueError(msg) from error
    return probe.device
