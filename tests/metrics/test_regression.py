"""Metrics of regression: references, values by hand, invariances, what is undefined."""

import math

import numpy as np
import pytest
import regression_references as references
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import each

from sknc import LinearHead, NeuralRegressionCollapse, RegressionStatistics
from sknc.metrics import regression
from sknc.metrics._catalogue.regression import PROPERTIES
from sknc.metrics._catalogue.regression_table import (
    REGRESSION_TABLE,
    select_regression,
)
from sknc.metrics.deep_regression import (
    deep_nrc1,
    deep_nrc2,
    deep_nrc3,
    deep_nrc4,
)
from sknc.metrics.regression import best_gamma, nrc1, nrc2, nrc3
from sknc.metrics.regression_fit import mse, r2

KEYS = sorted(references.REFERENCES)
SHAPES = [(60, 8, 3), (40, 8, 1), (200, 20, 4), (30, 5, 5)]


def of(X, Y):
    return RegressionStatistics.from_samples(np.asarray(X), np.asarray(Y))


@each("key", KEYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_reference(key, shape):
    X, Y, W, b = references.samples(3, *shape)
    expected = references.REFERENCES[key](X, Y, W, b)
    # Of one target NRC3 is 0, and with as many targets as features nothing is outside.
    zero = (key == "nrc3" and shape[2] == 1) or (key != "nrc3" and shape[1] == shape[2])
    assert zero or abs(expected) > 1e-3
    found = references.measured(key, X, Y, W, b)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_reference_about_the_origin(shape):
    X, Y, W, b = references.samples(4, *shape, offset=2.0)
    found = nrc1(of(X, Y), center=False)
    expected = references.nrc1(X, Y, W, b, center=False)
    assert found == pytest.approx(expected, rel=1e-9)
    assert abs(found - nrc1(of(X, Y))) > 1e-2


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.1])
def test_reference_of_a_given_gamma(gamma):
    X, Y, W, _ = references.samples(5)
    found = nrc3(of(X, Y), LinearHead(W), gamma=gamma)
    assert found == pytest.approx(references.nrc3_at(Y, W, gamma), rel=1e-9)


@given(strategies.seeds, st.integers(1, 5))
@settings(max_examples=20)
def test_no_gamma_is_better_than_the_best(seed, n_targets):
    X, Y, W, _ = references.samples(seed, 30, 6, n_targets)
    statistics, head = of(X, Y), LinearHead(W)
    least = np.linalg.eigvalsh(references.covariance_of(Y))[0]
    best = best_gamma(statistics, head)
    assert -1e-12 <= best <= least * (1 + 1e-9)
    value = nrc3(statistics, head)
    for gamma in least * np.linspace(0, 1, 20, endpoint=False) ** 2:
        assert value <= references.nrc3_at(Y, W, gamma) + 1e-12
    if 0 < best < 0.999 * least:
        found = nrc3(statistics, head, gamma=best)
        assert found == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_optimum_of_the_unconstrained_feature_model():
    # The theorem of the paper: W and H with penalties of which gamma is the product.
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + [5.0, 0.0, -1.0]
    centered = Y - Y.mean(0)
    values, U = np.linalg.eigh(centered.T @ centered / len(Y))
    decay_of_head, decay_of_features = 0.3, 0.2
    gamma = decay_of_head * decay_of_features * values[0]
    decay_of_features *= values[0]
    root = U @ np.diag(np.sqrt(np.sqrt(values) - np.sqrt(gamma))) @ U.T
    frame = np.linalg.qr(rng.standard_normal((10, 3)))[0].T
    W = (decay_of_features / decay_of_head) ** 0.25 * root @ frame
    H = centered @ U @ np.diag(values**-0.5) @ U.T @ W
    H *= np.sqrt(decay_of_head / decay_of_features)
    head = LinearHead(W, Y.mean(0))
    statistics = of(H, Y)
    assert nrc1(statistics) < 1e-12
    assert nrc2(statistics, head) < 1e-12
    assert nrc3(statistics, head) < 1e-12
    assert best_gamma(statistics, head) == pytest.approx(gamma, rel=1e-6)
    # Errors are uncorrelated, each with variance gamma.
    assert mse(statistics, head) == pytest.approx(gamma, rel=1e-9)
    assert deep_nrc3(statistics, head) == pytest.approx(1)
    assert deep_nrc4(statistics) < 1e-12


def test_values_by_hand():
    # Directions: twice (1, 0), and (0.6, 0.8); variances favor the first axis.
    X = np.array([[5.0, 0.0], [-5.0, 0.0], [0.6, 0.8], [-0.6, -0.8]])
    one = of(X, X[:, 0])
    inside = np.linalg.eigh(X.T @ X)[1][:, -1]
    by_hand = np.mean([1 - (d @ inside) ** 2 for d in ([1, 0], [0.6, 0.8])])
    assert nrc1(one) == pytest.approx(by_hand, rel=1e-12)
    assert nrc2(one, LinearHead(np.array([[7.0, 0.0]]))) == pytest.approx(0.32)
    assert nrc2(one, LinearHead(np.array([[0.0, 1.0]]))) == pytest.approx(0.68)
    # Standard deviations 1 and 2, rows of lengths 1 and 1, the root of gamma 0.5.
    Y = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    two = of(Y, Y)
    cosine = (0.5 + 1.5) / math.sqrt(0.25 + 2.25) / math.sqrt(2)
    found = nrc3(two, LinearHead(np.eye(2)), gamma=0.25)
    assert found == pytest.approx(2 - 2 * cosine, rel=1e-12)
    assert deep_nrc2(of(Y[:, :1], Y)) == pytest.approx(1 / math.sqrt(17), rel=1e-12)
    head = LinearHead(np.diag([1.0, 0.5]), np.array([0.0, 3.0]))
    assert mse(two, head) == pytest.approx((0 + 9 + 1) / 2)
    assert r2(two, head) == pytest.approx(1 - 10 / 5)


def test_best_gamma_is_inside_where_the_head_says_so():
    # Rows of squared lengths 1 and 3 are those of deviations 2 and 4 less 1.
    Y = np.array([[2.0, 4.0], [2.0, -4.0], [-2.0, 4.0], [-2.0, -4.0]])
    statistics, head = of(Y, Y), LinearHead(np.diag([1.0, math.sqrt(3)]))
    assert best_gamma(statistics, head) == pytest.approx(1)
    assert nrc3(statistics, head) == pytest.approx(0, abs=1e-14)


# Invariances ----------------------------------------------------------------------

INVARIANT = {  # whether shifts of the features leave it unchanged
    "nrc1": False,
    "nrc2": False,
    "nrc3": True,
    "deep_nrc1": True,
    "deep_nrc2": True,
    "deep_nrc3": True,
    "deep_nrc4": True,
}


def everything(X, Y, W, b):
    head = LinearHead(W, b)
    return NeuralRegressionCollapse(head, metrics="all").fit(X, Y).report().to_dict()


def assert_equal(found, expected, keys=KEYS):
    for key in keys:
        assert found[key] == pytest.approx(expected[key], rel=1e-8, abs=1e-11), key


@given(strategies.seeds, st.sampled_from([1e-3, 1.0, 50.0]))
@settings(max_examples=20)
def test_rotations_and_scales(seed, scale):
    X, Y, W, b = references.samples(seed)
    R, Q = strategies.rotations(8, seed), strategies.rotations(3, seed)
    before = everything(X, Y, W, b)
    assert_equal(everything(scale * X @ R, Y, W @ R / scale, b), before)
    assert_equal(everything(X, Y @ Q.T, Q @ W, Q @ b), before)


@given(strategies.seeds, st.sampled_from([-3.0, 0.5, 40.0]))
@settings(max_examples=20)
def test_shifts(seed, offset):
    X, Y, W, b = references.samples(seed)
    bias = b - offset - W.sum(1) * offset  # that follows
    after = everything(X + offset, Y - offset, W, bias)
    keys = [key for key, is_invariant in INVARIANT.items() if is_invariant]
    assert_equal(after, everything(X, Y, W, b), [*keys, "mse", "r2"])


@given(strategies.seeds)
@settings(max_examples=20)
def test_scales_of_one_side(seed):
    X, Y, W, b = references.samples(seed)
    before = everything(X, Y, W, b)
    assert_equal(everything(X, Y, 1e3 * W, b), before, ["nrc2", "nrc3", "deep_nrc3"])
    of_features = ["nrc1", "nrc3", "deep_nrc1", "deep_nrc2"]
    assert_equal(everything(X, 1e3 * Y, W, b), before, of_features)


def test_ranges():
    for seed in range(30):
        X, Y, W, b = references.samples(seed, 12, 5, 2)
        found = everything(X, Y, W, b)
        for key in ("nrc1", "nrc2", "deep_nrc1", "deep_nrc2", "deep_nrc3"):
            assert 0 <= found[key] <= 1
        assert 0 <= found["nrc3"] <= 4


# Precision ------------------------------------------------------------------------


def test_far_offset_costs_no_digits():
    rng = np.random.default_rng(0)
    Y = 1e6 + 1e-3 * rng.standard_normal((400, 3)) @ rng.standard_normal((3, 3))
    X = np.hstack([Y - 1e6, 1e-3 * rng.standard_normal((400, 4))]) + 1e6
    W, b = rng.standard_normal((3, 7)), np.zeros(3)
    # Subtracting a point near them is exact; the references cannot do without.
    near = X - 1e6, Y - 1e6, W, b
    for key, is_invariant in INVARIANT.items():
        if is_invariant:
            found = references.measured(key, X, Y, W, b)
            expected = references.REFERENCES[key](*near)
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-20), key


def test_float32_features_are_not_multiplied_in_float32():
    # What is left outside is 1e-6 of the features: its square is 1e-12, below the
    # rounding of float32 products.
    rng = np.random.default_rng(0)
    Y = rng.standard_normal((400, 2)).astype(np.float32)
    X = np.zeros((400, 300), np.float32)
    X[:, :2], X[:, 2] = Y, 1e-6 * rng.choice([-1, 1], 400)
    expected = references.nrc1(X[:, :3].astype(np.float64), Y, None, None)
    assert 1e-13 < expected < 1e-10
    assert nrc1(of(X, Y)) == pytest.approx(expected, rel=1e-9)


# What is undefined ------------------------------------------------------------------


def report_of(X, Y, head=None, **options):
    return NeuralRegressionCollapse(head, metrics="all", **options).fit(X, Y).report()


def test_undefined_values_have_a_reason():
    Y = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0], [-1.0, -2.0]])
    nothing = report_of(np.zeros((4, 3)), Y, np.eye(2, 3))
    assert math.isnan(nothing.nrc1)
    assert math.isnan(float(nothing))
    assert nothing.notes["nrc1"] == "Undefined: all features are zero."
    assert nothing.notes["deep_nrc1"] == "Undefined: the features do not vary."
    still = report_of(Y, np.ones((4, 2)), np.eye(2))
    assert math.isnan(still.nrc3)
    assert math.isnan(still.r2)
    assert still.notes["r2"] == "Undefined: the targets do not vary."
    blank = report_of(Y, Y, np.zeros((2, 2)))
    assert blank.nrc2 == pytest.approx(1)
    assert blank.notes["nrc3"] == (
        "Undefined: every row of the head's weights is zero."
    )
    with np.errstate(over="ignore"):
        huge = report_of(1e200 * Y, Y, np.eye(2))
    assert huge.notes["nrc1"].startswith("Undefined: the squares of such large numbers")


def test_values_that_say_nothing_have_a_note():
    X, Y, W, b = references.samples(0, 30, 4, 1)
    report = report_of(X, Y, (W, b))
    assert report.nrc3 == 0
    assert report.notes["nrc3"] == "With one target it is 0 for every head."
    X, Y, W, b = references.samples(0, 30, 2, 3)
    report = report_of(X, Y, (W, b))
    assert report.nrc1 == pytest.approx(0, abs=1e-14)
    assert "at least as many targets as features" in report.notes["nrc1"]
    X, Y, W, b = references.samples(0)
    report = report_of(X, np.hstack([Y[:, :2], Y[:, :1]]), (W, b))
    assert report.gamma == 0
    assert "singular" in report.notes["nrc3"]
    report = report_of(X, Y, (W, b), gamma=1e6)
    assert "not below the least eigenvalue" in report.notes["nrc3"]
    assert report.gamma == 1e6


def test_zero_features_are_left_out():
    X, Y, W, b = references.samples(0)
    X = np.vstack([X, np.zeros((2, 8))])
    Y = np.vstack([Y, np.zeros((2, 3))])
    report = report_of(X, Y, (W, b))
    expected = references.outside(X[:-2], references.directions_of(X, 3))
    assert report.nrc1 == pytest.approx(expected, rel=1e-9)
    assert report.nrc2 == pytest.approx(references.nrc2(X[:-2], Y, W, b), rel=1e-9)
    assert "all zero have no direction" in report.notes["nrc1"]


def test_features_that_do_not_vary_have_no_principal_directions():
    report = report_of(np.ones((4, 3)), np.eye(4)[:, :2], np.eye(2, 3))
    assert report.nrc1 == pytest.approx(1)
    assert report.notes["nrc1"] == (
        "The features vary along fewer directions than there are targets."
    )
    assert math.isnan(report.deep_nrc4)


def test_directions_without_variance_do_not_count():
    # One direction of variance, two targets: the second direction would be arbitrary.
    X = np.array([[t, 1.0, 0.0, 0.0] for t in (1.0, 2.0, 3.0)])
    Y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    expected = np.mean([1 / (1 + t**2) for t in (1, 2, 3)])
    assert nrc1(of(X, Y)) == pytest.approx(expected, rel=1e-12)
    head = LinearHead(np.eye(2, 4))
    assert deep_nrc3(of(X, Y), head) == pytest.approx(0.5)


# The table --------------------------------------------------------------------------


def test_table():
    assert set(KEYS) == set(REGRESSION_TABLE)
    for key, row in REGRESSION_TABLE.items():
        assert key == row.key == row.function.__name__
        assert row.group in PROPERTIES
        assert row.summary.endswith(".")
        assert row.source.link.startswith("arXiv:")
    assert [row.key for row in select_regression("default")] == [
        *("nrc1", "nrc2", "nrc3"),
        "r2",
    ]
    assert [row.key for row in select_regression(["fit", "nrc1"])] == [
        *("nrc1", "mse", "r2"),
    ]
    with pytest.raises(ValueError, match=r'metrics must be "default", "all", or a li'):
        select_regression("nc1_pinv")
    with pytest.raises(ValueError, match="There are nrc1, nrc2"):
        select_regression(iter(["nrc1"]))


def test_arguments_are_checked():
    X, Y, W, b = references.samples(0)
    statistics = of(X, Y)
    with pytest.raises(ValueError, match="statistics must be RegressionStatistics"):
        nrc1(X)
    with pytest.raises(ValueError, match="fitted must be RegressionStatistics"):
        nrc1(statistics, fitted=X)
    with pytest.raises(ValueError, match="head must be a LinearHead"):
        nrc2(statistics, W)
    with pytest.raises(ValueError, match=r"weights of shape \(3, 8\), a row for each"):
        nrc2(statistics, LinearHead(W[:2], b[:2]))
    with pytest.raises(ValueError, match="gamma must be a number of at least 0"):
        nrc3(statistics, LinearHead(W), gamma=-1.0)
    with pytest.raises(ValueError, match="center must be True or False"):
        regression.nrc1(statistics, center=1)


# Other code ---------------------------------------------------------------------------


def test_code_of_others():
    """Restated: docs/regression.md says which is the same."""
    X, Y, W, _ = references.samples(6)
    n, statistics, head = 3, of(X, Y), LinearHead(W)
    unit = X / np.linalg.norm(X, axis=1)[:, None]
    # nc_toolbox: directions of the features as they are.
    P = np.linalg.svd(X, full_matrices=False)[2][:n]
    theirs = np.square(np.linalg.norm(unit - (P.T @ P @ unit.T).T, axis=1)).mean()
    assert nrc1(statistics, center=False) == pytest.approx(theirs, rel=1e-9)
    P = W.T @ np.linalg.pinv(W.T)
    theirs = np.square(np.linalg.norm(unit - (P @ unit.T).T, axis=1)).sum() / len(X)
    assert nrc2(statistics, head) == pytest.approx(theirs, rel=1e-9)
    # The authors of NRC: a grid of gammas, of which none beats ours.
    values, vectors = np.linalg.eigh(references.covariance_of(Y))
    root = vectors @ np.diag(np.sqrt(values)) @ np.linalg.inv(vectors)
    gram = W @ W.T / np.linalg.norm(W @ W.T)
    on_grid = []
    for gamma in np.linspace(0, values[0], num=1000):
        shifted = root - gamma**0.5 * np.eye(n)
        on_grid.append(np.linalg.norm(gram - shifted / np.linalg.norm(shifted)) ** 2)
    assert nrc3(statistics, head) <= min(on_grid) + 1e-12
    # The best one is an end, which is on the grid.
    assert nrc3(statistics, head) == pytest.approx(min(on_grid), rel=1e-9)
    # Rangamani & Unal: of the covariance, and the first n rows of its V.
    centered = X - X.mean(0)
    covariance = centered.T @ centered / len(X)
    V = np.linalg.svd(covariance)[2][:n]
    theirs = abs(1 - np.trace(V @ covariance @ V.T) / np.trace(covariance))
    assert deep_nrc1(statistics) == pytest.approx(theirs, rel=1e-9)
    rows = np.linalg.svd(W, full_matrices=False)[2][:n]
    theirs = np.linalg.svd(V @ rows.T)[1].mean()
    assert deep_nrc3(statistics, head) == pytest.approx(theirs, rel=1e-9)
    targets = Y - Y.mean(0)
    linear = np.linalg.pinv(centered, rcond=1e-3) @ targets
    theirs = np.mean((centered @ linear - targets) ** 2)
    assert deep_nrc4(statistics) == pytest.approx(theirs, rel=1e-9)
