"""The note on ``nc1_pinv`` where sampling error is much of what it divides by."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA
from toys import around, simplex

from sknc import Convention, NeuralCollapseAnalyzer
from sknc.convention import PRESETS
from sknc.metrics._shared.instability import noise_share

NOTE = (
    "Unstable: in the directions that make up most of it, the class means differ by "
    "little more than their sampling error. Compare nc1_cdnv or nc1_trace_ratio, or "
    "fit more samples of each class."
)


def means_of_condition(condition, n_classes=5, seed=0):
    """Return K centered means in K - 1 dimensions, the largest singular value 1."""
    rng = np.random.default_rng(seed)
    base = np.c_[np.ones(n_classes), rng.standard_normal((n_classes, n_classes - 1))]
    basis = np.linalg.qr(base)[0][:, 1:]
    values = np.geomspace(1, 1 / condition, n_classes - 1)
    return np.sqrt(n_classes) * basis * values


def sampled(means, n, spread, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(means)), n)
    return means[y] + spread * rng.standard_normal((len(y), means.shape[1])), y


@pytest.mark.parametrize("n_directions", [8, 9, 10, 64])
@pytest.mark.parametrize("weight", [None, 1e-3])
def test_projected_digits(n_directions, weight):
    X, y = load_digits(return_X_y=True)
    X = PCA(n_directions).fit_transform(X)
    weights = None if weight is None else np.full(len(y), weight)
    report = NeuralCollapseAnalyzer().fit(X, y, weights).report()
    # The second pass of another analyzer has no scatter, and the same note.
    scored = NeuralCollapseAnalyzer(covariance=False).fit(X, y).score(X, y)
    expected = NOTE if n_directions < 10 else None
    assert report.notes.get("nc1_pinv") == scored.notes.get("nc1_pinv") == expected
    assert (report.nc1_pinv > 10) == (n_directions < 10)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_plain_data_have_no_note(load):
    report = NeuralCollapseAnalyzer().fit(*load(return_X_y=True)).report()
    assert "nc1_pinv" not in report.notes


@pytest.mark.parametrize("n_features", [5, 6, 32])
def test_collapse_has_no_note(n_features):
    for spread in (1e-9, 1e-4, 1e-2, 0.3):
        item = around(simplex(5, n_features), 20, spread)
        report = NeuralCollapseAnalyzer().fit(item.X, item.y).report()
        assert "nc1_pinv" not in report.notes, spread


def test_share_is_that_of_each_direction():
    means = means_of_condition(6, n_classes=6)
    X, y = sampled(means, 400, 0.5)
    K, counts = len(means), np.bincount(y)
    centers = np.array([X[y == k].mean(axis=0) for k in range(K)])
    within = np.mean([np.cov(X[y == k].T, bias=True) for k in range(K)], axis=0)
    between, directions = np.linalg.eigh(np.cov(centers.T, bias=True))
    along = np.einsum("dr,de,er->r", directions, within, directions)
    parts = along / between
    expected = np.sum(parts * along / counts[0] / between) / np.sum(parts)
    analyzer = NeuralCollapseAnalyzer().fit(X, y)
    value = analyzer.report().nc1_pinv
    for name in PRESETS:
        convention = Convention.preset(name)
        scaled = value if convention.divide_by_classes else value * K
        share = noise_share(scaled, analyzer.statistics_, convention)
        assert share == pytest.approx(expected, rel=0.02), name


def test_note_is_there_where_samples_miss_the_population():
    # tr(Σ_W Σ_B†) / K of the population, with Σ_W = spread² I.
    for condition, spread, n, unstable in (
        (5, 0.5, 200, False),
        (30, 0.05, 20, False),
        (200, 0.05, 2000, False),
        (200, 0.5, 200, True),
        (30, 2.0, 200, True),
    ):
        means = means_of_condition(condition)
        true = np.sum(spread**2 / np.linalg.svd(means / 5**0.5)[1] ** 2) / 5
        reports = [
            NeuralCollapseAnalyzer().fit(*sampled(means, n, spread, seed)).report()
            for seed in range(20)
        ]
        ratios = np.array([report.nc1_pinv for report in reports]) / true
        noted = [report.notes.get("nc1_pinv") == NOTE for report in reports]
        if unstable:
            assert all(noted)
            assert ratios.max() > 5 * ratios.min()
        else:
            assert not any(noted)
            assert 0.5 < ratios.min() < ratios.max() < 2


@pytest.mark.parametrize("condition", [1, 30, 200])
def test_values_without_the_note_repeat_in_many_dimensions(condition):
    means = np.c_[means_of_condition(condition), np.zeros((5, 60))]
    reports = [
        NeuralCollapseAnalyzer().fit(*sampled(means, 20, 0.5, seed)).report()
        for seed in range(20)
    ]
    values = [report.nc1_pinv for report in reports]
    assert max(values) < 2 * min(values)
    assert not any("nc1_pinv" in report.notes for report in reports)
