"""
Accumulation as users run it: without pauses, and with PyTorch working in between.

Threads of one BLAS look out for more work for 30 to 100 ms, on cores that the next one
wants. A long stream spends only its first milliseconds beside them.
``python tests/benchmarks/training_loop.py`` prints the rows of a table.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from sknc import NeuralCollapseAnalyzer

BATCH, REPEATS = 4096, 15
SHAPES = (
    (50_000, 512, 10),
    (50_000, 512, 1000),
    (20_000, 2048, 1000),
    (500_000, 512, 1000),
)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(shape: tuple[int, int, int], between: Callable[[], object]) -> list[float]:
    """Return medians of fitting and of ``X.T @ X``, in turn."""
    n_samples, n_features, n_classes = shape
    rng = np.random.default_rng(0)
    y = rng.integers(0, n_classes, n_samples)
    means = 3 * rng.standard_normal((n_classes, n_features), dtype=np.float32)
    X = means[y] + rng.standard_normal((n_samples, n_features), dtype=np.float32)

    def fit() -> None:
        analyzer = NeuralCollapseAnalyzer()
        for start in range(0, n_samples, BATCH):
            batch = slice(start, start + BATCH)
            analyzer.partial_fit(X[batch], y[batch])
        assert analyzer.statistics_.moments.scatter is not None

    times: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for function, found in zip((fit, lambda: X.T @ X), times, strict=True):
            between()
            found.append(seconds(function))
    return [statistics.median(found) for found in times]


def main() -> None:
    features, weights = torch.randn(2000, 512), torch.randn(512, 512)
    works = {
        "no pauses": lambda: None,
        "PyTorch in between": lambda: torch.relu(features @ weights).sum().item(),
    }
    for shape in SHAPES:
        for name, between in works.items():
            fit, product = measure(shape, between)
            cells = f"{fit:.4g} s", f"{product:.4g} s", f"{fit / product:.3g}×"
            print(f"| {shape} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
