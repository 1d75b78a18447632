"""
Rates of features in files: whole data sets, and formats.

    python tests/benchmarks/files.py --gigabytes 8 --shards 64 FOLDER
    python tests/benchmarks/files.py --formats FOLDER

The first writes float16 features in shards, unless they are there, with labels of 1 000
classes by Zipf's law. Then it reads the files and takes one ``X.T @ X`` of them, fits
an analyzer by one process, and by two, each in processes of their own whose memory is
watched. The second writes one file of each format, and reads it and fits an analyzer.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from feature_files import NPY, WAYS

from sknc import NeuralCollapseAnalyzer
from sknc.io import FeatureFiles, fit_files, open_features

CLASSES, STEP = 1000, 8192
MEGABYTE = 1e6


def samples(
    n_rows: int, n_features: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield features and labels, some rows at a time."""
    means = 3 * np.random.default_rng(0).standard_normal(
        (CLASSES, n_features), dtype=np.float32
    )
    rng = np.random.default_rng(seed + 1)
    shares = 1 / np.arange(1, CLASSES + 1)
    for start in range(0, n_rows, STEP):
        n = min(STEP, n_rows - start)
        y = rng.choice(CLASSES, size=n, p=shares / shares.sum())
        yield means[y] + rng.standard_normal((n, n_features), dtype=np.float32), y


def write_shards(folder: Path, gigabytes: float, n_shards: int, width: int) -> None:
    """Write shards that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    n_rows = int(gigabytes * 1e9) // (2 * width * n_shards)
    for number in range(n_shards):
        labels = folder / f"labels_{number}.npy"
        if labels.exists():
            continue
        path = folder / f"features_{number}.npy"
        X = np.lib.format.open_memmap(path, "w+", np.float16, (n_rows, width))
        y = np.empty(n_rows, np.int64)
        for start, (rows, own) in zip(
            range(0, n_rows, STEP), samples(n_rows, width, number), strict=True
        ):
            X[start : start + STEP], y[start : start + STEP] = rows, own
        del X
        np.save(labels, y)


# What is timed ------------------------------------------------------------------


def read(files: FeatureFiles) -> None:
    """Touch every number."""
    for X, _ in files.batches(STEP):
        X.view(np.uint8).max()


def product(files: FeatureFiles) -> None:
    """Take one product of all rows in float32, added in float64."""
    total = np.zeros((files.shape[1],) * 2)
    for X, _ in files.batches(STEP):
        rows = X.astype(np.float32)
        total += rows.T @ rows


def fit(files: FeatureFiles) -> None:
    """Fit in this process."""
    fit_files(NeuralCollapseAnalyzer(), files)


def fit_by_two(files: FeatureFiles) -> None:
    """Fit in two processes."""
    fit_files(NeuralCollapseAnalyzer(), files, n_jobs=2)


TASKS: dict[str, Callable[[FeatureFiles], None]] = {
    "read": read,
    "product": product,
    "fit": fit,
    "fit_by_two": fit_by_two,
}


def shards_of(folder: Path) -> FeatureFiles:
    return open_features(folder / "features_*.npy", folder / "labels_*.npy")


# Watched processes ----------------------------------------------------------------


def resident(pid: int) -> int:
    """Return the resident bytes of a process and its children, with pages of files."""
    total = 0
    for status in (pid, *children(pid)):
        try:
            text = Path(f"/proc/{status}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found = [line.split()[1] for line in text.splitlines() if "VmRSS" in line]
        total += 1024 * int(found[0]) if found else 0
    return total


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [item for child in map(int, found) for item in (child, *children(child))]


def watched(folder: Path, task: str) -> tuple[float, float]:
    """Return the seconds of a task in a process of its own, and its peak of memory."""
    command = [sys.executable, __file__, "--child", task, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(0.02)
        assert process.stdout is not None
        return float(process.stdout.read()), peak / MEGABYTE


def child(folder: Path, task: str) -> None:
    files = shards_of(folder)
    start = time.perf_counter()
    TASKS[task](files)
    print(time.perf_counter() - start)


def whole(folder: Path, repeat: int) -> None:
    """Print a table of the tasks on all shards."""
    files = shards_of(folder)
    size = files.shape[0] * files.shape[1] * files.dtype.itemsize
    print(f"{len(files.paths)} shards, {files.shape}, {size / 1e9:.2f} GB\n")
    print("| task | seconds | MB/s | peak resident memory |\n|---|---|---|---|")
    found = {task: [] for task in TASKS}
    for _ in range(repeat):
        for task in TASKS:
            found[task].append(watched(folder, task))
    for task, runs in found.items():
        seconds, peak = min(runs)[0], max(memory for _, memory in runs)
        rate = size / seconds / MEGABYTE
        print(f"| {task} | {seconds:.1f} | {rate:.0f} | {peak:.0f} MB |", flush=True)


# Formats ------------------------------------------------------------------------------


def rate_of_format(files: FeatureFiles) -> tuple[float, float]:
    """Return seconds to read and to fit, the better of two runs each."""
    seconds = []
    for task in (read, fit):
        runs = []
        for _ in range(2):
            start = time.perf_counter()
            task(files)
            runs.append(time.perf_counter() - start)
        seconds.append(min(runs))
    return seconds[0], seconds[1]


def formats(folder: Path, n_rows: int, width: int) -> None:
    """Print a table of formats."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [*zip(*samples(n_rows, width, 0), strict=True)]
    X, y = np.concatenate(parts[0]).astype(np.float16), np.concatenate(parts[1])
    size = X.nbytes / MEGABYTE
    print(f"{X.shape} of float16, {size:.0f} MB\n")
    print("| file | read, MB/s | relative to `.npy` | fit, MB/s | relative to `.npy` |")
    print("|---|---|---|---|---|")
    reference: tuple[float, float] | None = None
    for way in (NPY, *WAYS):
        path = way.written(folder / way.name, X, y)
        files = open_features(path, y)
        found = rate_of_format(files)
        reference = reference or found
        cells = [
            cell
            for seconds, raw in zip(found, reference, strict=True)
            for cell in (f"{size / seconds:.0f}", f"{raw / seconds:.2f}")
        ]
        print(f"| `{way.name}` | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--child", choices=TASKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.folder, options.child)
    elif options.formats:
        formats(options.folder, options.rows, options.width)
    else:
        sizes = (options.gigabytes, options.shards, options.width)
        write_shards(options.folder, *sizes)
        whole(options.folder, options.repeat)


if __name__ == "__main__":
    main()
