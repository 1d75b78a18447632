"""A network that collapses on handwritten digits, and its training."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sknc.cli.demo._settings import N_HIDDEN_LAYERS, DemoSettings


def load_digits(settings: DemoSettings, place: Any) -> list[tuple[Any, Any]]:
    """Return training and held-out (images, labels)."""
    import torch
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    X, y = datasets.load_digits(return_X_y=True)
    options = {"test_size": settings.held_out, "random_state": settings.seed}
    parts = train_test_split((X / 16).astype(np.float32), y, stratify=y, **options)
    X_train, X_held_out, y_train, y_held_out = (
        torch.from_numpy(part).to(place) for part in parts
    )
    return [(X_train, y_train), (X_held_out, y_held_out)]


def make_model(settings: DemoSettings) -> Any:
    """Return a network with two parts, ``body`` and the linear ``head``."""
    import torch
    from torch import nn

    layers: list[Any] = []
    n_inputs, width = 64, settings.width
    # torch draws initial weights from its global generator: seed it, then restore it.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        for _ in range(N_HIDDEN_LAYERS):
            linear = nn.Linear(n_inputs, width, bias=False)
            layers += [linear, nn.BatchNorm1d(width), nn.ReLU()]
            n_inputs = width
        parts = {"body": nn.Sequential(*layers), "head": nn.Linear(width, 10)}
    return nn.Sequential(OrderedDict(parts))


def train(model: Any, X: Any, y: Any, settings: DemoSettings) -> Iterator[int]:
    """Train, and yield the number of each finished epoch."""
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


def measure(
    model: Any, train: tuple[Any, Any], held_out: tuple[Any, Any], batch_size: int
) -> Any:
    """Analyze both sets about the class means of the first."""
    from sknc.torch import analyze

    loaders = [
        [*zip(*(part.split(batch_size) for part in samples), strict=True)]
        for samples in (train, held_out)
    ]
    return analyze(model, loaders[0], held_out=loaders[1])


def features(model: Any, images: Any) -> Any:
    """Return the inputs of the head, in evaluation mode."""
    import torch

    model.eval()
    with torch.no_grad():
        return model.body(images)


@contextmanager
def one_thread() -> Iterator[None]:
    """
    Let torch use one CPU thread, then as many as before.

    Such small layers gain nothing from more threads, and slow down much when other
    programs run. One thread also gives the same sums on machines with any number of
    cores.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
