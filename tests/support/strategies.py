"""Hypothesis strategies: labelled features, and ways to cut them into pieces."""

import itertools

import numpy as np
import toys
from hypothesis import strategies as st

seeds = st.integers(0, 2**32 - 1)


@st.composite
def labelled(draw, max_classes=6, max_features=8, max_samples=60, dtype="float64"):
    """Draw features about random class means; every class has a sample."""
    n_classes = draw(st.integers(2, max_classes))
    n_features = draw(st.integers(1, max_features))
    n_samples = draw(st.integers(2 * n_classes, max_samples))
    spread = draw(st.sampled_from([1e-3, 0.1, 1.0, 3.0]))
    offset = draw(st.sampled_from([0.0, 1.0, 30.0]))
    rng = np.random.default_rng(draw(seeds))
    means = rng.standard_normal((n_classes, n_features)) + offset
    y = np.concatenate(
        [
            np.repeat(np.arange(n_classes), 2),
            rng.integers(n_classes, size=n_samples - 2 * n_classes),
        ]
    )
    y = rng.permutation(y)
    X = means[y] + spread * rng.standard_normal((n_samples, n_features))
    W = means - means.mean(0) + 0.3 * rng.standard_normal(means.shape)
    b = rng.standard_normal(n_classes) - W @ means.mean(0)
    return toys.Toy(X.astype(dtype), y, W, b)


@st.composite
def cuts(draw, n_samples):
    """Draw a cut into batches, as slices; one-sample batches are likely."""
    every = draw(st.booleans()) and n_samples <= 64
    if every:
        return [slice(i, i + 1) for i in range(n_samples)]
    inner = draw(st.lists(st.integers(1, n_samples - 1), max_size=12, unique=True))
    edges = [0, *sorted(inner), n_samples]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@st.composite
def merged(draw, parts, join):
    """Draw an order and a binary tree, and join the parts along it."""
    parts = list(draw(st.permutations(parts)))
    while len(parts) > 1:
        i = draw(st.integers(0, len(parts) - 2))
        parts[i : i + 2] = [join(parts[i], parts[i + 1])]
    return parts[0]


def rotations(n_features, seed):
    """Return a random orthogonal matrix."""
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
