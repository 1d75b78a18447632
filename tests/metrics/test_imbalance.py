"""The metrics of imbalance, against loops and in cases with a known answer."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import labelled, rotations, seeds
from tables import each
from tolerances import CLOSE, LOOSE, TIGHT
from toys import around, collapsed, simplex, toy
from vectors import cosine

from sknc import ClassStatistics
from sknc.head import LinearHead
from sknc.metrics.duality import nc3_structure
from sknc.metrics.imbalance import (
    imb_block,
    imb_minority_cosine,
    imb_minority_cosine_head,
    imb_minority_ratio,
    imb_norm_count_corr,
    imb_norm_count_corr_head,
    imb_seli_h,
    imb_seli_w,
    imb_seli_z,
)
from sknc.metrics.simplex import nc2_cos_std, nc2_equinorm, nc2_etf, nc2_etf_head
from sknc.statistics.held_out import HeldOutStatistics

MEANS = (
    imb_minority_cosine,
    imb_minority_ratio,
    imb_norm_count_corr,
    imb_block,
    imb_seli_h,
)
HEADS = (imb_minority_cosine_head, imb_norm_count_corr_head, imb_seli_w, imb_seli_z)
COUNTS = [9, 2, 5, 9, 3, 2, 5, 8, 2]


def imbalanced(n_features=7, seed=1):
    """Return nine classes, of which some have equal counts."""
    rng = np.random.default_rng(seed)
    return around(rng.standard_normal((9, n_features)), COUNTS, 0.5, seed)


def inputs(item):
    """Statistics and head of a toy, uniformly centered means, and counts."""
    statistics = ClassStatistics.from_samples(item.X, item.y)
    means = item.class_means
    counts = np.unique(item.y, return_counts=True)[1]
    return statistics, LinearHead(item.W, item.b), means - means.mean(0), counts


def apply(function, statistics, head, **options):
    if function in MEANS:
        return function(statistics, **options)
    return function(statistics, head, **options)


def with_counts(means, counts):
    """Return statistics of exactly those class means and counts."""
    y = np.repeat(np.arange(len(means)), counts)
    return ClassStatistics.from_samples(np.asarray(means)[y], y)


# References ----------------------------------------------------------------------


def mean_over_pairs(rows, value):
    return np.mean([value(a, b) for a, b in itertools.combinations(rows, 2)])


def minority_of(counts, q=0.5):
    ordered = sorted(counts)
    limit = next(c for c in ordered if sum(n <= c for n in counts) >= q * len(counts))
    return np.array([c <= limit and c < max(counts) for c in counts])


def distance(a, b):
    return np.linalg.norm(a - b)


def block(M, counts):
    found = []
    for count in set(counts.tolist()):
        rows = M[counts == count]
        if len(rows) < 2:
            continue
        norms = np.sqrt((rows**2).sum(1))
        cosines = [cosine(a, b) for a, b in itertools.combinations(rows, 2)]
        spread = np.std(cosines, ddof=1) if len(cosines) > 1 else 0.0
        found.append(norms.std(ddof=1) / norms.mean() + spread)
    return np.mean(found)


def seli(A, side, counts):
    """Return the distance from SELI with the K x N matrix of encoded labels."""
    K = len(counts)
    y = np.repeat(np.arange(K), counts)
    Z = np.eye(K)[:, y] - 1 / K
    V, values, Ut = np.linalg.svd(Z, full_matrices=False)
    first = np.searchsorted(y, np.arange(K))
    target = {
        "w": (V * values) @ V.T,
        "h": ((Ut.T * values) @ Ut)[np.ix_(first, first)],
        "z": Z[:, first],
    }[side]
    return np.linalg.norm(A / np.linalg.norm(A) - target / np.linalg.norm(target))


def reference(function, M, W, counts):
    few = minority_of(counts)
    formulas = {
        imb_minority_cosine: lambda: mean_over_pairs(M[few], cosine),
        imb_minority_cosine_head: lambda: mean_over_pairs(W[few], cosine),
        imb_minority_ratio: lambda: (
            mean_over_pairs(M[few], distance) / mean_over_pairs(M[~few], distance)
        ),
        imb_norm_count_corr: lambda: stats.spearmanr((M**2).sum(1), counts)[0],
        imb_norm_count_corr_head: lambda: stats.spearmanr((W**2).sum(1), counts)[0],
        imb_block: lambda: block(M, counts),
        imb_seli_w: lambda: seli(W @ W.T, "w", counts),
        imb_seli_h: lambda: seli(M @ M.T, "h", counts),
        imb_seli_z: lambda: seli(W @ M.T, "z", counts),
    }
    return formulas[function]()


@each("function", [*MEANS, *HEADS])
@pytest.mark.parametrize("n_features", [3, 7, 20])
def test_references(function, n_features):
    item = imbalanced(n_features)
    statistics, head, means, counts = inputs(item)
    want = reference(function, means, item.W, counts)
    got = apply(function, statistics, head)
    assert type(got) is float
    assert got == pytest.approx(want, rel=LOOSE)


# Which classes are of the minority ------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "q", "names"),
    [
        ([9, 2, 5, 9, 3, 2], 0.5, [1, 4, 5]),
        ([9, 2, 5, 9, 3, 2], 0.1, [1, 5]),
        ([9, 2, 5, 9, 3, 2], 0.99, [1, 2, 4, 5]),
        ([5, 5, 5, 100], 0.5, [0, 1, 2]),
        ([5, 4, 100, 100, 100, 100], 0.5, [0, 1]),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.7, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_quantile_is_the_named_classes(counts, q, names):
    means = np.random.default_rng(0).standard_normal((len(counts), 12))
    statistics = with_counts(means, counts)
    for function in (imb_minority_cosine, imb_minority_ratio):
        want = function(statistics, minority=names)
        assert function(statistics, minority=q) == pytest.approx(want, nan_ok=True)


def test_balanced_data_have_no_minority():
    statistics, head, _, _ = inputs(toy("random_balanced"))
    keys = (imb_minority_cosine, imb_minority_cosine_head, imb_minority_ratio)
    for function in (*keys, imb_norm_count_corr, imb_norm_count_corr_head):
        assert math.isnan(apply(function, statistics, head))
    for function in keys:
        assert math.isfinite(apply(function, statistics, head, minority=[0, 3]))


def test_sums_of_weights_that_differ_by_rounding_are_balanced():
    weights = np.array([0.1, 0.2, 0.3, 0.6, 0.3, 0.3, 0.2, 0.2, 0.2])
    y = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3])
    X = np.random.default_rng(0).standard_normal((9, 5))
    statistics = ClassStatistics.from_samples(X, y, weights)
    assert len(set(statistics.counts.tolist())) > 1
    assert math.isnan(imb_minority_cosine(statistics))
    assert math.isnan(imb_norm_count_corr(statistics))
    want = nc2_equinorm(statistics) + nc2_cos_std(statistics)
    assert imb_block(statistics) == pytest.approx(want, rel=TIGHT)


def test_labels_may_be_strings():
    item = imbalanced()
    named = item.relabeled(list("abcdefghi"))
    statistics, head, _, _ = inputs(item)
    other = inputs(named)[0]
    for function in (imb_minority_cosine, imb_minority_ratio):
        want = function(statistics, minority=(1, 2, 4))
        assert function(other, minority=["b", "c", "e"]) == pytest.approx(want)
    want = imb_minority_cosine_head(statistics, head, minority=(1, 2))
    assert imb_minority_cosine_head(other, head, minority={"b", "c"}) == want


@each("minority", [0.0, 1.0, -0.5, math.nan, True, 3, "0", [0, 11], None])
@pytest.mark.parametrize(
    "function", [imb_minority_cosine, imb_minority_cosine_head, imb_minority_ratio]
)
def test_bad_minority(function, minority):
    statistics, head, _, _ = inputs(imbalanced())
    with pytest.raises(ValueError, match="minority"):
        apply(function, statistics, head, minority=minority)


# Known answers --------------------------------------------------------------------


def test_imbalanced_simplex():
    means = simplex(10, 12)
    statistics = with_counts(means, [5000] * 5 + [50] * 5)
    head = LinearHead(3 * means, None)
    for function in (imb_minority_cosine, imb_minority_cosine_head):
        value = apply(function, statistics, head)
        assert value == pytest.approx(-1 / 9, rel=TIGHT)
    assert imb_minority_ratio(statistics) == pytest.approx(1, rel=TIGHT)
    assert imb_block(statistics) < 1e-14
    assert imb_seli_z(statistics, head) < 1e-14
    assert math.isnan(imb_norm_count_corr(statistics))  # all norms are equal
    assert imb_seli_h(statistics) > 0.3
    # The mean of samples invents a minority collapse.
    false = imb_minority_cosine(statistics, convention="zhu2021")
    assert false == pytest.approx(0.161, abs=5e-4)


def test_minority_collapse():
    means = np.r_[4 * simplex(4, 6), np.full((3, 6), 0.5)]
    statistics = with_counts(means, [40, 40, 30, 20, 3, 2, 1])
    assert imb_minority_cosine(statistics, minority=[4, 5, 6]) == 1.0
    assert imb_minority_ratio(statistics, minority=[4, 5, 6]) == 0.0
    assert imb_minority_ratio(statistics, minority=[0, 1, 2, 3]) == math.inf


def test_norms_that_follow_the_counts():
    directions = simplex(5, 6)
    counts = [3, 9, 5, 20, 7]
    head = LinearHead(directions * np.array(counts)[:, None], None)
    statistics = with_counts(directions, counts)
    assert imb_norm_count_corr_head(statistics, head) == 1.0
    rare = LinearHead(directions / np.array(counts)[:, None], None)
    assert imb_norm_count_corr_head(statistics, rare) == -1.0


def test_seli_geometry():
    counts = np.array([400, 200, 50, 20, 5])
    G = (np.eye(5) - 0.2) * np.sqrt(counts)
    V, values, Bt = np.linalg.svd(G)
    turn = rotations(8, 3)[:5]
    W = V * np.sqrt(values) @ turn
    H = Bt.T * np.sqrt(values) / np.sqrt(counts)[:, None] @ turn
    statistics, head = with_counts(2 * H + 1, counts), LinearHead(W, None)
    assert imb_seli_w(statistics, head) < 1e-14
    assert imb_seli_h(statistics) < 1e-13
    assert imb_seli_z(statistics, head) < 1e-13
    assert nc2_etf_head(head) > 0.1
    assert nc2_etf(statistics) > 0.1


@pytest.mark.parametrize("name", ["random_balanced", "square", "norms_1551"])
def test_balanced_seli_is_a_simplex(name):
    statistics, head, _, _ = inputs(toy(name))
    assert imb_seli_h(statistics) == pytest.approx(nc2_etf(statistics), rel=TIGHT)
    assert imb_seli_w(statistics, head) == pytest.approx(nc2_etf_head(head), rel=TIGHT)
    want = nc2_equinorm(statistics) + nc2_cos_std(statistics)
    assert imb_block(statistics) == pytest.approx(want, rel=TIGHT)


def test_seli_logits_are_those_of_a_simplex():
    statistics, head, _, _ = inputs(imbalanced())
    assert imb_seli_z(statistics, head) == nc3_structure(statistics, head)


def test_collapse():
    statistics, head, _, _ = inputs(collapsed())
    for function in (imb_block, imb_seli_w, imb_seli_h, imb_seli_z):
        assert apply(function, statistics, head) < 1e-13, function


# Invariances, and where nothing is defined ----------------------------------------


@given(labelled(), st.floats(-20, 20), st.sampled_from([0.125, 7.0]), seeds)
def test_invariances(item, shift, factor, seed):
    statistics, head, means, _ = inputs(item)
    turn = rotations(item.X.shape[1], seed)
    other = ClassStatistics.from_samples((item.X + shift) @ turn * factor, item.y)
    turned = LinearHead(3 * item.W @ turn, item.b)
    if np.diff(np.sort((means**2).sum(1))).min() < 1e-6:
        return  # two norms that may change places
    for function in (*MEANS, *HEADS):
        want = apply(function, statistics, head)
        got = apply(function, other, turned)
        assert got == pytest.approx(want, rel=1e-7, abs=LOOSE, nan_ok=True), function


@given(labelled(max_samples=30))
def test_any_counts(item):
    statistics, head, means, counts = inputs(item)
    for function in (imb_seli_w, imb_seli_h, imb_seli_z):
        want = reference(function, means, item.W, counts)
        got = apply(function, statistics, head)
        assert got == pytest.approx(want, rel=1e-8, abs=CLOSE), function
        assert 0 <= got <= 2 + 1e-15
    for function in (
        imb_minority_cosine,
        imb_minority_cosine_head,
        imb_norm_count_corr,
    ):
        assert not abs(apply(function, statistics, head)) > 1 + 1e-15


@pytest.mark.parametrize("function", [*MEANS, *HEADS])
def test_one_class(function):
    statistics = ClassStatistics.from_samples(np.ones((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="at least 2 classes"):
        apply(function, statistics, LinearHead(np.ones((1, 2)), None))


def test_undefined():
    item = imbalanced()
    statistics, _, _, _ = inputs(item)
    same = ClassStatistics.from_samples(np.ones_like(item.X), item.y)
    for function in MEANS:
        assert math.isnan(function(same)), function
    none = LinearHead(0 * item.W, None)
    for function in HEADS:
        assert math.isnan(function(statistics, none)), function
    alone = with_counts(simplex(4, 5), [4, 3, 2, 1])
    assert math.isnan(imb_block(alone))
    two = ClassStatistics.from_samples(np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]))
    assert math.isnan(imb_norm_count_corr(two))
    assert math.isnan(imb_minority_cosine(two))
    assert math.isnan(imb_minority_cosine(statistics, minority=[1]))
    assert math.isnan(imb_minority_ratio(statistics, minority=range(9)))


def test_a_mean_at_the_global_mean():
    means = np.array([[2.0, 0], [-2, 0], [0, 0]])
    statistics = with_counts(means, [5, 2, 2])
    assert math.isnan(imb_block(statistics))
    assert math.isnan(imb_minority_cosine(statistics))


def test_counts_are_those_of_the_centers():
    item = imbalanced()
    statistics, head, _, _ = inputs(item)
    moments = statistics.moments
    few = ClassStatistics.from_samples(item.X[::-1], item.y[::-1] // 8)
    samples = ClassStatistics(
        statistics.classes,
        few.aligned(statistics.classes).moved_to(moments.anchors),
        few.n_samples,
        "float64",
    )
    held_out = HeldOutStatistics(statistics, samples)
    for function in (*MEANS, *HEADS):
        want = apply(function, statistics, head)
        assert apply(function, held_out, head) == want


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("function", [*MEANS, *HEADS])
def test_libraries(function, library):
    xp = pytest.importorskip(library)
    item = imbalanced()
    statistics, head, _, _ = inputs(item)
    other = ClassStatistics.from_samples(xp.asarray(item.X), xp.asarray(item.y))
    got = apply(function, other, LinearHead(xp.asarray(item.W), None))
    assert type(got) is float
    assert got == pytest.approx(apply(function, statistics, head), rel=1e-11)


@pytest.mark.gpu
@pytest.mark.parametrize("function", [*MEANS, *HEADS])
def test_cuda(function, torch):
    item = imbalanced()
    statistics, head, _, _ = inputs(item)
    X, y, W = (torch.asarray(a, device="cuda") for a in (item.X, item.y, item.W))
    got = apply(function, ClassStatistics.from_samples(X, y), LinearHead(W, None))
    assert got == pytest.approx(apply(function, statistics, head), rel=LOOSE)
