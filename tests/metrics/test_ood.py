"""The metrics of samples of no class."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tolerances import CLOSE, LOOSE, SINGLE, TIGHT
from toys import collapsed, toy

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.metrics import ood_scores
from sknc.metrics.ood import (
    nc5_neco,
    nc5_orthogonality,
    nc5_orthogonality_centered,
    neco_scores,
)

NAMES = (
    "random_balanced",
    "long_tailed",
    "more_classes_than_dimensions",
    "two_classes",
)


def fit(item, **options):
    return ClassStatistics.from_samples(item.X, item.y, **options)


def strangers(item, n_samples=20):
    shape = (n_samples, item.X.shape[1])
    return 2 * np.random.default_rng(9).standard_normal(shape) + 1


def mean_absolute_cosine(rows, v):
    return np.mean([abs(r @ v) / math.sqrt((r @ r) * (v @ v)) for r in rows])


def pca_scores(fitted, X, d):
    """Return the share of length in the top d directions, from the samples."""
    mean = fitted.mean(0)
    directions = np.linalg.svd(fitted - mean, full_matrices=False)[2][:d]
    z = X - mean
    return np.linalg.norm(z @ directions.T, axis=1) / np.linalg.norm(z, axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_orthogonality(name):
    item = toy(name)
    means, v = item.class_means, strangers(item).mean(0)
    want = mean_absolute_cosine(means, v)
    assert nc5_orthogonality(fit(item), v) == pytest.approx(want, rel=TIGHT)
    for preset, center in (("default", means.mean(0)), ("zhu2021", item.X.mean(0))):
        want = mean_absolute_cosine(means - center, v - center)
        got = nc5_orthogonality_centered(fit(item), v, convention=preset)
        assert got == pytest.approx(want, rel=TIGHT)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_principal_components(name):
    item = toy(name)
    X, statistics = strangers(item), fit(item)
    most = item.X.shape[1]
    default = min(len(np.unique(item.y)) - 1, most)
    for d in {None, 1, most}:
        want = pca_scores(item.X, X, default if d is None else d)
        got = neco_scores(statistics, X, n_directions=d)
        assert got == pytest.approx(want, rel=LOOSE)
        mean = nc5_neco(statistics, X, n_directions=d)
        assert mean == pytest.approx(want.mean(), rel=LOOSE)


def test_all_directions_hold_everything():
    item = toy("random_balanced")
    assert neco_scores(fit(item), item.X, n_directions=7) == pytest.approx(1, rel=TIGHT)


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_collapse(shift):
    item = collapsed(shift=shift)
    statistics = fit(item)
    assert neco_scores(statistics, item.X) == pytest.approx(1, abs=1e-13)
    span = np.linalg.svd(item.X - shift)[2]
    aside = span[6:] + shift  # orthogonal to the simplex
    assert neco_scores(statistics, aside) == pytest.approx(0, abs=TIGHT)
    assert nc5_orthogonality_centered(statistics, aside[0]) < 1e-12
    inside = item.X[0] * 0.5 + shift * 0.5
    value = nc5_orthogonality_centered(statistics, inside)
    assert value == pytest.approx((1 + 4 / 4) / 5, rel=LOOSE)
    if not shift:
        assert nc5_orthogonality(statistics, aside[0]) < 1e-13


def test_blocks(monkeypatch):
    item = toy("random_balanced")
    whole = neco_scores(fit(item), item.X)
    monkeypatch.setattr(ood_scores, "_TILE_ELEMENTS", 30)
    assert neco_scores(fit(item), item.X) == pytest.approx(whole, rel=1e-14)


def test_weighted_samples():
    item = toy("two_classes")
    repeats = 1 + np.arange(len(item.X)) % 3
    X = strangers(item)
    got = neco_scores(fit(item, sample_weight=repeats), X)
    assert got == pytest.approx(
        pca_scores(np.repeat(item.X, repeats, 0), X, 1), rel=LOOSE
    )


@given(labelled(), st.floats(-20, 20), st.sampled_from([0.125, 7.0]), seeds)
def test_invariances(item, shift, factor, seed):
    turn = factor * rotations(item.X.shape[1], seed)
    X = strangers(item)
    values = np.linalg.svd(item.X - item.X.mean(0), compute_uv=False)
    d = min(len(item.W) - 1, item.X.shape[1])
    v, turned = X.mean(0), ClassStatistics.from_samples(item.X @ turn, item.y)
    statistics = fit(item)
    got = nc5_orthogonality(turned, v @ turn)
    assert got == pytest.approx(nc5_orthogonality(statistics, v), rel=LOOSE, abs=TIGHT)
    moved = ClassStatistics.from_samples((item.X + shift) @ turn, item.y)
    want = nc5_orthogonality_centered(statistics, v)
    got = nc5_orthogonality_centered(moved, (v + shift) @ turn)
    assert got == pytest.approx(want, rel=1e-7, abs=LOOSE)
    if d == len(values) or values[d - 1] > 1.01 * values[d]:
        want, got = neco_scores(statistics, X), neco_scores(moved, (X + shift) @ turn)
        assert got == pytest.approx(want, rel=SINGLE, abs=1e-7)
        assert 0 <= want.min() <= want.max() <= 1


def test_undefined():
    item = toy("random_balanced")
    statistics = fit(item)
    assert math.isnan(nc5_orthogonality(statistics, np.zeros(7)))
    lone = ClassStatistics.from_samples(np.array([[1.0], [3.0]]), np.array([0, 1]))
    assert math.isnan(nc5_orthogonality_centered(lone, np.array([2.0])))
    assert math.isnan(neco_scores(lone, np.array([[2.0]]))[0])
    assert math.isnan(nc5_neco(statistics, np.empty((0, 7))))
    assert neco_scores(statistics, np.empty((0, 7))).shape == (0,)


@pytest.mark.parametrize("offset", [2.0**20, 2.0**24])
def test_a_common_offset_costs_no_digits(offset):
    # Whole multiples of 2^-28 of small numbers are shifted without error.
    rng = np.random.default_rng(3)
    y = np.repeat(np.arange(4), 30)
    means = rng.standard_normal((4, 6))
    X, Z = (
        np.round((center + rng.standard_normal((n, 6))) * 2**8) * 2.0**-28
        for center, n in ((means[y], 120), (3.0, 50))
    )
    near, far = (
        NeuralCollapseAnalyzer().fit(X + shift, y).score_ood(Z + shift)
        for shift in (0.0, offset)
    )
    key = "nc5_orthogonality_centered"
    assert far[key] == pytest.approx(near[key], rel=TIGHT)
    # The mean alone is rounded where the offset is.
    statistics = ClassStatistics.from_samples(X, y)
    direct = nc5_orthogonality_centered(statistics, Z.mean(0))
    assert direct == pytest.approx(near[key], rel=TIGHT)


def test_bad_input():
    item = toy("random_balanced")
    statistics = fit(item)
    for function in (nc5_orthogonality, nc5_orthogonality_centered):
        with pytest.raises(ValueError, match="ood_mean"):
            function(statistics, np.ones(6))
        with pytest.raises(ValueError, match="ood_mean"):
            function(statistics, np.ones((2, 7)))
    for X in (np.ones((4, 6)), np.ones(7)):
        with pytest.raises(ValueError, match="X must be"):
            neco_scores(statistics, X)
    for d in (0, 8):
        with pytest.raises(ValueError, match="n_directions"):
            nc5_neco(statistics, item.X, n_directions=d)
    with pytest.raises(ValueError, match="requires the scatter"):
        neco_scores(fit(item, covariance=False), item.X)
    one = ClassStatistics.from_samples(item.X, 0 * item.y)
    with pytest.raises(ValueError, match="at least 2 classes"):
        neco_scores(one, item.X)


def test_classes_without_samples_take_no_part():
    item = toy("random_balanced")
    statistics = fit(item)
    classes = np.arange(8)
    wide = ClassStatistics(classes, statistics.aligned(classes), 100, "float64")
    X = strangers(item)
    assert neco_scores(wide, X) == pytest.approx(neco_scores(statistics, X), rel=TIGHT)
    for function in (nc5_orthogonality, nc5_orthogonality_centered):
        want = function(statistics, X[0])
        assert function(wide, X[0]) == pytest.approx(want, rel=TIGHT)


def check_library(item, to_library):
    """Compare with NumPy, which may also hold what is scored."""
    X, statistics = strangers(item), fit(item)
    other = ClassStatistics.from_samples(to_library(item.X), to_library(item.y))
    for function in (nc5_orthogonality, nc5_orthogonality_centered):
        want = function(statistics, X[0])
        for v in (to_library(X[0]), X[0]):
            assert function(other, v) == pytest.approx(want, rel=CLOSE)
    want = neco_scores(statistics, X)
    for Z in (to_library(X), X):
        got = neco_scores(other, Z)
        assert type(got) is type(other.class_means)
        assert [float(score) for score in got] == pytest.approx(want, rel=CLOSE)
        assert nc5_neco(other, Z) == pytest.approx(want.mean(), rel=CLOSE)


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_libraries(library):
    xp = pytest.importorskip(library)
    check_library(toy("long_tailed"), xp.asarray)


@pytest.mark.gpu
def test_cuda(torch):
    check_library(toy("long_tailed"), lambda a: torch.asarray(a, device="cuda"))


def test_features_that_require_gradients(torch):
    item = toy("long_tailed")
    X, y = torch.asarray(item.X), torch.asarray(item.y)
    statistics = ClassStatistics.from_samples(X, y)
    scores = neco_scores(statistics, X.float().requires_grad_())
    assert not scores.requires_grad
    assert scores.dtype == torch.float64
    want = neco_scores(fit(item), item.X)
    assert scores.numpy() == pytest.approx(want, rel=1e-5)
