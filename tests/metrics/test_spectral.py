"""Dimensions of the class means and of the samples about them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tolerances import LOOSE
from toys import SQUARE, plus_minus_pairs, simplex, toy
from vectors import of_means

from sknc import ClassStatistics, Convention
from sknc.metrics import spectral

BETWEEN = ("spec_between_pr", "spec_effective_rank", "spec_stable_rank")
KEYS = (*BETWEEN, "spec_within_pr")
CLOSE = {"rel": 1e-12}
DIAMOND = SQUARE * np.array([[2.0], [1.0], [2.0], [1.0]])


def values(X, y, **options):
    statistics = ClassStatistics.from_samples(X, np.asarray(y))
    return {key: getattr(spectral, key)(statistics, **options) for key in KEYS}


def reference(X, y, *, by_count=False, center="class"):
    """From D x D covariances, whose eigenvalues are taken."""
    labels, counts = np.unique(y, return_counts=True)
    means = np.array([X[y == k].mean(0) for k in labels])
    share = counts / counts.sum()
    origin = {"class": means.mean(0), "sample": share @ means, "none": 0.0}[center]
    weights = share if by_count else np.full(len(labels), 1 / len(labels))
    between = (means - origin).T @ np.diag(weights) @ (means - origin)
    residuals = X - means[np.searchsorted(labels, y)]
    within = residuals.T @ residuals / len(X)
    # Beyond the possible rank there is rounding only, of which roots are taken.
    rank = min(len(labels) - (center != "none"), X.shape[1])
    eigenvalues = np.linalg.eigvalsh(between)[::-1][:rank]
    shares = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum()
    inside = np.linalg.eigvalsh(within)
    return {
        "spec_between_pr": eigenvalues.sum() ** 2 / (eigenvalues**2).sum(),
        "spec_effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "spec_stable_rank": eigenvalues.sum() / eigenvalues[0],
        "spec_within_pr": inside.sum() ** 2 / (inside**2).sum(),
    }


def test_diamond_by_hand():
    statistics = of_means(DIAMOND)
    want = {
        "spec_between_pr": 25 / 17,
        "spec_effective_rank": 3 / 2 ** (2 / 3),
        "spec_stable_rank": 5 / 4,
    }
    for key, value in want.items():
        assert getattr(spectral, key)(statistics) == pytest.approx(value, **CLOSE)


def test_within_by_hand():
    offsets = np.array([[2.0, 0, 0], [-2, 0, 0], [0, 1, 0], [0, -1, 0]])
    got = values(np.concatenate([offsets + 9, offsets - 9]), np.repeat([0, 1], 4))
    assert got["spec_within_pr"] == pytest.approx(25 / 17, **CLOSE)


@pytest.mark.parametrize(("n_classes", "n_features"), [(2, 3), (5, 8), (30, 64)])
def test_exact_simplex(n_classes, n_features):
    statistics = of_means(3 * simplex(n_classes, n_features))
    for key in BETWEEN:
        got = getattr(spectral, key)(statistics)
        assert got == pytest.approx(n_classes - 1, **CLOSE), key


def test_plus_minus_pairs_span_half_the_directions():
    statistics = of_means(plus_minus_pairs())
    for key in BETWEEN:
        assert 1 < getattr(spectral, key)(statistics) < 10, key


@pytest.mark.parametrize(
    "name",
    [
        "random_balanced",
        "long_tailed",
        "more_classes_than_dimensions",
        "labels_strings",
    ],
)
@pytest.mark.parametrize(
    ("convention", "options"),
    [
        ("default", {}),
        ("zhu2021", {"center": "sample"}),
        ("frequency", {"center": "sample", "by_count": True}),
        ("han2022", {}),
        (Convention("plain", center="none"), {"center": "none"}),
    ],
)
def test_equals_reference(name, convention, options):
    item = toy(name)
    want = reference(item.X, item.y, **options)
    got = values(item.X, item.y, convention=convention)
    assert got == pytest.approx(want, rel=LOOSE)


def test_effective_rank_ignores_rounding():
    # Four collinear means have one direction, by any count of it.
    item = toy("collinear_means")
    got = values(item.X, item.y)
    for key in BETWEEN:
        assert got[key] == pytest.approx(1, **CLOSE), key


def test_order_of_the_three():
    for name in ("random_balanced", "long_tailed", "more_classes_than_dimensions"):
        got = values(toy(name).X, toy(name).y)
        assert got["spec_stable_rank"] <= got["spec_between_pr"] * (1 + 1e-12)
        assert got["spec_between_pr"] <= got["spec_effective_rank"] * (1 + 1e-12)


def test_nothing_between():
    X = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    got = values(X, [0, 0, 1, 1])
    for key in BETWEEN:
        assert math.isnan(got[key]), key
    full = values(X, [0, 0, 1, 1], convention="han2022")
    for key in BETWEEN:
        assert math.isnan(full[key]), key
    assert got["spec_within_pr"] == pytest.approx(2, **CLOSE)


def test_nothing_within():
    statistics = of_means(SQUARE)
    assert math.isnan(spectral.spec_within_pr(statistics))


def test_within_needs_a_scatter_over_samples():
    item = toy("random_balanced")
    statistics = ClassStatistics.from_samples(item.X, item.y, covariance=False)
    assert math.isnan(spectral.spec_within_pr(statistics))
    statistics = ClassStatistics.from_samples(item.X, item.y)
    by_class = Convention("by class", within="class")
    assert math.isnan(spectral.spec_within_pr(statistics, convention=by_class))
    assert spectral.spec_within_pr(statistics) > 1


@pytest.mark.parametrize("key", KEYS)
def test_one_class_is_refused(key):
    with pytest.raises(ValueError, match="at least 2 classes"):
        getattr(spectral, key)(of_means([[1.0, 2.0]]))


# Invariances ------------------------------------------------------------------------


def assert_same(got, want, rel=1e-8):
    assert got == pytest.approx(want, rel=rel, nan_ok=True)


@given(labelled(), seeds)
def test_rotation(item, seed):
    turn = rotations(item.X.shape[1], seed)
    assert_same(values(item.X @ turn, item.y), values(item.X, item.y))


@given(labelled(), st.sampled_from([2.0**-40, 2.0**-3, 2.0**20]))
def test_scale(item, factor):
    assert_same(values(item.X * factor, item.y), values(item.X, item.y), 1e-12)


@given(labelled(), st.floats(-50, 50))
def test_shift(item, shift):
    assert_same(values(item.X + shift, item.y), values(item.X, item.y))


@given(labelled(), st.randoms(use_true_random=False))
def test_permuted_classes(item, random):
    order = np.array(random.sample(range(len(item.W)), len(item.W)))
    assert_same(values(item.X, np.argsort(order)[item.y]), values(item.X, item.y))


@given(labelled())
def test_relabeling(item):
    names = np.array(["a", "ab", "c", "ca", "d", "e"])[item.y]
    assert_same(values(item.X, names), values(item.X, item.y), 1e-14)


@given(labelled())
def test_ranges(item):
    n_classes, n_features = item.W.shape
    for key, value in values(item.X, item.y).items():
        most = n_features if key == "spec_within_pr" else min(n_classes - 1, n_features)
        assert 1 - 1e-12 <= value <= most * (1 + 1e-12), key


# Array libraries ------------------------------------------------------------------


def assert_same_elsewhere(convert, name):
    item = toy(name)
    statistics = ClassStatistics.from_samples(convert(item.X), convert(item.y))
    want = values(item.X, item.y)
    for key in KEYS:
        got = getattr(spectral, key)(statistics)
        assert isinstance(got, float)
        assert got == pytest.approx(want[key], rel=LOOSE), key


@pytest.mark.parametrize("name", ["random_balanced", "more_classes_than_dimensions"])
def test_torch(torch, name):
    assert_same_elsewhere(torch.from_numpy, name)


@pytest.mark.gpu
def test_cuda(torch):
    assert_same_elsewhere(lambda x: torch.from_numpy(x).cuda(), "random_balanced")


@pytest.mark.parametrize("name", ["random_balanced", "more_classes_than_dimensions"])
def test_array_api_strict(name):
    strict = pytest.importorskip("array_api_strict")
    assert_same_elsewhere(strict.asarray, name)
