"""Means, variances and scatter in two passes of float64, without any anchors."""

import numpy as np


def moments(X, y, weights=None):
    """Return labels, counts, means, variances and the scatter within the classes."""
    X = X.astype(float)
    w = np.ones(len(y)) if weights is None else weights
    classes, index = np.unique(y, return_inverse=True)
    counts = np.bincount(index, w)
    means = np.array([np.average(X[y == k], 0, w[y == k]) for k in classes])
    gaps = (X - means[index]) * np.sqrt(w)[:, None]
    variances = np.bincount(index, (gaps**2).sum(axis=1)) / counts
    return classes, counts, means, variances, gaps.T @ gaps


def assert_same(state, X, y, weights=None, *, rtol):
    """
    Compare statistics with two passes.

    Errors of means are relative to the standard deviation of a feature, others to the
    largest value.
    """
    classes, counts, means, variances, scatter = moments(X, y, weights)
    seen = state.observed
    assert state.n_samples == len(y)
    np.testing.assert_array_equal(state.classes[seen], classes)
    np.testing.assert_allclose(state.counts[seen], counts, rtol=1e-12)
    width = np.sqrt(variances.max() / X.shape[1])
    gap = np.abs(state.class_means[seen] - means).max()
    assert gap <= rtol * (width or np.abs(means).max())
    gap = np.abs(state.class_variances[seen] - variances).max()
    assert gap <= rtol * variances.max()
    if state.within_scatter is not None:
        gap = np.abs(state.within_scatter - scatter).max()
        assert gap <= rtol * np.abs(scatter).max()


def assert_all_same(state, batches, *, rtol):
    """Compare statistics with two passes over batches of (X, y, weights or None)."""
    X = np.concatenate([X.astype(float) for X, _, _ in batches])
    y = np.concatenate([y for _, y, _ in batches])
    parts = [np.ones(len(y)) if w is None else w for _, y, w in batches]
    assert_same(state, X, y, np.concatenate(parts), rtol=rtol)
