"""
Compare training steps of a ResNet with a `Monitor` and without, in one process.

    python tests/benchmarks/torch_monitor.py            # some two minutes
    python tests/benchmarks/torch_monitor.py --quick    # fewer steps

Two equal networks take the same steps in turn; first one of them is monitored, then the
other. The figure is the median of the ratios of these steps, in seconds of one CPU,
plus a step's share of the sums that are taken of many steps together. Both networks end
with the same weights.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch_analyze import BATCH, D, K, resnet, seconds, write

from sknc.torch import Monitor

AT_MOST = 1.03
TOGETHER = 4096 // BATCH  # steps whose rows are multiplied together


class Network:
    """A ResNet in training, one of equals."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = resnet()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01, momentum=0.9)

    def step(self, x: torch.Tensor, y: torch.Tensor, monitor: Any = None) -> None:
        """Take a step of training."""
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        if monitor is not None:
            monitor.update(y)
        loss.backward()
        self.optimizer.step()


def in_turn(watched: Network, bare: Network, n_steps: int) -> tuple[float, ...]:
    """Return seconds of a bare step, the ratio, a share of sums, and a report."""
    times, found = [], []
    with Monitor(watched.model) as monitor:
        for number in range(n_steps + 1):
            y = torch.randint(K, (BATCH,))
            x = torch.randn(BATCH, 3, 32, 32)
            both: list[Callable[[], Any]] = [
                lambda: bare.step(x, y),
                lambda: watched.step(x, y, monitor),
            ]
            order = (0, 1) if number % 2 else (1, 0)
            taken = {which: seconds(both[which]) for which in order}
            if number:  # the first one looks for the head
                times.append(taken[0])
                found.append(taken[1] / taken[0])
        # Rows of many steps are multiplied together, and are all in this one.
        features, labels = torch.randn(4096, D), torch.randint(K, (4096,))
        analyzer = monitor.analyzer
        of_sums = seconds(
            lambda: analyzer.partial_fit(features, labels).statistics_.within_scatter
        )
        of_report = seconds(monitor.report)
    unit = statistics.median(times)
    return unit, statistics.median(found), of_sums / TOGETHER / unit, of_report


def measure(n_steps: int) -> tuple[float, float, float]:
    """Return seconds of a bare step, how many times longer one takes, and a report."""
    one, other = Network(), Network()
    # Two networks are not equally fast: each is the monitored one once.
    parts = [in_turn(one, other, n_steps), in_turn(other, one, n_steps)]
    weights = (network.model.state_dict().values() for network in (one, other))
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    units, ratios, shares, reports = zip(*parts, strict=True)
    ratio = statistics.geometric_mean(ratios) + statistics.mean(shares)
    return statistics.mean(units), ratio, statistics.mean(reports)


def main() -> None:
    """Print the table of docs/performance.md, or put it there."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    unit, ratio, of_report = measure(10 if quick else 60)
    verdict = "met" if ratio <= AT_MOST else "**missed**"
    table = "\n".join(
        [
            "| a training step with `Monitor` | bare step | ratio | target |  "
            "| `report()` |",
            "| --- | --- | --- | --- | --- | --- |",
            f"| batch of {BATCH} | {unit:.3g} s | {ratio:.3f}× | {AT_MOST}× | "
            f"{verdict} | {1000 * of_report:.0f} ms |",
        ]
    )
    print(table)
    if not quick:
        write(table, "monitor")


if __name__ == "__main__":
    main()
