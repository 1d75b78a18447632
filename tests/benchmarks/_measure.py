"""Medians of interleaved runs in one process, and peak memory."""

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_PAUSE = 0.1  # seconds


@dataclass(frozen=True)
class Row:
    """One line of a table: what, its time, what it is compared with, and the bar."""

    what: str
    shape: str
    seconds: float
    reference: str
    reference_seconds: float
    at_most: float | None = None

    @property
    def ratio(self) -> float:
        return self.seconds / self.reference_seconds

    @property
    def verdict(self) -> str:
        if self.at_most is None:
            return ""
        return "met" if self.ratio <= self.at_most else "**missed**"

    def cells(self) -> list[str]:
        bar = "" if self.at_most is None else f"{self.at_most:.3g}×"
        return [
            self.what,
            self.shape,
            f"{self.seconds:.4g} s",
            f"{self.reference} ({self.reference_seconds:.4g} s)",
            f"{self.ratio:.3g}×",
            bar,
            self.verdict,
        ]


def medians(repeats: int, *functions: Callable[[], Any]) -> list[float]:
    """
    Time the functions in turn, after one run each, and return their medians.

    A pause before each run lets the threads of the last one fall asleep: those of a
    BLAS look out for more work for some 30 ms, on cores that others would need.
    """
    for function in functions:
        function()
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, times in zip(functions, seconds, strict=True):
            time.sleep(_PAUSE)
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def once(function: Callable[[], Any]) -> float:
    """Time one run, for work of many seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def peak_megabytes(function: Callable[[], Any]) -> float:
    """Return the peak of memory allocated by the function beyond what was held."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


@dataclass(frozen=True)
class Data:
    """Features of Gaussian classes, their labels, and a head."""

    X: np.ndarray
    y: np.ndarray
    W: np.ndarray
    b: np.ndarray

    @property
    def n_classes(self) -> int:
        return len(self.W)

    @property
    def shape(self) -> str:
        return f"({len(self.X)}, {self.X.shape[1]}, {self.n_classes})"


def make_data(n: int, d: int, k: int, *, zipf: bool = False, seed: int = 0) -> Data:
    """Draw float32 features; every class has a sample if there are enough."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((k, d), dtype=np.float32)
    shares = 1 / np.arange(1, k + 1) if zipf else np.ones(k)
    y = rng.choice(k, size=n, p=shares / shares.sum())
    if n >= k:
        y[:k] = np.arange(k)
    X = rng.standard_normal((n, d), dtype=np.float32)
    X += centers[y]
    weights = centers + rng.standard_normal((k, d), dtype=np.float32) / 10
    return Data(X, y, weights, rng.standard_normal(k, dtype=np.float32))


def batches(data: Data, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the data into batches."""
    return [
        (data.X[i : i + size], data.y[i : i + size])
        for i in range(0, len(data.X), size)
    ]
