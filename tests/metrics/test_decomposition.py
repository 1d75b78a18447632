"""The parts of the mean squared error, against samples and a dense least squares."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tables import each
from tolerances import CLOSE, LOOSE, SINGLE, TIGHT
from toys import around, collapsed, toy

from sknc import ClassStatistics
from sknc.head import LinearHead
from sknc.metrics import least_squares_head
from sknc.metrics.decomposition import mse_lnc1, mse_lnc23, mse_lperp, mse_total
from sknc.statistics.held_out import HeldOutStatistics

PARTS = (mse_lnc1, mse_lnc23, mse_lperp)
EVERY = (mse_total, *PARTS)
NAMES = (
    "random_balanced",
    "long_tailed",
    "more_classes_than_dimensions",
    "two_classes",
)
DECAYS = [0.0, 1e-3, 0.7]


def inputs(item, bias=True):
    statistics = ClassStatistics.from_samples(item.X, item.y)
    return statistics, LinearHead(item.W, item.b if bias else None)


def loss(X, y, W, b, decay):
    """Return the loss from samples."""
    targets = np.eye(len(W))[y]
    errors = ((X @ W.T + b - targets) ** 2).sum(1).mean()
    return (errors + decay * ((W**2).sum() + (b**2).sum())) / 2


def reference(X, y, W, b, decay):
    """Return total and parts from samples and an (N + D + 1)-row least squares."""
    (n, d), K = X.shape, len(W)
    ones = np.concatenate([X, np.ones((n, 1))], axis=1)
    rows = np.concatenate([ones / math.sqrt(n), math.sqrt(decay) * np.eye(d + 1)])
    targets = np.concatenate([np.eye(K)[y] / math.sqrt(n), np.zeros((d + 1, K))])
    best = np.linalg.lstsq(rows, targets, rcond=None)[0]
    given = np.concatenate([W.T, b[None, :]])
    perp = ((rows @ (given - best)) ** 2).sum() / 2
    lnc23 = 0.0
    centered = X.copy()
    for k in np.unique(y):
        mean = ones[y == k].mean(0)
        centered[y == k] -= mean[:-1]
        lnc23 += (y == k).mean() * ((mean @ best - np.eye(K)[k]) ** 2).sum() / 2
    variance = ((centered @ best[:-1]) ** 2).sum() / n
    lnc1 = (variance + decay * (best**2).sum()) / 2
    return loss(X, y, W, b, decay), lnc1, lnc23, perp


@each("decay", DECAYS)
@each("name", NAMES)
@pytest.mark.parametrize("bias", [True, False])
def test_references(name, decay, bias):
    item = toy(name)
    statistics, head = inputs(item, bias)
    want = reference(item.X, item.y, item.W, item.b * bias, decay)
    got = [function(statistics, head, weight_decay=decay) for function in EVERY]
    assert got == pytest.approx(want, rel=LOOSE)


def exact(X, y, W, b, decay):
    """Return total and parts by the normal equations, in 40 digits."""
    n, d, K = len(X), len(X[0]), len(W)
    with mp.workdps(40):
        lam = mp.mpf(decay)
        rows = [[mp.mpf(float(v)) for v in x] + [mp.mpf(1)] for x in X]
        A = mp.zeros(d + 1)
        C = mp.zeros(K, d + 1)
        for row, k in zip(rows, y, strict=True):
            for i in range(d + 1):
                C[int(k), i] += row[i] / n
                for j in range(d + 1):
                    A[i, j] += row[i] * row[j] / n
        A += lam * mp.eye(d + 1)
        best = C * A**-1
        head = mp.matrix(
            [[float(v) for v in w] + [float(c)] for w, c in zip(W, b, strict=True)]
        )
        gap = head - best
        excess = gap * A * gap.T
        perp = sum(excess[k, k] for k in range(K)) / 2
        least = (mp.mpf(1) - sum((C * best.T)[k, k] for k in range(K))) / 2
        lnc23 = mp.mpf(0)
        for k in range(K):
            members = [row for row, label in zip(rows, y, strict=True) if label == k]
            mean = mp.matrix(
                [mp.fsum(c) / len(members) for c in zip(*members, strict=True)]
            )
            out = best * mean
            out[k] -= 1
            lnc23 += mp.mpf(len(members)) / n * sum(v**2 for v in out) / 2
        parts = least + perp, least - lnc23, lnc23, perp
        return [float(value) for value in parts]


@pytest.mark.parametrize("decay", DECAYS)
def test_mpmath(decay):
    rng = np.random.default_rng(3)
    item = around(rng.standard_normal((3, 3)) + 4, [9, 4, 2], 0.4, 11)
    statistics, head = inputs(item)
    got = [function(statistics, head, weight_decay=decay) for function in EVERY]
    want = exact(item.X, item.y, item.W, item.b, decay)
    assert got == pytest.approx(want, rel=CLOSE)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("name", NAMES)
def test_parts_add_up(name, decay):
    item = toy(name)  # "long_tailed" has counts 400, 200, 50, 20 and 5
    statistics, head = inputs(item)
    parts = math.fsum(f(statistics, head, weight_decay=decay) for f in PARTS)
    want = loss(item.X, item.y, item.W, item.b, decay)
    assert parts == pytest.approx(want, rel=TIGHT)
    assert mse_total(statistics, head, weight_decay=decay) == pytest.approx(want, 1e-12)


@given(labelled(), st.sampled_from(DECAYS))
def test_parts_add_up_for_any_counts(item, decay):
    statistics, head = inputs(item)
    parts = [function(statistics, head, weight_decay=decay) for function in PARTS]
    assert min(parts) >= 0
    total = mse_total(statistics, head, weight_decay=decay)
    assert math.fsum(parts) == pytest.approx(total, rel=CLOSE)


def test_least_squares_head_has_no_excess():
    item = toy("long_tailed")
    ones = np.c_[item.X, np.ones(len(item.X))]
    best = np.linalg.lstsq(ones, np.eye(5)[item.y], rcond=None)[0].T
    statistics = ClassStatistics.from_samples(item.X, item.y)
    head = LinearHead(best[:, :-1], best[:, -1])
    assert mse_lperp(statistics, head) < 1e-28
    parts = mse_lnc1(statistics, head) + mse_lnc23(statistics, head)
    assert mse_total(statistics, head) == pytest.approx(parts, rel=TIGHT)


@pytest.mark.parametrize("counts", [6, [400, 200, 50, 20, 5]])
def test_collapse(counts):
    item = collapsed(counts=counts)
    means = np.array([item.X[item.y == k][0] for k in range(5)])
    # The simplex decoder: M M^T = 9 * 5/4 (I - 1/5).
    head = LinearHead(means / (9 * 1.25), np.full(5, 0.2))
    statistics = ClassStatistics.from_samples(item.X, item.y)
    for function in EVERY:
        assert function(statistics, head) < 1e-25, function


def test_dependent_features():
    item = toy("random_balanced")
    X = np.c_[item.X, item.X[:, :2] @ np.array([[1.0], [-2.0]])]  # rank 7 of 8
    W = np.c_[item.W, np.arange(5.0)]
    statistics, head = ClassStatistics.from_samples(X, item.y), LinearHead(W, item.b)
    got = [function(statistics, head) for function in EVERY]
    assert got == pytest.approx(reference(X, item.y, W, item.b, 0.0), rel=LOOSE)
    assert math.fsum(got[1:]) == pytest.approx(got[0], rel=TIGHT)


def test_more_features_than_samples_fits_all():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 40)), np.arange(12) % 3
    statistics = ClassStatistics.from_samples(X, y)
    head = LinearHead(rng.standard_normal((3, 40)), None)
    # Differences of numbers of size one, in which float64 leaves some 1e-17.
    assert mse_lnc1(statistics, head) + mse_lnc23(statistics, head) < 1e-15
    total = mse_total(statistics, head)
    assert mse_lperp(statistics, head) == pytest.approx(total, rel=TIGHT)


@pytest.mark.parametrize("n_samples", [100, 1000])
def test_single_precision_leaves_directions_without_samples_out(n_samples):
    # Of fewer samples than features, and of samples in 64 of 400 dimensions.
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % 5
    X = rng.standard_normal((5, 64))[y] + rng.standard_normal((n_samples, 64))
    X = (X @ rng.standard_normal((64, 400))).astype(np.float32)
    double, single = (
        least_squares_head(ClassStatistics.from_samples(X.astype(dtype), y))
        for dtype in (np.float64, np.float32)
    )
    size = np.abs(double.weights).max()
    # One side is fitted to float32 features, which carry about seven digits.
    np.testing.assert_allclose(single.weights, double.weights, atol=1e-4 * size)
    A = X.astype(np.float64) - X.mean(0, dtype=np.float64)
    want = np.linalg.pinv(A, rcond=1e-5) @ (np.eye(5)[y] - 1 / 5)
    np.testing.assert_allclose(double.weights, want.T, rtol=0, atol=1e-9 * size)


def test_far_from_the_origin():
    item = toy("long_tailed")
    near, head = inputs(item)
    # Whole multiples of 2^-20 are shifted by 1e4 without error.
    X = np.round(item.X * 2**20) / 2**20
    near = ClassStatistics.from_samples(X, item.y)
    far = ClassStatistics.from_samples(X + 1e4, item.y)
    for function in (mse_lnc1, mse_lnc23):
        assert function(far, head) == pytest.approx(function(near, head), rel=CLOSE)


@given(labelled(), st.floats(-20, 20), seeds)
def test_invariances(item, shift, seed):
    statistics, head = inputs(item)
    turn = rotations(item.X.shape[1], seed)
    turned = ClassStatistics.from_samples(item.X @ turn, item.y)
    other = LinearHead(item.W @ turn, item.b)
    for function in EVERY:
        value = function(statistics, head, weight_decay=0.1)
        got = function(turned, other, weight_decay=0.1)
        assert got == pytest.approx(value, rel=1e-8, abs=TIGHT)
    bent = (item.X + shift) @ (turn * np.linspace(0.5, 2, len(turn)))
    mapped = ClassStatistics.from_samples(bent, item.y)
    for function in (mse_lnc1, mse_lnc23):
        value = function(statistics, head)
        assert function(mapped, head) == pytest.approx(value, rel=SINGLE, abs=LOOSE)


def test_weighted_samples():
    item = toy("two_classes")
    repeats = 1 + np.arange(len(item.X)) % 3
    once = ClassStatistics.from_samples(item.X, item.y, repeats)
    many = ClassStatistics.from_samples(
        np.repeat(item.X, repeats, 0), np.repeat(item.y, repeats)
    )
    _, head = inputs(item)
    for function in EVERY:
        assert function(once, head) == pytest.approx(function(many, head), rel=TIGHT)


def held_out(item, new, keep=(0, 1, 2, 3, 4)):
    """Statistics of new samples about the centers of others, of some classes."""
    centers = ClassStatistics.from_samples(item.X, item.y)
    mask = np.isin(new.y, keep)
    samples = ClassStatistics.from_samples(new.X[mask], new.y[mask])
    moments = samples.aligned(centers.classes).moved_to(centers.moments.anchors)
    samples = ClassStatistics(centers.classes, moments, int(mask.sum()), "float64")
    return HeldOutStatistics(centers, samples), new.X[mask], new.y[mask]


@pytest.mark.parametrize("keep", [(0, 1, 2, 3, 4), (0, 1, 4)])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_held_out(keep, decay):
    item = toy("random_balanced")
    new = around(
        np.random.default_rng(4).standard_normal((5, 7)), [30, 9, 8, 12, 5], 1.0
    )
    statistics, X, y = held_out(item, new, keep)
    head = LinearHead(item.W, item.b)
    got = [function(statistics, head, weight_decay=decay) for function in EVERY]
    want = reference(X, y, item.W, item.b, decay)
    assert got == pytest.approx(want, rel=LOOSE)
    assert got[0] == pytest.approx(loss(X, y, item.W, item.b, decay), rel=TIGHT)
    assert math.fsum(got[1:]) == pytest.approx(got[0], rel=TIGHT)


@pytest.mark.parametrize("function", EVERY)
def test_without_scatter(function):
    item = toy("long_tailed")
    statistics = ClassStatistics.from_samples(item.X, item.y, covariance=False)
    assert math.isnan(function(statistics, LinearHead(item.W, item.b)))


@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("decay", [-1.0, math.nan, math.inf])
def test_bad_decay(function, decay):
    statistics, head = inputs(toy("two_classes"))
    with pytest.raises(ValueError, match="weight_decay"):
        function(statistics, head, weight_decay=decay)


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("function", EVERY)
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_libraries(function, decay, library):
    xp = pytest.importorskip(library)
    item = toy("long_tailed")
    statistics, head = inputs(item)
    other = ClassStatistics.from_samples(xp.asarray(item.X), xp.asarray(item.y))
    moved = LinearHead(xp.asarray(item.W), xp.asarray(item.b))
    got = function(other, moved, weight_decay=decay)
    assert type(got) is float
    want = function(statistics, head, weight_decay=decay)
    assert got == pytest.approx(want, rel=CLOSE)


@pytest.mark.gpu
@pytest.mark.parametrize("function", EVERY)
def test_cuda(function, torch):
    item = toy("long_tailed")
    statistics, head = inputs(item)
    X, y, W, b = (
        torch.asarray(a, device="cuda") for a in (item.X, item.y, item.W, item.b)
    )
    got = function(ClassStatistics.from_samples(X, y), LinearHead(W, b))
    assert got == pytest.approx(function(statistics, head), rel=LOOSE)
