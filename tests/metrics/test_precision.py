"""Float32 features far from the origin, where naive sums give negative values."""

from functools import cache

import numpy as np
import pytest
from references import large_nc1
from toys import simplex

from sknc import NeuralCollapseAnalyzer

CASES = {
    "tight_64": (64, 100.0, 1e-4),
    "tight_512": (512, 100.0, 1e-4),
    "far_64": (64, 1e4, 1.0),
    "far_512": (512, 1e4, 1.0),
}


@cache
def features(name):
    n_features, offset, spread = CASES[name]
    rng = np.random.default_rng(n_features)
    y = rng.integers(10, size=3000)
    means = 5 * simplex(10, n_features)
    X = means[y] + spread * rng.standard_normal((3000, n_features)) + offset
    X = X.astype(np.float32)
    return X, y, large_nc1(X, y)


def assert_true(report, truth):
    assert report.nc1_trace_ratio == pytest.approx(truth[0], rel=1e-5)
    assert report.nc1_pinv == pytest.approx(truth[1], rel=1e-5)
    assert min(report.to_dict().values()) >= 0


@pytest.mark.parametrize("name", CASES)
def test_one_pass(name):
    X, y, truth = features(name)
    assert_true(NeuralCollapseAnalyzer().fit(X, y).report(), truth)


@pytest.mark.parametrize("name", CASES)
def test_two_passes(name):
    X, y, truth = features(name)
    analyzer = NeuralCollapseAnalyzer(covariance=False).fit(X, y)
    assert_true(analyzer.score(X, y), truth)


@pytest.mark.parametrize("name", CASES)
def test_batches_and_shards(name):
    X, y, truth = features(name)
    shards = [NeuralCollapseAnalyzer() for _ in range(3)]
    for i, start in enumerate(range(0, len(X), 130)):
        part = slice(start, start + 130)
        shards[i % 3].partial_fit(X[part], y[part])
    assert_true(shards[0].merge(*shards[1:]).report(), truth)


@pytest.mark.parametrize("name", CASES)
def test_torch(name, torch):
    X, y, truth = features(name)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    assert_true(NeuralCollapseAnalyzer().fit(X, y).score(X, y), truth)


def test_naive_sums_do_fail_here():
    # Otherwise the tests above would show nothing.
    X, y, truth = features("tight_64")
    squares = sum((X[y == k] ** 2).mean(0).sum() for k in range(10))
    naive = squares - sum((X[y == k].mean(0) ** 2).sum() for k in range(10))
    between = (5 * simplex(10, 64)).var(0).sum()
    assert abs(naive / 10 / between / truth[0] - 1) > 0.1


def test_small_spread_along_the_means_under_large_spread_elsewhere():
    # Collapse in the directions that matter, noise in 300 that do not.
    n_features, rng = 320, np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    means = 5 * simplex(10, 16) @ basis[:16]
    y = rng.integers(10, size=4000)
    inside = 1e-3 * rng.standard_normal((4000, 16)) @ basis[:16]
    outside = rng.standard_normal((4000, 304)) @ basis[16:]
    X = (means[y] + inside + outside).astype(np.float32)
    assert_true(NeuralCollapseAnalyzer().fit(X, y).report(), large_nc1(X, y))


@pytest.mark.parametrize("noise", [1e-8, 1e-12])
def test_almost_exact_simplex_keeps_its_digits(noise):
    # The closed forms of NC2 lose everything below 1e-8.
    rng = np.random.default_rng(0)
    means = simplex(8, 10) + noise * rng.standard_normal((8, 10))
    report = NeuralCollapseAnalyzer().fit(means, np.arange(8)).report()
    centered = means - means.mean(0)
    norms = np.linalg.norm(centered, axis=1)
    unit = centered / norms[:, None]
    cosines = (unit @ unit.T)[np.triu_indices(8, 1)]
    slack = {"rel": 1e-3, "abs": 1e-15}
    assert report.nc2_cos_std == pytest.approx(cosines.std(ddof=1), **slack)
    assert report.nc2_equinorm == pytest.approx(
        norms.std(ddof=1) / norms.mean(), **slack
    )
    assert noise / 10 < report.nc2_etf < noise * 10
    assert noise / 10 < report.nc2_equiangular < noise * 10
