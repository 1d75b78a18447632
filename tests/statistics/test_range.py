"""Sums of very small and very large numbers are as right as of others."""

import numpy as np
import pytest
import two_passes
from tolerances import SINGLE

from sknc import NeuralCollapseAnalyzer
from sknc._utils import arrays
from sknc.statistics._accumulation import totals

N, D, CLASSES = 3000, 300, 4


def samples(scale, dtype=np.float32):
    rng = np.random.default_rng(0)
    y = np.arange(N) % CLASSES
    X = rng.standard_normal((N, D)) + 3 * np.eye(CLASSES, D)[y]
    return (X * scale).astype(dtype), y


def fed(X, y, size, weights=None, **options):
    analyzer = NeuralCollapseAnalyzer(**options)
    for start in range(0, len(y), size):
        part = slice(start, start + size)
        given = None if weights is None else weights[part]
        analyzer.partial_fit(X[part], y[part], sample_weight=given)
    return analyzer


def assert_right(analyzer, X, y, rtol, weights=None):
    """Compare with two passes, in units in which nothing is small or large."""
    state, unit = analyzer.statistics_, float(np.abs(X).max())
    weight = 1 if weights is None else weights.max()
    w = None if weights is None else weights / weight
    moments = two_passes.moments(X.astype(float) / unit, y, w)
    _, _, means, variances, scatter = moments
    np.testing.assert_allclose(state.class_means / unit, means, 0, rtol)
    np.testing.assert_allclose(state.class_variances / unit / unit, variances, rtol)
    if analyzer.covariance:
        found = state.within_scatter / weight / unit / unit
        assert np.abs(found - scatter).max() <= rtol * np.abs(scatter).max()


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("size", [128, N])
@pytest.mark.parametrize("exponent", [-37, -24, -20, -19, -8, 8, 15, 17, 17.7, 19, 37])
def test_single_precision(exponent, size, covariance):
    X, y = samples(10.0**exponent)
    analyzer = fed(X, y, size, covariance=covariance)
    assert_right(analyzer, X, y, 1e-6)


@pytest.mark.parametrize("exponent", [-140, -37, 37, 140])
def test_double_precision(exponent):
    X, y = samples(10.0**exponent, np.float64)
    assert_right(fed(X, y, 1000), X, y, 1e-12)


@pytest.mark.parametrize("exponent", [-24, 24])
def test_after_features_of_usual_size(exponent):
    # What comes next is seen only if it is about an anchor that is near.
    X, y = samples(10.0**exponent)
    X[:8] = np.random.default_rng(0).standard_normal((8, D))
    analyzer = fed(X[8:], y[8:], 500)
    assert_right(analyzer, X[8:], y[8:], 1e-6)
    analyzer.partial_fit(X[:8], y[:8])
    assert_right(analyzer, X, y, 1e-6)


@pytest.mark.parametrize("size", [128, N])
def test_one_tiny_class(size):
    X, y = samples(1.0)
    X[y == 2] = (X[y == 2] * 1e-24).astype(np.float32)
    variances = fed(X, y, size).statistics_.class_variances
    residuals = X[y == 2].astype(float)
    want = ((residuals - residuals.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert variances[2] == pytest.approx(want, rel=SINGLE)


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-200, -90, -46, -30, 30, 39, 90, 200])
def test_weights(exponent, dtype, covariance):
    X, y = samples(1.0, dtype)
    weights = np.random.default_rng(1).uniform(0.5, 2, N) * 10.0**exponent
    analyzer = fed(X, y, 500, weights, covariance=covariance)
    assert_right(analyzer, X, y, 1e-6, weights)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("exponent", [-90, -46, -20])
def test_one_class_of_little_weight(exponent, dtype):
    X, y = samples(1.0, dtype)
    weights = np.where(y == 1, 10.0**exponent, 1.0)
    assert_right(fed(X, y, 500, weights), X, y, 1e-6, weights)


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("scale", [1e-9, 1e-12, 1e-13, 1e-14, 1e-16])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_features_that_differ_in_their_last_digits(library, scale, covariance):
    # Their residuals are much smaller than what is seen before there are anchors.
    as_array = pytest.importorskip(library).asarray
    X, y = samples(1.0)
    X = (scale * (1 + X * 2e-7)).astype(np.float32)
    analyzer = fed(as_array(X), as_array(y), 1000, covariance=covariance)
    found = arrays.to_numpy(analyzer.statistics_.class_variances) / scale / scale
    want = two_passes.moments(X.astype(float) / scale, y)[3]
    np.testing.assert_allclose(found, want, rtol=SINGLE)


def test_usual_features_stay_in_single_precision(monkeypatch):
    # Products in float64 take twice as long.
    dtypes, with_sums = set(), totals.Totals.with_sums

    def seen(self, rows, threads, memory=None):
        dtypes.add(rows.values.dtype)
        return with_sums(self, rows, threads)

    monkeypatch.setattr(totals.Totals, "with_sums", seen)
    X, y = samples(1.0)
    X[y == 3] = 0  # as after a ReLU
    X[y == 2] = X[2]
    weights = np.random.default_rng(1).uniform(1e-6, 1e6, N)
    for scale in (1e-4, 1, 1e4):
        for given in (None, weights):
            analyzer = fed((X * scale).astype(np.float32), y, 700, given)
            assert np.isfinite(analyzer.statistics_.class_variances).all()
    assert dtypes == {np.dtype(np.float32)}
