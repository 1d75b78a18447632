"""
Train a regression network, and watch neural regression collapse.

    python docs/examples/regression.py [figure.png]

Three targets are made from scikit-learn's diabetes data: the progression of the
disease, its sum with the product of two inputs, and the square of a third. A small
network learns them with weight decay on the head and on the features, the setting in
which the paper proves the collapse; there, gamma is the product of both. Printed are
the metrics in the course of training, and drawn if a file is named. It takes torch,
and matplotlib for the figure.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale
from torch import nn

from sknc import NeuralRegressionCollapse, NRCReport

DECAY = 0.1  # of the head and of the features
STEPS = 2000


def diabetes() -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and three targets of the 442 patients."""
    inputs, progression = load_diabetes(return_X_y=True)
    inputs, progression = scale(inputs), scale(progression)
    product = scale(inputs[:, 2] * inputs[:, 8])
    square = scale(inputs[:, 3] ** 2)
    targets = [
        progression,
        0.6 * progression + 0.8 * product,
        square - 0.5 * inputs[:, 5],
    ]
    both = inputs, np.column_stack(targets)
    x, y = (torch.tensor(values, dtype=torch.float32) for values in both)
    return x, y


def network() -> nn.Sequential:
    """Return a network whose features may have any sign, as in the theory."""
    return nn.Sequential(
        *(nn.Linear(10, 128), nn.ReLU()),
        *(nn.Linear(128, 128), nn.ReLU()),
        nn.Linear(128, 32),
        nn.Linear(32, 3),
    )


def train(n_steps: int = STEPS, seed: int = 0) -> dict[int, NRCReport]:
    """Return a report at steps that double, by step."""
    torch.manual_seed(seed)
    x, y = diabetes()
    model = network()
    body, head = model[:-1], model[-1]
    estimator = NeuralRegressionCollapse(head, metrics="all")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    reports = {}
    for step in range(n_steps + 1):
        features = body(x)
        if step == n_steps or (step & (step - 1)) == 0:
            reports[step] = estimator.fit(features, y).report()
        squared = (head(features) - y).square().sum(1).mean()
        decay = features.square().sum(1).mean() + head.weight.square().sum()
        loss = (squared + DECAY * decay) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return reports


def draw(reports: dict[int, NRCReport], path: Path) -> None:
    """Draw NRC1 to NRC3 against the steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.add_subplot(xscale="symlog", yscale="log")
    axes.set(xlabel="step", ylabel="value (lower is more collapsed)")
    for key, marker in (("nrc1", "o"), ("nrc2", "s"), ("nrc3", "^")):
        values = [report[key] for report in reports.values()]
        axes.plot(list(reports), values, marker=marker, markersize=4, label=key)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Train, print, draw."""
    reports = train()
    keys = ("nrc1", "nrc2", "nrc3", "mse", "r2")
    print("step", *(f"{key:>9}" for key in (*keys, "gamma")))
    for step, report in reports.items():
        values = [*(report[key] for key in keys), report.gamma]
        print(f"{step:4d}", *(f"{value:9.3g}" for value in values))
    print(f"product of the decays: {DECAY**2:.3g}")
    if sys.argv[1:]:
        draw(reports, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
