"""The three covariances, against `numpy.cov` and each other."""

import numpy as np
import pytest
from hypothesis import given
from references import PRESETS
from strategies import labelled
from tables import each
from tolerances import CLOSE, TIGHT
from toys import BUILDERS, toy

from sknc import NeuralCollapseAnalyzer

NAMES = sorted(set(BUILDERS) - {"exact_simplex"})


def parts(item, preset):
    fitted = NeuralCollapseAnalyzer(convention=preset).fit(item.X, item.y)
    return (
        fitted.within_class_covariance_,
        fitted.between_class_covariance_,
        fitted.total_covariance_,
    )


def reference_total(item):
    # Exact shift first, so that the reference itself loses nothing.
    return np.atleast_2d(np.cov((item.X - item.X[0]).T, bias=True))


def assert_same(a, b, rtol=TIGHT):
    np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@each("name", NAMES)
def test_the_parts_sum_to_the_total_for_any_counts(name):
    within, between, total = parts(toy(name), "frequency")
    assert_same(within + between, reference_total(toy(name)))
    assert_same(total, reference_total(toy(name)))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["random_balanced", "noisy_simplex", "square"])
def test_the_parts_sum_to_the_total_on_balanced_data(name, preset):
    within, between, _ = parts(toy(name), preset)
    assert_same(within + between, reference_total(toy(name)))


def test_by_default_they_do_not_on_imbalanced_data():
    within, between, total = parts(toy("long_tailed"), "default")
    assert_same(total, reference_total(toy("long_tailed")))
    assert np.abs(within + between - total).max() > 0.01 * np.abs(total).max()


@given(labelled())
def test_hypothesis(item):
    within, between, total = parts(item, "frequency")
    assert_same(within + between, reference_total(item))
    assert_same(total, reference_total(item))


@each("name", NAMES)
def test_within_and_between_by_loops(name):
    item = toy(name)
    labels = np.unique(item.y)
    X = item.X - item.X[0]
    means = np.array([X[item.y == k].mean(0) for k in labels])
    residuals = X - means[np.searchsorted(labels, item.y)]
    centered = means - means.mean(0)
    within, between, _ = parts(item, "default")
    assert_same(within, residuals.T @ residuals / len(X))
    assert_same(between, centered.T @ centered / len(labels))


@each("name", NAMES)
def test_they_are_symmetric_and_agree_with_the_metrics(name):
    item = toy(name)
    report = item.report(convention="frequency")
    within, between, total = parts(item, "frequency")
    for matrix in (within, between, total):
        np.testing.assert_allclose(matrix, matrix.T, rtol=TIGHT, atol=0)
        least = np.linalg.eigvalsh(matrix)[0]
        assert least > -1e-13 * np.trace(matrix)
    ratio = np.trace(within) / np.trace(between)
    assert report.nc1_trace_ratio == pytest.approx(ratio, rel=CLOSE)


def test_exact_collapse_has_no_within_covariance():
    within, between, total = parts(toy("exact_simplex"), "frequency")
    assert not within.any()
    assert_same(between, total)
