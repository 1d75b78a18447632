"""What is measured of a head: its directions, its products, and the best one."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tolerances import LOOSE, TIGHT
from toys import SQUARE, simplex, toy
from vectors import exact_energies, exact_rows, margin_bounds, of_means, random_rows

from sknc import ClassStatistics, LinearHead, NeuralCollapseAnalyzer, metrics
from sknc.metrics import least_squares_head, nc3_orthoframe

CLOSE = {"rel": 1e-12, "abs": 1e-15}
ENERGIES = (
    "gnc2_energy_log",
    "gnc2_dispersion_log",
    "gnc2_energy_riesz",
    "gnc2_dispersion_distance",
)
SHAPES = [(2, 4), (5, 9), (6, 2), (15, 4)]


def head_of(rows):
    return LinearHead(np.asarray(rows, float), None)


# Directions of the rows --------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("key", ENERGIES)
def test_energies_equal_reference(key, shape):
    rows = random_rows(*shape, 0.5)
    got = getattr(metrics, f"{key}_head")(head_of(rows))
    assert got == pytest.approx(exact_energies(rows)[key], rel=LOOSE, abs=1e-15)


@pytest.mark.parametrize("shape", SHAPES)
def test_margin_lies_between_bounds(shape):
    rows = random_rows(*shape)
    lower, upper = margin_bounds(rows)
    got = metrics.gnc2_margin_head(head_of(rows))
    assert lower - 1e-7 <= got <= upper + 1e-9


def test_margin_by_hand():
    # Rows of any length; each corner is one half diagonal from its neighbors' segment.
    rows = SQUARE * np.array([[3.0], [1.0], [2.0], [0.5]])
    assert metrics.gnc2_margin_head(head_of(rows)) == pytest.approx(1, **CLOSE)


def test_a_head_is_not_centered():
    rows = simplex(4, 6) + 3
    statistics = of_means(rows)
    assert metrics.gnc2_margin(statistics) == pytest.approx(4 / 3, rel=TIGHT)
    assert metrics.gnc2_margin_head(head_of(rows)) < 0.5


def test_two_rows_of_one_direction():
    report = NeuralCollapseAnalyzer(
        np.array([[1.0, 0], [2, 0], [0, 1]]), metrics=["GNC2"]
    ).fit(np.eye(3, 2), np.arange(3))
    found = report.report()
    assert found.gnc2_energy_log_head == math.inf
    assert "two rows of the head" in found.notes["gnc2_energy_log_head"]
    assert math.isnan(found.gnc2_dispersion_log_head)
    assert "two rows of the head" in found.notes["gnc2_dispersion_log_head"]


def test_norms_by_class():
    item = toy("long_tailed")
    found = item.report().per_class["head_norm"]
    np.testing.assert_allclose(found, np.linalg.norm(item.W, axis=1), rtol=1e-14)


# Products of rows and class means ----------------------------------------------------


def orthoframe(W, M):
    """The distance, in 40 digits."""
    with mp.workdps(40):
        W, M = exact_rows(W), exact_rows(M)
        K = len(W)
        products = [[mp.fdot(w, m) for m in M] for w in W]
        norm = mp.sqrt(mp.fsum(v**2 for row in products for v in row))
        total = mp.mpf(0)
        for i in range(K):
            for j in range(K):
                total += (products[i][j] / norm - (i == j) / mp.sqrt(K)) ** 2
        return float(mp.sqrt(total))


@pytest.mark.parametrize("shape", [*SHAPES, (9, 9)])
def test_orthoframe_equals_reference(shape):
    W, M = random_rows(*shape), random_rows(*shape, 0.5) + 1
    got = nc3_orthoframe(of_means(M), head_of(W))
    assert got == pytest.approx(orthoframe(W, M), rel=LOOSE)


def test_orthoframe_by_hand():
    statistics = of_means(np.eye(2))
    got = nc3_orthoframe(statistics, head_of(np.diag([2.0, 1.0])))
    assert got == pytest.approx(math.sqrt(2 - 6 / math.sqrt(10)), **CLOSE)
    assert nc3_orthoframe(statistics, head_of(7 * np.eye(2))) < 1e-15
    assert nc3_orthoframe(statistics, head_of(-np.eye(2))) == pytest.approx(2, **CLOSE)


def test_orthoframe_is_zero_for_a_dual_frame():
    # Not a frame itself: rows of the inverse are orthogonal to all means but their own.
    M = random_rows(4, 4)
    assert nc3_orthoframe(of_means(M), head_of(np.linalg.inv(M).T)) < 1e-13
    assert metrics.nc2_orthoframe(of_means(M)) > 0.1


@pytest.mark.parametrize("n_classes", [2, 6])
def test_orthoframe_of_products_that_vanish(n_classes):
    means = np.eye(n_classes, 4)
    means[:, 2:] = 0
    rows = np.ones((n_classes, 4))
    rows[:, :2] = 0
    assert math.isnan(nc3_orthoframe(of_means(means), head_of(rows)))
    assert math.isnan(nc3_orthoframe(of_means(means), head_of(0 * rows)))


@given(labelled(), seeds, st.sampled_from([2.0**-30, 2.0**9]))
def test_orthoframe_invariances(item, seed, factor):
    statistics = ClassStatistics.from_samples(item.X, item.y)
    want = nc3_orthoframe(statistics, head_of(item.W))
    turn = rotations(item.X.shape[1], seed)
    turned = ClassStatistics.from_samples(item.X @ turn, item.y)
    assert nc3_orthoframe(turned, head_of(item.W @ turn)) == pytest.approx(
        want, abs=LOOSE, nan_ok=True
    )
    scaled = ClassStatistics.from_samples(factor * item.X, item.y)
    assert nc3_orthoframe(scaled, head_of(3 * item.W)) == pytest.approx(
        want, abs=LOOSE, nan_ok=True
    )


# The best head -----------------------------------------------------------------------


@pytest.mark.parametrize("decay", [0.0, 1e-3, 0.7])
@pytest.mark.parametrize("name", ["random_balanced", "long_tailed", "two_classes"])
def test_least_squares_head_equals_that_of_samples(name, decay):
    item = toy(name)
    (n, d), K = item.X.shape, len(item.W)
    ones = np.c_[item.X, np.ones(n)] / math.sqrt(n)
    rows = np.concatenate([ones, math.sqrt(decay) * np.eye(d + 1)])
    targets = np.concatenate([np.eye(K)[item.y] / math.sqrt(n), np.zeros((d + 1, K))])
    best = np.linalg.lstsq(rows, targets, rcond=None)[0].T
    statistics = ClassStatistics.from_samples(item.X, item.y)
    head = least_squares_head(statistics, weight_decay=decay)
    np.testing.assert_allclose(head.weights, best[:, :-1], rtol=LOOSE, atol=TIGHT)
    np.testing.assert_allclose(head.bias, best[:, -1], rtol=LOOSE, atol=TIGHT)


def test_least_squares_head_in_torch(torch):
    item = toy("long_tailed")
    want = least_squares_head(ClassStatistics.from_samples(item.X, item.y))
    X, y = torch.asarray(item.X), torch.asarray(item.y)
    got = least_squares_head(ClassStatistics.from_samples(X, y))
    assert isinstance(got.weights, torch.Tensor)
    np.testing.assert_allclose(got.weights.numpy(), want.weights, rtol=LOOSE)


def test_least_squares_head_of_a_class_without_samples():
    analyzer = NeuralCollapseAnalyzer().fit(
        [[1.0], [-1.0]], ["a", "c"], classes=["a", "b", "c"]
    )
    head = least_squares_head(analyzer.statistics_.observed_only())
    np.testing.assert_allclose(head.weights, [[0.5], [-0.5]])


def test_least_squares_head_needs_the_scatter():
    statistics = ClassStatistics.from_samples(np.eye(2), np.arange(2), covariance=False)
    with pytest.raises(ValueError, match="least_squares_head requires the scatter"):
        least_squares_head(statistics)
    with pytest.raises(ValueError, match="statistics must be ClassStatistics, got"):
        least_squares_head(np.eye(2))
    with pytest.raises(ValueError, match="weight_decay"):
        least_squares_head(of_means(np.eye(2)), weight_decay=-1)
