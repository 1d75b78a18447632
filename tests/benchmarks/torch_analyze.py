"""
Compare `analyze` with one bare evaluation pass of a ResNet, in one process.

    python tests/benchmarks/torch_analyze.py            # some minutes
    python tests/benchmarks/torch_analyze.py --quick    # fewer repeats

Both run in turn on the same batches. The figure is the median of the ratios of
neighboring runs, in seconds of one CPU: what else runs on the machine hardly counts.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from sknc.torch import analyze

K, D, BATCH = 10, 512, 32


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm beside a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


def resnet() -> nn.Module:
    """Return a ResNet of four stages, with features of width 512."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Block(64, 64, 1),
        Block(64, 128, 2),
        Block(128, 256, 2),
        Block(256, D, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(D, K),
    )


def bare_pass(model: nn.Module, loader: Iterable[Any]) -> None:
    """Evaluate as a validation loop does, with the accuracy only."""
    model.eval()
    n_right = 0
    with torch.no_grad():
        for x, y in loader:
            n_right += int((model(x).argmax(1) == y).sum())
    model.train()


def seconds(function: Callable[[], Any]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def ratios(n_batches: int, repeats: int, **options: Any) -> tuple[float, float]:
    """Return the seconds of a bare pass and how many times longer `analyze` takes."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n_batches * BATCH) % K
    x = torch.randn(len(y), 3, 32, 32, generator=generator)
    x += torch.randn(K, 3, 32, 32, generator=generator)[y]
    data = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(data, BATCH)
    model = resnet()
    bare, found = [], []
    bare_pass(model, loader)
    analyze(model, [(x[:BATCH], y[:BATCH])])  # imports on first use
    for _ in range(repeats):
        before = seconds(lambda: bare_pass(model, loader))
        ours = seconds(lambda: analyze(model, loader, **options))
        after = seconds(lambda: bare_pass(model, loader))
        bare += [before, after]
        found.append(2 * ours / (before + after))
    return statistics.median(bare), statistics.median(found)


CASES = [
    ("one pass", 100, {}),
    ("one pass, features on disk", 100, {"cache": 0}),
    ('two passes, `cache="none"`', 100, {"cache": "none"}),
]


def main() -> None:
    """Print the table of docs/performance.md, or put it there."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    lines = [
        "| `analyze`, NC0 to NC4 | batches of 32 | bare pass | ratio | target |  |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for what, n_batches, options in CASES[: 1 if quick else None]:
        unit, ratio = ratios(n_batches, 1 if quick else 3, **options)
        bar = 1.1 if what == "one pass" else None
        verdict = "" if bar is None else "met" if ratio <= bar else "**missed**"
        cells = [what, str(n_batches), f"{unit:.3g} s", f"{ratio:.3f}×"]
        cells += [f"{bar}×" if bar else "", verdict]
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if not quick:
        write("\n".join(lines))


def write(table: str, name: str = "analyze", page: str = "performance.md") -> None:
    """Replace the table between its two markers."""
    page = Path(__file__).parents[2] / "docs" / page
    text = page.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, _, rest = text.partition(start)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{start}{table}\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
