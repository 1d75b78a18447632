"""
Sums of squares against the analyses of variance certified by NIST.

The sets are of 1 feature; SmLs04 to 06 have a common offset of 1e6, SmLs07 to 09 one
of 1e12, where float64 holds the data to 4 decimals while they are given to 1.
"""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from tolerances import LOOSE

from sknc import ClassStatistics
from sknc.convention import PRESETS
from sknc.metrics import nc1_trace_ratio
from sknc.metrics._shared.geometry import between_trace

SETS = tuple(f"SmLs{number:02}" for number in range(1, 10))
FOLDER = Path(scipy.stats.__file__).parent / "tests" / "data" / "nist_anova"
FOUND = (FOLDER / "SmLs01.dat").exists()
pytestmark = pytest.mark.skipif(not FOUND, reason="SciPy came without its test data")


def load(name):
    """Return features, labels, and certified sums of squares between and within."""
    text = (FOLDER / f"{name}.dat").read_text(encoding="ascii")
    lines = text.splitlines()
    between = within = None
    for line in lines:
        parts = line.split()
        if line.startswith("Between") and between is None and len(parts) >= 4:
            between = float(
                re.findall(r"[-+.\dE]+", line[len("Between Treatment") :])[1]
            )
        if line.startswith("Within") and within is None and len(parts) >= 4:
            within = float(re.findall(r"[-+.\dE]+", line[len("Within Treatment") :])[1])
    rows = np.array([line.split() for line in lines[60:] if line.strip()], dtype=float)
    return rows[:, 1:], rows[:, 0].astype(int), between, within


def digits(value, certified):
    """Return the number of correct digits, at most the 15 that are certified."""
    error = abs(value - certified) / abs(certified)
    return 15.0 if error < 1e-15 else max(0.0, -math.log10(error))


def by_sknc(X, y):
    statistics = ClassStatistics.from_samples(X, y)
    between = len(X) * between_trace(statistics, PRESETS["frequency"])
    return between, float(statistics.within_scatter[0, 0])


def by_batches(X, y):
    parts = [
        ClassStatistics.from_samples(X[start : start + 100], y[start : start + 100])
        for start in range(0, len(X), 100)
    ]
    whole = parts[0]
    for part in parts[1:]:
        whole += part
    between = len(X) * between_trace(whole, PRESETS["frequency"])
    return between, float(whole.within_scatter[0, 0])


def naive(X, y):
    """Return textbook one-pass sums of squares, less products of sums."""
    x = X[:, 0]
    sums = np.bincount(y - 1, x)
    counts = np.bincount(y - 1)
    of_groups = float(np.sum(sums**2 / counts))
    return of_groups - float(np.sum(x)) ** 2 / len(x), float(np.sum(x**2)) - of_groups


def measured(name, method):
    X, y, between, within = load(name)
    found = method(X, y)
    return digits(found[0], between), digits(found[1], within)


def digits_table():
    """Return the digits of every set as rows of a Markdown table."""
    rows = [
        "| set | between | within | naive between | naive within |",
        "|---|---|---|---|---|",
    ]
    for name in SETS:
        cells = (*measured(name, by_sknc), *measured(name, naive))
        rows.append(f"| {name} | " + " | ".join(f"{c:.1f}" for c in cells) + " |")
    return rows


def exact(X, y):
    """Return the sums of squares of the data as float64 holds them, rounded once."""
    values = [Fraction(float(x)) for x in X[:, 0]]
    sums, counts = [Fraction(0)] * (max(y) + 1), np.bincount(y).tolist()
    for value, k in zip(values, y, strict=True):
        sums[k] += value
    groups = np.unique(y)
    mean = sum(values) / len(values)
    means = {k: sums[k] / counts[k] for k in groups}
    between = sum(counts[k] * (means[k] - mean) ** 2 for k in groups)
    within = sum((v - means[k]) ** 2 for v, k in zip(values, y, strict=True))
    return float(between), float(within)


# Least digits, between and within: those of the data themselves, which the offsets
# limit, less a tenth; without an offset those of a float64 sum in any order.
REACHED = {
    "SmLs01": (14, 14),
    "SmLs02": (14, 14),
    "SmLs03": (14, 14),
    "SmLs04": (9.95, 10.18),
    "SmLs05": (9.84, 10.18),
    "SmLs06": (9.83, 10.18),
    "SmLs07": (3.93, 4.16),
    "SmLs08": (3.82, 4.16),
    "SmLs09": (3.81, 4.16),
}


@pytest.mark.parametrize("method", [by_sknc, by_batches])
@pytest.mark.parametrize("name", SETS)
def test_certified_digits(name, method):
    between, within = measured(name, method)
    assert between > REACHED[name][0]
    assert within > REACHED[name][1]


@pytest.mark.parametrize("name", SETS)
def test_digits_are_limited_by_the_data_alone(name):
    X, y, _, _ = load(name)
    wanted = exact(X, y)
    for method in (by_sknc, by_batches):
        for got, want in zip(method(X, y), wanted, strict=True):
            assert digits(got, want) > 14, method


@pytest.mark.parametrize("name", SETS[3:])
def test_a_naive_sum_of_squares_reaches_fewer(name):
    for mine, other in zip(measured(name, by_sknc), measured(name, naive), strict=True):
        assert other < 2.3
        assert mine > other + 3.8


@pytest.mark.parametrize("name", SETS)
def test_ratio(name):
    X, y, between, within = load(name)
    statistics = ClassStatistics.from_samples(X, y)
    ratio = nc1_trace_ratio(statistics, convention="frequency")
    assert digits(ratio, within / between) > min(13.5, *REACHED[name]) - 0.35
    # All groups have the same count, so every preset gives that number.
    assert nc1_trace_ratio(statistics) == pytest.approx(ratio, rel=LOOSE)


def test_torch(torch):
    for name in SETS[:8:3]:
        X, y, _, _ = load(name)
        other = by_sknc(torch.asarray(X), torch.asarray(y))
        assert other == pytest.approx(by_sknc(X, y), rel=1e-8)


def test_table():
    rows = digits_table()
    print("\n" + "\n".join(rows))
    assert len(rows) == 2 + len(SETS)
