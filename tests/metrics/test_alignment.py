"""The finer metrics of NC3, against loops and in cases with a known answer."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tables import each
from tolerances import LOOSE, TIGHT
from toys import collapsed, simplex, toy
from vectors import cosine

from sknc import ClassStatistics
from sknc.head import LinearHead
from sknc.metrics.alignment import (
    nc3_gram,
    nc3_norm_ratio,
    nc3_principal_angles,
    nc3_procrustes,
    nc3_uniform_duality,
)
from sknc.metrics.duality import nc3_self_duality

nc3_dot = functools.partial(nc3_uniform_duality, product="dot")
LOWER = (nc3_uniform_duality, nc3_gram, nc3_procrustes, nc3_norm_ratio)
EVERY = (*LOWER, nc3_principal_angles)
NAMES = (
    "random_balanced",
    "long_tailed",
    "more_classes_than_dimensions",
    "two_classes",
    "noisy_simplex",
)


def inputs(item):
    """Statistics and head of a toy, uniformly centered means, and weights."""
    statistics = ClassStatistics.from_samples(item.X, item.y)
    means = item.class_means
    return statistics, LinearHead(item.W, None), means - means.mean(0), item.W


def reference(function, M, W):
    """Return the metric from its formula, by loops or through another identity."""
    K = len(M)
    if function is nc3_uniform_duality:
        return np.var([cosine(w, m) for w, m in zip(W, M, strict=True)])
    if function is nc3_dot:
        return np.var([w @ m for w, m in zip(W, M, strict=True)])
    if function is nc3_gram:
        total = 0.0
        for i in range(K):
            for j in range(K):
                total += (cosine(M[i], M[j]) - cosine(W[i], W[j])) ** 2
        return math.sqrt(total) / K
    if function is nc3_procrustes:
        nuclear = np.linalg.svd(W.T @ M, compute_uv=False).sum()
        return 1 - nuclear / np.sqrt((W**2).sum() * (M**2).sum())
    if function is nc3_norm_ratio:
        ratios = np.sqrt((W**2).sum(1) / (M**2).sum(1))
        return ratios.std(ddof=1) / ratios.mean()
    rank = np.linalg.matrix_rank(M)
    bases = [np.linalg.eigh(A.T @ A)[1][:, -rank:] for A in (W, M)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).mean()


@pytest.mark.parametrize("function", [*EVERY, nc3_dot])
@each("name", NAMES)
def test_references(function, name):
    statistics, head, means, weights = inputs(toy(name))
    want = reference(function, means, weights)
    assert function(statistics, head) == pytest.approx(want, rel=LOOSE, abs=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_collapse(n_classes, shift):
    statistics, head, _, _ = inputs(collapsed(n_classes, 9, shift=shift))
    for function in LOWER:
        assert 0 <= function(statistics, head) < 1e-13, function
    assert nc3_principal_angles(statistics, head) == pytest.approx(1, abs=1e-13)


def test_small_values_keep_their_digits():
    means = simplex(4, 6)
    statistics = ClassStatistics.from_samples(means, np.arange(4))
    # Orthogonal to the row that it is added to, so that the angle is 1e-6.
    aside = np.roll(rotations(6, 0), 1, axis=0)[:4]
    aside -= (aside * means).sum(1)[:, None] * means
    aside *= np.array([1e-6, 2e-6, 0, 0])[:, None]
    aside[:2] /= np.linalg.norm(aside[:2] / np.array([[1e-6], [2e-6]]), axis=1)[:, None]
    head = LinearHead(means + aside, None)
    # cos = 1 - t^2/2 + O(t^4) for t = 1e-6, 2e-6, 0, 0.
    want = np.var([0.5e-12, 2e-12, 0, 0])
    assert nc3_uniform_duality(statistics, head) == pytest.approx(want, rel=1e-8)
    near = nc3_procrustes(statistics, head)
    assert 0 < near <= nc3_self_duality(statistics, head) ** 2 / 2 < 1e-12
    assert 0 < nc3_gram(statistics, head) < 4e-6


def test_same_shape_rotated():
    item = toy("random_balanced")
    statistics, _, means, _ = inputs(item)
    head = LinearHead(3 * means @ rotations(means.shape[1], 5), None)
    assert nc3_procrustes(statistics, head) < 1e-25
    assert nc3_gram(statistics, head) < 1e-14
    assert nc3_norm_ratio(statistics, head) < 1e-14
    assert nc3_self_duality(statistics, head) > 0.5


def test_greatest_gram_distance():
    # All rows equal against plus and minus one direction.
    X = np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    statistics = ClassStatistics.from_samples(X, np.arange(4))
    head = LinearHead(np.ones((4, 2)), None)
    assert nc3_gram(statistics, head) == pytest.approx(math.sqrt(2), rel=1e-14)
    assert nc3_procrustes(statistics, head) == pytest.approx(1, rel=1e-14)


def test_tiles_of_many_classes():
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((2, 1100, 5))
    statistics = ClassStatistics.from_samples(X, np.arange(1100), covariance=False)
    M = X - X.mean(0)
    U, V = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (M, W))
    want = np.linalg.norm(U @ U.T - V @ V.T) / 1100
    got = nc3_gram(statistics, LinearHead(W, None))
    assert got == pytest.approx(want, rel=TIGHT)


def test_principal_angles_of_a_known_plane():
    # Means span the first two axes, the head turns the second by 60 degrees.
    means = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    turn = np.array([[1, 0, 0], [0, 0.5, math.sqrt(0.75)], [0, 0, 0]])
    statistics = ClassStatistics.from_samples(means, np.arange(4))
    head = LinearHead(means @ turn, None)
    assert nc3_principal_angles(statistics, head) == pytest.approx(0.75, rel=1e-14)


def test_head_of_lower_rank_has_right_angles():
    means = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    statistics = ClassStatistics.from_samples(means, np.arange(4))
    head = LinearHead(np.outer([1.0, -1, 0, 0], [1.0, 0, 0]), None)
    assert nc3_principal_angles(statistics, head) == pytest.approx(0.5, rel=1e-14)


@given(labelled(), st.floats(-20, 20), st.sampled_from([0.125, 7.0]), seeds)
def test_invariances(item, shift, factor, seed):
    statistics, head, means, weights = inputs(item)
    turn = rotations(item.X.shape[1], seed)
    other = ClassStatistics.from_samples((item.X + shift) @ turn * factor, item.y)
    turned = LinearHead(3 * weights @ turn, None)
    if np.linalg.cond(means) > 1e6 and len(means) <= means.shape[1]:
        return
    for function in EVERY:
        value = function(statistics, head)
        assert function(other, turned) == pytest.approx(value, rel=1e-7, abs=LOOSE)


@given(labelled(), seeds)
def test_rotation_of_the_head_alone(item, seed):
    statistics, head, _, weights = inputs(item)
    turned = LinearHead(weights @ rotations(weights.shape[1], seed), None)
    for function in (nc3_gram, nc3_procrustes, nc3_norm_ratio):
        value = function(statistics, head)
        assert function(statistics, turned) == pytest.approx(
            value, rel=LOOSE, abs=1e-13
        )


@given(labelled(), seeds)
def test_scaling_of_rows(item, seed):
    statistics, head, _, weights = inputs(item)
    scales = np.exp(np.random.default_rng(seed).standard_normal((len(weights), 1)))
    scaled = LinearHead(weights * scales, None)
    for function in (nc3_gram, nc3_uniform_duality):
        value = function(statistics, head)
        assert function(statistics, scaled) == pytest.approx(
            value, rel=LOOSE, abs=1e-13
        )


@given(labelled())
def test_ranges(item):
    statistics, head, _, _ = inputs(item)
    assert 0 <= nc3_uniform_duality(statistics, head) <= 1
    assert 0 <= nc3_gram(statistics, head) <= math.sqrt(2)
    assert 0 <= nc3_procrustes(statistics, head) <= 1 + 1e-15
    assert 0 <= nc3_norm_ratio(statistics, head) <= math.sqrt(len(item.W))
    assert 0 <= nc3_principal_angles(statistics, head) <= 1


@pytest.mark.parametrize("function", EVERY)
def test_undefined(function):
    item = toy("random_balanced")
    statistics, head, means, weights = inputs(item)
    assert math.isnan(function(statistics, LinearHead(0 * weights, None)))
    same = ClassStatistics.from_samples(np.ones((6, 7)), np.arange(6) % 5)
    assert math.isnan(function(same, head))
    one = ClassStatistics.from_samples(means[:2], np.zeros(2))
    with pytest.raises(ValueError, match="at least 2 classes"):
        function(one, LinearHead(weights[:1], None))


def test_a_row_of_zeros():
    statistics, _, _, weights = inputs(toy("random_balanced"))
    weights = weights.copy()
    weights[2] = 0
    head = LinearHead(weights, None)
    assert math.isnan(nc3_gram(statistics, head))
    assert math.isnan(nc3_uniform_duality(statistics, head))
    assert math.isfinite(nc3_norm_ratio(statistics, head))
    assert math.isfinite(nc3_procrustes(statistics, head))


def test_wrong_product():
    statistics, head, _, _ = inputs(toy("random_balanced"))
    with pytest.raises(ValueError, match='"cosine" or "dot"'):
        nc3_uniform_duality(statistics, head, product="cos")


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@each("name", ["long_tailed", "more_classes_than_dimensions"])
@each("function", [*EVERY, nc3_dot])
def test_libraries(function, name, library):
    xp = pytest.importorskip(library)
    item = toy(name)
    statistics, head, _, _ = inputs(item)
    other = ClassStatistics.from_samples(xp.asarray(item.X), xp.asarray(item.y))
    got = function(other, LinearHead(xp.asarray(item.W), None))
    assert type(got) is float
    assert got == pytest.approx(function(statistics, head), rel=TIGHT)


@pytest.mark.gpu
@pytest.mark.parametrize("function", [*EVERY, nc3_dot])
def test_cuda(function, torch):
    item = toy("long_tailed")
    statistics, head, _, _ = inputs(item)
    X, y, W = (torch.asarray(a, device="cuda") for a in (item.X, item.y, item.W))
    got = function(ClassStatistics.from_samples(X, y), LinearHead(W, None))
    assert got == pytest.approx(function(statistics, head), rel=LOOSE)
