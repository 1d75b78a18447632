"""
Print the metrics of two data sets under every preset, as markdown tables.

    python docs/examples/conventions.py

Ten classes whose means are an exact simplex, with equal isotropic noise, and a head
that is close to the class means. In the first data set all classes have 500 samples;
in the second their numbers fall from 5000 to 10.
"""

from inspect import signature

import numpy as np

from sknc import ClassStatistics, LinearHead
from sknc.convention import PRESETS
from sknc.metrics import select

N_CLASSES, N_FEATURES, NOISE = 10, 32, 0.1


def table(counts: list[int]) -> str:
    """Return the headline metrics of class means, one column a preset."""
    rng = np.random.default_rng(0)
    means = np.eye(N_CLASSES, N_FEATURES)
    y = np.repeat(np.arange(N_CLASSES), counts)
    X = means[y] + NOISE * rng.standard_normal((len(y), N_FEATURES))
    W = means - means.mean(axis=0) + NOISE / 2 * rng.standard_normal(means.shape)
    inputs = {
        "statistics": ClassStatistics.from_samples(X, y),
        "head": LinearHead(W, None),
    }
    lines = [
        f"| key | {' | '.join(f'`{name}`' for name in PRESETS)} |",
        f"|---|{'---|' * len(PRESETS)}",
    ]
    for metric in select("default"):
        if "convention" not in signature(metric.function).parameters:
            continue
        given = [inputs[name] for name in metric.needs if name in inputs]
        values = [metric.function(*given, convention=name) for name in PRESETS]
        lines.append(f"| `{metric.key}` | {' | '.join(f'{v:.4f}' for v in values)} |")
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    balanced = [500] * N_CLASSES
    long_tailed = np.round(np.geomspace(5000, 10, N_CLASSES)).astype(int).tolist()
    print(f"Balanced, 500 samples per class:\n\n{table(balanced)}\n")
    print(f"Long-tailed, {long_tailed} samples:\n\n{table(long_tailed)}")


if __name__ == "__main__":
    main()
