"""
Print the digits that are right on NIST's sets for one-way analysis of variance.

    python docs/examples/nist.py

The data are those of the Statistical Reference Datasets of the National Institute of
Standards and Technology, as SciPy's tests ship them. The sums of squares come from
`sknc`, from a sum of squares in one pass in float64, and from exact arithmetic on the
same float64 numbers, which is the best that can be had of them.
"""

import math
from fractions import Fraction
from importlib.resources import files

import numpy as np

from sknc import NeuralCollapseAnalyzer

NAMES = [f"SmLs0{i}" for i in range(1, 10)]
FIRST_LINE = 60  # of the data


def load(name: str) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Return responses, treatments, and certified sums of squares between, within."""
    path = files("scipy.stats") / "tests" / "data" / "nist_anova" / f"{name}.dat"
    lines = path.read_text(encoding="utf-8").splitlines()
    certified = {
        line.split()[0]: float(line.split()[3])
        for line in lines[:FIRST_LINE]
        if line.startswith(("Between Treatment", "Within Treatment"))
    }
    rows = [line.split() for line in lines[FIRST_LINE:] if line.strip()]
    x = np.array([float(row[1]) for row in rows])
    y = np.array([int(row[0]) for row in rows])
    return x, y, (certified["Between"], certified["Within"])


def by_sknc(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the sums of squares as N tr(Sigma_B) and N tr(Sigma_W)."""
    analyzer = NeuralCollapseAnalyzer(convention="frequency").fit(x[:, None], y)
    between = np.trace(analyzer.between_class_covariance_)
    return len(x) * between, len(x) * np.trace(analyzer.within_class_covariance_)


def naively(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return them from sums of x and of x squared, in float64."""
    n, s, q = (np.bincount(y, x**power)[1:] for power in (0, 1, 2))
    return np.sum(s**2 / n) - np.sum(s) ** 2 / np.sum(n), np.sum(q - s**2 / n)


def exactly(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return them from the same sums, in rational numbers."""
    groups = [[Fraction(v) for v in x[y == k].tolist()] for k in np.unique(y)]
    parts = [sum(group) ** 2 / len(group) for group in groups]
    squares = sum(v * v for group in groups for v in group)
    total = sum(sum(group) for group in groups) ** 2 / len(x)
    return float(sum(parts) - total), float(squares - sum(parts))


def digits(value: float, certified: float) -> float:
    """Return the number of right decimal digits, from 0 to 15."""
    error = abs(value - certified) / certified
    return 15.0 if error == 0 else min(15.0, max(0.0, -math.log10(error)))


def main() -> None:
    """Print the table."""
    print(
        "| set | N | between: `sknc` | naive | exact "
        "| within: `sknc` | naive | exact |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name in NAMES:
        x, y, certified = load(name)
        found = [by_sknc(x, y), naively(x, y), exactly(x, y)]
        cells = [f"{digits(f[i], certified[i]):.1f}" for i in (0, 1) for f in found]
        print(f"| {name} | {len(x)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
