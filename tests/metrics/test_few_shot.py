"""The bound for few samples, and means of samples of several labels."""

import math

import numpy as np
import pytest
from toys import collapsed, simplex, toy

from sknc import Convention, NeuralCollapseAnalyzer
from sknc.metrics import tag_wise_average


def bound(X, y, m):
    """From samples, pair by pair."""
    K = y.max() + 1
    means = np.array([X[y == k].mean(0) for k in range(K)])
    along, roots, spread = [], [], []
    for i in range(K):
        own = X[y == i] - means[i]
        for j in range(K):
            if i == j:
                continue
            gap = means[i] - means[j]
            squared = gap @ gap
            variances = [((X[y == k] - means[k]) ** 2).sum(1).mean() for k in (i, j)]
            along.append(((own @ gap) ** 2).mean() / squared**2)
            roots.append(math.sqrt(variances[0] / squared))
            spread.append(sum(variances) / 2 / squared)
    V, s, v = map(np.mean, (spread, roots, along))
    return (K - 1) * (8 * v + 8 * s / m**0.5 + (8 / m**0.5 + 4 / m) * V)


@pytest.mark.parametrize("name", ["random_balanced", "long_tailed", "two_classes"])
def test_bound_equals_that_of_samples(name):
    item = toy(name)
    report = item.report(metrics=["nc1_few_shot_bound"], n_jackknife=4)
    want = bound(item.X, item.y, 10)
    assert report.nc1_few_shot_bound == pytest.approx(want, rel=1e-9)
    assert report.standard_error["nc1_few_shot_bound"] > 0


def test_bound_falls_with_shots_to_its_directional_part():
    from sknc import ClassStatistics
    from sknc.metrics import few_shot, sample_margins
    from sknc.statistics.sample_measures import SampleMeasures

    item = toy("random_balanced")
    statistics = ClassStatistics.from_samples(item.X, item.y)
    means = statistics.class_means
    sums = np.zeros((5, 5))
    for k in range(5):
        rows = item.X[item.y == k] - means[k]
        along = rows @ (means - means[k]).T
        largest = (statistics.equally_centered_means**2).sum(1).max()
        sums[k] = ((along / largest) ** 2).sum(0)
    measures = SampleMeasures(np.ones(len(item.y)), None, None, None, None, sums)
    values = [
        few_shot.nc1_few_shot_bound(statistics, measures, n_shots=m)
        for m in (10, 1000, 10**24)
    ]
    assert values == sorted(values, reverse=True)
    part = 8 * 4 * sample_margins.nc1_cdnv_directional(statistics, measures)
    # The rest falls with the root of the number of shots.
    assert values[-1] == pytest.approx(part, rel=1e-9)
    with pytest.raises(ValueError, match="n_shots must be an integer of at"):
        few_shot.nc1_few_shot_bound(statistics, measures, n_shots=9)


def test_bound_at_collapse():
    report = collapsed().report(metrics=["nc1_few_shot_bound"])
    assert report.nc1_few_shot_bound == 0


def test_note_of_a_class_without_scored_samples():
    item = toy("random_balanced")
    keys = ["nc1_few_shot_bound", "nc1_cdnv_directional"]
    for options in ({}, {"convention": Convention(bias_correction=True)}):
        analyzer = NeuralCollapseAnalyzer(metrics=keys, **options).fit(item.X, item.y)
        some = item.y < 4
        report = analyzer.score(item.X[some], item.y[some])
        for key in keys:
            assert math.isnan(report[key])
            assert report.notes[key] == "Undefined: a class has no sample here."


# Several labels ----------------------------------------------------------------------


def tagged(noise=0.0, K=4, D=6):
    """Samples of single labels and of pairs, whose means are half the sums."""
    rng = np.random.default_rng(0)
    corners = simplex(K, D)
    Y = np.array(
        [np.eye(K)[k] for k in range(K)]
        + [np.eye(K)[i] + np.eye(K)[j] for i in range(K) for j in range(i)]
    )
    Y = np.repeat(Y, 5, axis=0)
    X = Y @ corners / Y.sum(1)[:, None]
    return 7 + X + noise * rng.standard_normal(X.shape), Y.astype(int)


def test_exact_averages():
    found = tag_wise_average(*tagged())
    assert found.error < 1e-25
    np.testing.assert_allclose(found.scales, 0.5, rtol=1e-12)
    assert found.scale_spread < 1e-12
    assert found.counts.tolist() == [5] * 6
    assert found.label_sets.sum(1).tolist() == [2] * 6


def test_equals_the_formula_away_from_collapse(torch):
    X, Y = tagged(0.5)
    single = np.array([X[(Y.sum(1) == 1) & (Y[:, k] == 1)].mean(0) for k in range(4)])
    center, angles = single.mean(0), []
    for pair in np.unique(Y[Y.sum(1) > 1], axis=0):
        a = X[(pair == Y).all(1)].mean(0) - center
        b = pair @ (single - center)
        angles.append(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    found = tag_wise_average(X, Y)
    assert found.error == pytest.approx(np.mean(angles), rel=1e-9)
    assert found.error > 1e-3
    tensors = tag_wise_average(torch.asarray(X), torch.asarray(Y))
    assert tensors.error == pytest.approx(found.error, rel=1e-12)
    moved = tag_wise_average(3 * X - 40, Y)
    assert moved.error == pytest.approx(found.error, rel=1e-9)
    np.testing.assert_allclose(moved.scales, found.scales, rtol=1e-9)


def test_sets_of_labels_without_samples_of_their_own_are_left_out():
    X, Y = tagged()
    keep = ~((Y.sum(1) == 1) & (Y[:, 0] == 1))
    found = tag_wise_average(X[keep], Y[keep])
    assert not found.label_sets[:, 0].any()
    assert len(found.counts) == 3
    alone = tag_wise_average(X[Y.sum(1) == 1], Y[Y.sum(1) == 1])
    assert math.isnan(alone.error)
    assert math.isnan(alone.scale_spread)


def test_what_is_no_matrix_of_indicators_is_refused():
    X, Y = tagged()
    for wrong in (Y[:, 0], Y[1:], 2 * Y):
        with pytest.raises(ValueError, match=r"^Y must be indicators of shape \(50, n"):
            tag_wise_average(X, wrong)
    with pytest.raises(ValueError, match=r"at least 2 labels, got 1\.$"):
        tag_wise_average(X[:5], Y[:5])
