"""Shares of one data set, and estimators of them that ranks merge."""

import pickle

import numpy as np

from sknc import NeuralCollapseAnalyzer

N, K, D = 600, 6, 12
_RNG = np.random.default_rng(0)
Y = np.arange(N) % K
_RNG.shuffle(Y)
X = 100 + 3 * _RNG.standard_normal((K, D))[Y] + _RNG.standard_normal((N, D))
HEAD = (_RNG.standard_normal((K, D)), _RNG.standard_normal(K))
WEIGHTS = np.where(np.arange(N) % 3, 1.0, 0.5)
NAMES = np.array(["ant", "bee", "cat", "dog", "elk", "fox"])
# About means far away, each with a small spread; wider than what is widened.
X_TIGHT = (
    100 + _RNG.standard_normal((K, 300))[Y] + 1e-4 * _RNG.standard_normal((N, 300))
)

ROWS = np.arange(N)
SHARES = {
    "even": lambda rank, size: ROWS % size == rank,
    "uneven": lambda rank, size: (
        (ROWS % 10 == 0) == (rank == 0) if rank < 2 else np.zeros(N, dtype=bool)
    ),
    "empty first": lambda rank, size: (rank > 0) & (ROWS % (size - 1) == rank - 1),
    "classes apart": lambda rank, size: Y % size == rank,
}
OPTIONS = {
    "plain": {},
    "head": {"head": HEAD, "metrics": "all"},
    "no scatter": {"covariance": False, "head": HEAD},
    "strings": {"labels": NAMES[Y]},
    "tight": {"features": X_TIGHT},
    "single": {"features": X.astype(np.float32), "head": HEAD},
    "weights": {"weights": WEIGHTS, "head": HEAD},
    "groups": {"n_jackknife": 4, "head": HEAD},
    "tensors": {"tensors": True, "head": HEAD},
}
CASES = [
    *[(share, option) for share in ("even", "classes apart") for option in OPTIONS],
    *[(share, "groups") for share in SHARES if share not in ("even", "classes apart")],
    *[(share, "plain") for share in SHARES if share not in ("even", "classes apart")],
]


def rows_of(share, option, rank, size):
    """Return an unfitted analyzer, and the samples of a rank as arguments of fit."""
    options = dict(OPTIONS[option])
    y, x = options.pop("labels", Y), options.pop("features", X)
    weights, is_tensor = options.pop("weights", None), options.pop("tensors", False)
    rows = ROWS >= 0 if size == 1 else SHARES[share](rank, size)
    x, y = x[rows], y[rows]
    weights = None if weights is None else weights[rows]
    if is_tensor:
        import torch

        x, y = torch.tensor(x), torch.tensor(y)
    return NeuralCollapseAnalyzer(**options), (x, y, weights)


def fitted(share, option, rank, size):
    """Return the analyzer of a rank in two batches, and its samples in batches."""
    analyzer, (x, y, weights) = rows_of(share, option, rank, size)
    batches = []
    for start in range(0, len(x), 199):
        part = slice(start, start + 199)
        batches.append((x[part], y[part], None if weights is None else weights[part]))
    for batch in batches:
        analyzer.partial_fit(batch[0], batch[1], sample_weight=batch[2])
    return analyzer, batches


def bits(analyzer):
    """Return all numbers of the state, as bytes."""
    parts = analyzer._stream.read()[1]
    arrays = []
    for part in parts:
        if part is not None:
            part.moments.map_all(lambda array: arrays.append(np.asarray(array)))
            arrays.append(part.classes)
    return pickle.dumps([(a.dtype.str, a.shape, a.tobytes()) for a in arrays])


def found(share, option, rank, size, merge, score):
    """Return what a rank finds out, and check that its own state stayed as it was."""
    mine, batches = fitted(share, option, rank, size)
    before = bits(mine) if batches else None
    merged = merge(mine)
    report = score(merged, batches)
    assert (bits(mine) if batches else None) == before
    statistics = merged.statistics_
    return {
        "bits": bits(merged),
        "classes": statistics.classes,
        "means": np.asarray(merged.class_means_),
        "within": None
        if statistics.within_scatter is None
        else np.asarray(statistics.within_scatter),
        "n_samples": merged.n_samples_seen_,
        "fitted": merged.report(),
        "scored": report,
    }
