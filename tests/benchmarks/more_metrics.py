"""
Time and memory of what reports leave out by default, for 1 000 classes of 512 features.

    python tests/benchmarks/more_metrics.py

It prints a table, and writes it between its marks in docs/performance.md.
"""

import time
import tracemalloc
from pathlib import Path

import numpy as np

from sknc import (
    ClassStatistics,
    LinearHead,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
    OutOfDistributionDetector,
    metrics,
)

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
START, END = "<!-- more metrics -->", "<!-- end of more metrics -->"
K, D, N, BATCH = 1000, 512, 20000, 4096


def measured(function):
    """Return what a call returns, its seconds, and its peak of memory in MB."""
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    found = function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, seconds, peak / 1e6


def cases():
    """Yield what is measured, and a call."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(K), rng.integers(K, size=N - K)])
    means = rng.standard_normal((K, D), dtype=np.float32)
    X = means[y] + rng.standard_normal((N, D), dtype=np.float32)
    head = LinearHead(means, np.zeros(K))

    def statistics():
        return ClassStatistics.from_samples(X, y)

    for key in ("gnc2_margin", "gnc2_energy_log", "gnc2_dispersion_distance"):
        yield (
            f"`{key}_head`",
            lambda key=key: getattr(metrics, f"{key}_head")(LinearHead(means, None)),
        )
    yield (
        "fit (the rows below begin with it)",
        statistics,
    )
    yield "`nc3_orthoframe`", lambda: metrics.nc3_orthoframe(statistics(), head)
    yield "`least_squares_head`", lambda: metrics.least_squares_head(statistics())
    yield "`spec_rankme`", lambda: metrics.spec_rankme(statistics())
    yield (
        "`spec_total_effective_rank`",
        lambda: metrics.spec_total_effective_rank(statistics()),
    )
    yield (
        '`nc1_vci(weights="uniform")`',
        lambda: metrics.nc1_vci(statistics(), weights="uniform"),
    )
    yield "`minority_profile`", lambda: metrics.minority_profile(statistics(), head)
    yield (
        f"`neco_scores` of {N} samples",
        lambda: metrics.neco_scores(statistics(), X),
    )
    yield (
        f"`nci_scores` of {N} samples",
        lambda: metrics.nci_scores(statistics(), X, head),
    )
    yield (
        f"`OutOfDistributionDetector`, fit of {N} samples",
        lambda: OutOfDistributionDetector().fit(X, y),
    )
    for metric in ("standardized", "mahalanobis"):
        yield (
            f'`NearestClassCenter("{metric}")`, fit and predict of {N} samples',
            lambda metric=metric: NearestClassCenter(metric).fit(X, y).predict(X),
        )
    analyzer = NeuralCollapseAnalyzer(metrics=["nc1_few_shot_bound"]).fit(X, y)
    yield (
        f"`nc1_few_shot_bound`, score of {N} samples",
        lambda: analyzer.score(X, y),
    )
    few = y < 50
    by_class = {"covariance": "by_class"}
    some = ClassStatistics.from_samples(X[few], y[few], **by_class)
    for key in ("spec_class_stable_rank", "spec_class_nuclear_ratio"):
        fresh = ClassStatistics(**{n: getattr(some, n) for n in FIELDS})
        yield (
            f"`{key}`, 50 of the classes",
            lambda key=key, fresh=fresh: getattr(metrics, key)(
                ClassStatistics(**{n: getattr(fresh, n) for n in FIELDS})
            ),
        )


FIELDS = ("classes", "moments", "n_samples", "input_dtype", "class_scatters")


def by_class_row():
    """Measure the accumulation of class scatters once, in batches."""
    rng = np.random.default_rng(0)
    analyzer = NeuralCollapseAnalyzer(covariance="by_class")
    start = time.perf_counter()
    for _ in range(0, N, BATCH):
        X = rng.standard_normal((BATCH, D), dtype=np.float32)
        analyzer.partial_fit(X, rng.integers(K, size=BATCH))
    seconds = time.perf_counter() - start
    size = 8 * K * D**2 / 1e6
    rows = -(-N // BATCH) * BATCH
    return f'`covariance="by_class"`, fit of {rows} samples', seconds, size


def main():
    """Measure, print and write."""
    lines = ["| what | seconds | memory |", "| --- | --- | --- |"]
    for name, call in cases():
        _, seconds, peak = measured(call)
        lines.append(f"| {name} | {seconds:.3g} s | {peak:.0f} MB |")
        print(lines[-1], flush=True)
    name, seconds, size = by_class_row()
    lines.append(f"| {name} | {seconds:.3g} s | {size:.0f} MB of state |")
    print(lines[-1])
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    after = rest.partition(END)[2]
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
