"""
Peak memory of `fit` and `score` by how the features are stored.

Each case runs in a process of its own, once under tracemalloc and once watched from
outside, on Linux: resident memory less pages of files. The features themselves do not
count; the state does. ``python tests/benchmarks/memory.py`` prints a table.
"""

import argparse
import select
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from sknc import NeuralCollapseAnalyzer

CLASSES = 100
PAGE = 4096
MEGABYTE = 1e6
STEP = 4096


def filled(X: np.ndarray, means: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Write samples about class means into X, some rows at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, len(X), STEP):
        part = slice(start, start + STEP)
        rows = means[y[part]]
        X[part] = rows + 5 * rng.standard_normal(rows.shape, dtype=np.float32)
    return X


def make_memory_map(shape: tuple[int, int], folder: Path) -> np.ndarray:
    return np.lib.format.open_memmap(folder / "X.npy", "w+", np.float16, shape)


STORED: dict[str, Callable[[tuple[int, int], Path], np.ndarray]] = {
    "float32": lambda shape, folder: np.empty(shape, np.float32),
    "float16": lambda shape, folder: np.empty(shape, np.float16),
    "int8": lambda shape, folder: np.empty(shape, np.int8),
    "strided": lambda shape, folder: np.empty((shape[0], shape[1] + 8), np.float32)[
        ::-1, 8:
    ],
    "memory-mapped": make_memory_map,
}


def prepared(
    stored: str, method: str, shape: tuple[int, int], folder: Path
) -> Callable[[], object]:
    """Return the call to measure."""
    rng = np.random.default_rng(1)
    y = rng.integers(CLASSES, size=shape[0])
    means = 20 * rng.standard_normal((CLASSES, shape[1]), dtype=np.float32)
    X = filled(STORED[stored](shape, folder), means, y)
    if stored == "memory-mapped":
        del X
        X = np.load(folder / "X.npy", mmap_mode="r")
    head = (means - means.mean(0), None)
    analyzer = NeuralCollapseAnalyzer(head=head)
    warm = analyzer.fit(X[:STEP], y[:STEP]).score(X[:STEP], y[:STEP])
    assert warm.n_samples == STEP
    return partial(getattr(analyzer, method), X, y)


def child(stored: str, method: str, shape: tuple[int, int], folder: Path) -> None:
    """Make one call: traced, or between two lines for the parent to watch."""
    call = prepared(stored, method, shape, folder)
    print("ready", flush=True)
    sys.stdin.readline()
    call()
    print("done", flush=True)
    tracemalloc.start()
    call()
    print(tracemalloc.get_traced_memory()[1], flush=True)


def resident(pid: int) -> int:
    """Return the resident bytes of a process that are not pages of files."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * PAGE


def measured(stored: str, method: str, arguments: list[str]) -> tuple[float, float]:
    """Return the traced and the resident peak of one call, in MB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *arguments]
        command += ["--child", stored, method, folder]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            before = peak = resident(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            while not select.select([process.stdout], [], [], 0.002)[0]:
                peak = max(peak, resident(process.pid))
            assert process.stdout.readline() == "done\n"
            traced = int(process.stdout.readline())
    return traced / MEGABYTE, (peak - before) / MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500_000)
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    shape = (options.samples, options.features)
    if options.child:
        child(*options.child[:2], shape, Path(options.child[2]))
        return
    print(f"{shape[0]} x {shape[1]}, peaks in MB\n")
    print("| features | method | traced | resident |\n|---|---|---|---|")
    arguments = [f"--samples={shape[0]}", f"--features={shape[1]}"]
    for stored in STORED:
        for method in ("fit", "score"):
            found = measured(stored, method, arguments)
            print(f"| {stored} | {method} | {found[0]:.0f} | {found[1]:.0f} |")


if __name__ == "__main__":
    main()
