"""
Measure what a row, a merge and a state file cost: the tables of docs/scale.md.

    python tests/benchmarks/scale.py            # minutes, with one BLAS thread
    python tests/benchmarks/scale.py --quick    # some seconds, nothing is written

The plan is arithmetic on these numbers.
"""

import argparse
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from _measure import medians
from sklearn.base import clone

import sknc

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
ROWS, CLASSES, FEATURES, WORKERS = 10**10, 250_000, 4096, 1000
NETWORK = 1.25e9  # bytes a second, of 10 Gb/s
PARAMETERS = 7e9  # of the model
FAN_IN = 4


@dataclass(frozen=True)
class Unit:
    """What one state costs, in seconds and bytes."""

    memory: int
    file: int
    merge: float
    save: float
    load: float


def rows_of(n: int, d: int, k: int, dtype: type, seed: int = 0) -> tuple:
    """Draw features and labels, of every class if there are enough rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    X = rng.standard_normal((n, d), dtype=np.float32) + y[:, None] % 7
    return X.astype(dtype), y


def seconds_a_row(n: int, d: int, k: int, dtype: type, *, covariance: bool) -> float:
    """Time `partial_fit` in batches of 4 096 rows."""
    X, y = rows_of(n, d, k, dtype)
    first = sknc.NeuralCollapseAnalyzer(covariance=covariance)
    first.fit(*rows_of(k, d, k, dtype))  # every class has its anchor

    def fit() -> None:
        for start in range(0, n, 4096):
            first.partial_fit(X[start : start + 4096], y[start : start + 4096])
        first.statistics_  # noqa: B018  rows that wait are added

    return medians(3, fit)[0] / n


def product_rate() -> float:
    """Return the operations a second of one float32 product of batches."""
    a, b = (np.ones((2048, 2048), dtype=np.float32) for _ in range(2))
    return 2 * 2048**3 / medians(3, lambda: a @ b)[0]


def unit_of(d: int, k: int, *, covariance: bool) -> Unit:
    """Measure one state."""
    states = [
        sknc.NeuralCollapseAnalyzer(covariance=covariance).fit(
            *rows_of(k, d, k, np.float32, seed)
        )
        for seed in (0, 1)
    ]
    for state in states:
        state.statistics_  # noqa: B018  rows that wait are added
    file = io.BytesIO()

    def save() -> None:
        file.seek(0)
        file.truncate()
        states[0].save(file)

    def load() -> None:
        file.seek(0)
        sknc.load(file).statistics_  # noqa: B018

    def merge() -> None:
        clone(states[0]).merge(*states)

    times = [medians(3, function)[0] for function in (merge, save, load)]
    held = states[0].statistics_.moments
    memory = 0

    def count(array: np.ndarray) -> np.ndarray:
        nonlocal memory
        memory += array.nbytes
        return array

    held.map_all(count)
    return Unit(memory, len(file.getvalue()), *times)


def size_of_file(d: int, k: int, *, covariance: bool) -> float:
    """Return the bytes of a state file of float32 features and integer labels."""
    return k * (12 * d + 24) + covariance * 4 * d * (d + 1)


def amount(n_bytes: float) -> str:
    """Return bytes with a unit."""
    for power, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if n_bytes >= power:
            return f"{n_bytes / power:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"


def duration(seconds: float) -> str:
    """Return a time with a unit."""
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}"
    return f"{seconds:.2g} s"


def row_table(costs: dict[tuple, float]) -> list[str]:
    """Return what a row costs."""
    lines = ["| (D, K) | features | scatter | µs per row |", "|---|---|---|---|"]
    for (d, k, dtype, covariance), seconds in costs.items():
        kept = "yes" if covariance else "no"
        lines.append(f"| ({d}, {k}) | {dtype} | {kept} | {seconds * 1e6:.3g} |")
    return lines


def state_table(units: dict[tuple, Unit]) -> list[str]:
    """Return what a state costs."""
    lines = [
        "| (D, K) | scatter | in memory | file | merge of two | save | load |",
        "|---|---|---|---|---|---|---|",
    ]
    for (d, k, covariance), unit in units.items():
        cells = [f"({d}, {k})", "yes" if covariance else "no"]
        cells += [amount(unit.memory), amount(unit.file)]
        cells += [f"{t:.2g} s" for t in (unit.merge, unit.save, unit.load)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def plan_table(row: dict[bool, float], unit: Unit, rate: float) -> list[str]:
    """Return the plan: seconds a row by `covariance`, a large state, products."""
    state = size_of_file(FEATURES, CLASSES, covariance=True)
    scale = state / unit.file
    depth, reached = 0, 1
    while reached < WORKERS:
        depth, reached = depth + 1, reached * FAN_IN
    hop = state / NETWORK + scale * (unit.load + unit.merge)
    share = ROWS / WORKERS
    forward = 2 * PARAMETERS / rate
    lines = [
        ("data of one worker, float16", amount(2 * FEATURES * share)),
        ("fit it on one core, with the scatter", duration(share * row[True])),
        ("the same without the scatter", duration(share * row[False])),
        ("state of one worker, as a file", amount(state)),
        ("save it, load it", " and ".join(
            duration(scale * t) for t in (unit.save, unit.load))),
        ("merge two states, one thread", duration(scale * unit.merge)),
        ("memory to merge: two states and their sum", amount(3 * state)),
        (f"depth of the tree, {FAN_IN} states per task", f"{depth}"),
        ("bytes sent over the network, all workers", amount((WORKERS - 1) * state)),
        ("longest path: transfer, load and merge",
         duration(depth * (FAN_IN - 1) * hop)),
        ("forward pass of one row on the same core, 7·10⁹ parameters",
         duration(forward)),
        ("fit of one row, relative to that, with the scatter",
         f"{100 * row[True] / forward:.2g} %"),
        ("the same without the scatter", f"{100 * row[False] / forward:.2g} %"),
        ("`score` of one row, relative to the forward pass (two products with K rows)",
         f"{100 * 4 * CLASSES * FEATURES / (2 * PARAMETERS):.2g} %"),
    ]  # fmt: skip
    return ["| what | amount |", "|---|---|", *(f"| {a} | {b} |" for a, b in lines)]


def written(page: str, name: str, lines: list[str]) -> str:
    """Return the page with another table between its marks."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = "\n".join([start, *lines, end])
    found, n = re.subn(f"{start}.*?{end}", lambda _: text, page, flags=re.DOTALL)
    assert n == 1, name
    return found


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    d, many = (256, 200) if quick else (FEATURES, 10_000)
    costs = {
        (d, k, dtype.__name__, covariance): seconds_a_row(
            8192, d, k, dtype, covariance=covariance
        )
        for k in (min(1000, many), many)
        for dtype in (np.float32, np.float16)
        for covariance in (False, True)
        if k < many or dtype is np.float16
    }
    units = {
        (width, k, covariance): unit_of(width, k, covariance=covariance)
        for width, k, covariance in (
            (d // 8, many, True), (d // 2, many // 10, True),
            (d, many, False), (d, many, True),
        )
    }  # fmt: skip
    row = {c: costs[d, many, "float16", c] for c in (False, True)}
    tables = {
        "rows": row_table(costs),
        "states": state_table(units),
        "plan": plan_table(row, units[d, many, True], product_rate()),
    }
    for lines in tables.values():
        print("\n".join(lines), end="\n\n")
    if not quick:
        page = PAGE.read_text(encoding="utf-8")
        for name, lines in tables.items():
            page = written(page, name, lines)
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
