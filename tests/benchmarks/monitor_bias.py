"""
How far a `Monitor` is from `analyze`, on the network and data of ``sknc demo``.

    python tests/benchmarks/monitor_bias.py            # some two minutes
    python tests/benchmarks/monitor_bias.py --quick    # few epochs

Prints the table of docs/torch.md, and puts it there: for each metric, the number of the
monitor over that of `analyze`, and in parentheses that of training mode alone, for the
weights as they are. The network has batch norm; the second one has dropout before its
head, too.
"""

import argparse
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch_analyze import write

from sknc import NCReport, NeuralCollapseAnalyzer
from sknc.cli.demo._settings import DemoSettings
from sknc.cli.demo._training import load_digits, make_model
from sknc.torch import FeatureProbe, Monitor, analyze

KEYS = ("nc1_pinv", "nc1_cdnv", "nc2_equinorm", "nc2_equiangular", "nc3_self_duality")
EPOCHS = (1, 10, 30, 100, 300)
SETTINGS = DemoSettings()
Batches = list[tuple[torch.Tensor, torch.Tensor]]


def network(dropout: float) -> nn.Module:
    """Return the network of the demo, perhaps with dropout before its head."""
    model = make_model(SETTINGS)
    if dropout:
        model.body.append(nn.Dropout(dropout))
    return model


def training(model: nn.Module, monitor: Monitor, n_epochs: int) -> Iterator[Batches]:
    """Train as the demo does, and yield the batches of each epoch that is over."""
    (X, y), _ = load_digits(SETTINGS, "cpu")
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=SETTINGS.learning_rate,
        momentum=SETTINGS.momentum,
        weight_decay=SETTINGS.weight_decay,
    )
    milestones = [round(share * SETTINGS.epochs) for share in SETTINGS.decay_at]
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, milestones, gamma=SETTINGS.decay
    )
    generator = torch.Generator().manual_seed(SETTINGS.seed)
    for _ in range(n_epochs):
        order = torch.randperm(len(X), generator=generator)
        parts = (part[order].split(SETTINGS.batch_size) for part in (X, y))
        batches = list(zip(*parts, strict=True))
        model.train()
        for images, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            monitor.update(labels)
            loss.backward()
            optimizer.step()
        schedule.step()
        yield batches


def in_training_mode(model: nn.Module, batches: Batches) -> NCReport:
    """Report features of training mode of the weights as they are."""
    twin = copy.deepcopy(model)
    analyzer = NeuralCollapseAnalyzer()
    with torch.random.fork_rng(), torch.no_grad(), FeatureProbe(twin) as probe:
        for images, labels in batches:
            twin(images)
            analyzer.partial_fit(probe.features, labels)
        analyzer.head = probe.linear_head()
    return analyzer.report()


def factors(dropout: float, epochs: tuple[int, ...]) -> list[dict[str, str]]:
    """Return by epoch how many times too large the metrics are, as text."""
    torch.manual_seed(0)
    model = network(dropout)
    found = []
    with Monitor(model) as monitor:
        for epoch, batches in enumerate(training(model, monitor, epochs[-1]), 1):
            if epoch in epochs:
                exact = analyze(model, batches).train
                ours, mode = monitor.report(), in_training_mode(model, batches)
                found.append(
                    {
                        key: f"{shown(ours[key] / exact[key])} "
                        f"({shown(mode[key] / exact[key])})"
                        for key in KEYS
                    }
                )
    return found


def shown(factor: float) -> str:
    """Return a factor with three digits."""
    return f"{factor:.{2 if factor < 9.995 else 1 if factor < 99.95 else 0}f}"


def main() -> None:
    """Print the table of docs/torch.md, or put it there."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    epochs = EPOCHS[:2] if quick else EPOCHS
    cells: list[Any] = ["features", "metric", f"epoch {epochs[0]}", *epochs[1:]]
    lines = [f"| {' | '.join(map(str, cells))} |", "| --- " * len(cells) + "|"]
    for name, dropout in (("batch norm", 0.0), ("batch norm, dropout 0.2", 0.2)):
        found = factors(dropout, epochs)
        for key in KEYS:
            cells = [name, f"`{key}`", *(each[key] for each in found)]
            lines.append(f"| {' | '.join(cells)} |")
    print("\n".join(lines))
    if not quick:
        write("\n".join(lines), "monitor", "torch.md")


if __name__ == "__main__":
    main()
