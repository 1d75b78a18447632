"""What `NeuralRegressionCollapse` takes, in time and memory."""

import pickle
from collections.abc import Iterator

import numpy as np
from _measure import medians, once, peak_megabytes

from sknc import NeuralRegressionCollapse

COLUMNS = ["what", "(N, D, targets)", "seconds", "against", "ratio", "memory"]


def regression(quick: bool) -> Iterator[list[str]]:
    """Accumulation, report and score at D = 512."""
    n, d, n_targets = 5_000 if quick else 50_000, 512, 3
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((n, n_targets), dtype=np.float32)
    X = Y @ rng.standard_normal((n_targets, d), dtype=np.float32)
    X += rng.standard_normal(X.shape, dtype=np.float32)
    head = rng.standard_normal((n_targets, d))
    shape = f"({n}, {d}, {n_targets})"

    def fit(size: int) -> NeuralRegressionCollapse:
        estimator = NeuralRegressionCollapse(head, metrics="all")
        for start in range(0, n, size):
            part = slice(start, start + size)
            estimator.partial_fit(X[part], Y[part])
        return estimator

    wide = X.astype(np.float64)
    for size in (4_096, 128):
        ours, product = medians(3, lambda s=size: fit(s), lambda: wide.T @ wide)
        yield [
            f"`partial_fit`, batches of {size}",
            shape,
            f"{ours:.3g} s",
            f"`X.T @ X` in float64 ({product:.3g} s)",
            f"{ours / product:.3g}×",
            f"{peak_megabytes(lambda s=size: fit(s)):.0f} MB",
        ]
    fitted = fit(4_096)
    state = fitted.statistics_
    kept = [a for m in (state.joint, state.directions) for a in vars(m).values()]
    held = sum(array.nbytes for array in kept) / 2**20
    yield ["state", shape, "", "", "", f"{held:.1f} MB"]
    for name, call in (
        ('`report()`, `metrics="all"`', lambda: _fresh(fitted).report()),
        ("`score()` of all samples", lambda: fitted.score(X, Y)),
    ):
        memory = peak_megabytes(call)
        yield [name, shape, f"{once(call):.3g} s", "", "", f"{memory:.0f} MB"]


def _fresh(fitted: NeuralRegressionCollapse) -> NeuralRegressionCollapse:
    """Return a copy that has to derive everything from its sums again."""
    found: NeuralRegressionCollapse = pickle.loads(pickle.dumps(fitted))
    return found
