"""Ranks of all features, and spectra of the features of single classes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cuts, labelled, merged, rotations, seeds
from toys import around, collapsed, toy

from sknc import ClassStatistics, NeuralCollapseAnalyzer, load
from sknc.metrics import (
    spec_class_nuclear_ratio,
    spec_class_stable_rank,
    spec_rankme,
    spec_total_effective_rank,
)
from sknc.statistics import class_scatters

OF_ALL = (spec_rankme, spec_total_effective_rank)
OF_CLASSES = (spec_class_nuclear_ratio, spec_class_stable_rank)
EVERY = (*OF_ALL, *OF_CLASSES)
NAMES = ("random_balanced", "long_tailed", "more_classes_than_dimensions")


def statistics_of(item, **options):
    options = {"covariance": "by_class", **options}
    return ClassStatistics.from_samples(item.X, item.y, **options)


def entropy(values, epsilon=0.0):
    shares = values / values.sum() + epsilon
    return math.exp(-sum(p * math.log(p) for p in shares if p > 0))


def reference(X, y):
    """From singular values of the samples."""
    values = np.linalg.svd(X, compute_uv=False)
    centered = np.linalg.svd(X - X.mean(0), compute_uv=False)
    ratios, ranks = [], []
    for k in np.unique(y):
        s = np.linalg.svd(X[y == k], compute_uv=False)
        ratios.append(s.sum() / np.sqrt((s**2).sum()))
        s = np.linalg.svd(X[y == k] - X[y == k].mean(0), compute_uv=False)
        ranks.append((s**2).sum() / s[0] ** 2)
    return {
        "spec_rankme": entropy(values, 1e-7),
        "spec_total_effective_rank": entropy(centered),
        "spec_class_nuclear_ratio": np.mean(ratios),
        "spec_class_stable_rank": np.mean(ranks),
    }


@pytest.mark.parametrize("name", NAMES)
def test_equal_reference(name):
    item = toy(name)
    want, statistics = reference(item.X, item.y), statistics_of(item)
    for function in EVERY:
        key = function.__name__
        assert function(statistics) == pytest.approx(want[key], rel=1e-9), key


def test_fewer_samples_than_features():
    rng = np.random.default_rng(3)
    X, y = 2 + rng.standard_normal((9, 30)), np.repeat([0, 1, 2], 3)
    statistics, want = statistics_of(around(X, 1, 0.0)), reference(X, y)
    statistics = ClassStatistics.from_samples(X, y, covariance="by_class")
    assert spec_rankme(statistics) == pytest.approx(want["spec_rankme"], rel=1e-9)
    # Directions without samples are rounding, of which there is a root.
    for function in EVERY:
        key = function.__name__
        assert function(statistics) == pytest.approx(want[key], rel=2e-6), key


def test_epsilon():
    item = toy("random_balanced")
    values = np.linalg.svd(item.X, compute_uv=False)
    got = spec_rankme(statistics_of(item), epsilon=1e-3)
    assert got == pytest.approx(entropy(values, 1e-3), rel=1e-9)
    with pytest.raises(ValueError, match="epsilon must be a number of at least 0"):
        spec_rankme(statistics_of(item), epsilon=-1.0)


def test_values_by_hand():
    statistics = ClassStatistics.from_samples(np.diag([2.0, 1.0]), np.arange(2))
    assert spec_rankme(statistics, epsilon=0.0) == pytest.approx(3 / 2 ** (2 / 3))
    statistics = statistics_of(collapsed())
    assert spec_total_effective_rank(statistics) == pytest.approx(4, rel=1e-9)
    assert spec_class_nuclear_ratio(statistics) == pytest.approx(1, rel=1e-9)
    assert math.isnan(spec_class_stable_rank(statistics))


def test_of_no_size():
    X, y = np.zeros((4, 2)), np.repeat([0, 1], 2)
    statistics = ClassStatistics.from_samples(X, y, covariance="by_class")
    assert all(math.isnan(function(statistics)) for function in EVERY)


def test_a_tight_class_far_from_zero_has_its_small_values():
    # Of a sum of products they would be rounding.
    rng = np.random.default_rng(0)
    X = 1e6 + 1e-3 * rng.standard_normal((200, 5))
    y = np.repeat([0, 1], 100)
    want = reference(X, y)["spec_class_nuclear_ratio"] - 1
    got = (
        spec_class_nuclear_ratio(
            ClassStatistics.from_samples(X, y, covariance="by_class")
        )
        - 1
    )
    # Both are 1 + 1.7e-9, of which the last digit is 1.3e-7 of the difference.
    assert 1e-9 < got == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("function", EVERY)
def test_nan_without_the_scatters(function):
    item = toy("random_balanced")
    assert math.isnan(function(statistics_of(item, covariance=False)))


@given(labelled(), seeds, st.sampled_from([2.0**-20, 2.0**9]))
def test_invariances(item, seed, factor):
    turn = factor * rotations(item.X.shape[1], seed)
    first = statistics_of(item)
    second = ClassStatistics.from_samples(item.X @ turn, item.y, covariance="by_class")
    for function in EVERY:
        want = pytest.approx(function(first), rel=1e-6, nan_ok=True)
        assert function(second) == want


@given(labelled(), st.floats(-50, 50))
def test_shift(item, shift):
    shifted = ClassStatistics.from_samples(
        item.X + shift, item.y, covariance="by_class"
    )
    for function in (spec_total_effective_rank, spec_class_stable_rank):
        want = pytest.approx(function(statistics_of(item)), rel=1e-5, nan_ok=True)
        assert function(shifted) == want


def test_torch(torch):
    item = toy("long_tailed")
    tensors = ClassStatistics.from_samples(
        torch.asarray(item.X), torch.asarray(item.y), covariance="by_class"
    )
    for function in EVERY:
        want = function(statistics_of(item))
        assert function(tensors) == pytest.approx(want, rel=1e-9)


# Scatters of classes -----------------------------------------------------------------


def scatters_of(X, y, weights):
    found = {}
    for k in np.unique(y).tolist():
        w, rows = weights[y == k], X[y == k]
        rows = rows - w @ rows / w.sum()
        found[k] = (rows * w[:, None]).T @ rows
    return found


def assert_scatters(statistics, want):
    found = statistics.class_scatters.by_label
    assert set(found) == set(want)
    for label, scatter in want.items():
        size = np.abs(scatter).max() + 1e-12
        np.testing.assert_allclose(
            found[label].scatter, scatter, rtol=0, atol=1e-9 * size
        )


@given(st.data(), labelled(), st.booleans())
def test_any_cut_and_merge_gives_the_same(data, item, weighted):
    weights = 0.5 + np.arange(len(item.y)) % 3 if weighted else np.ones(len(item.y))
    parts = [
        ClassStatistics.from_samples(
            item.X[where], item.y[where], weights[where], covariance="by_class"
        )
        for where in data.draw(cuts(len(item.y)))
    ]
    whole = data.draw(merged(parts, ClassStatistics.merge))
    assert_scatters(whole, scatters_of(item.X, item.y, weights))


@pytest.mark.parametrize("n_jackknife", [0, 3])
def test_streams_keep_them(n_jackknife):
    item = toy("long_tailed").relabeled(["a", "b", "c", "dd", "e"])
    weights = 0.5 + np.arange(len(item.y)) % 3
    want = scatters_of(item.X, item.y, weights)
    make = {"covariance": "by_class", "n_jackknife": n_jackknife}
    first, second = (NeuralCollapseAnalyzer(**make) for _ in range(2))
    for start in range(0, len(item.y), 50):
        part = slice(start, start + 50)
        chosen = first if start % 100 else second
        chosen.partial_fit(item.X[part], item.y[part], sample_weight=weights[part])
    assert_scatters((first + second).statistics_, want)
    assert_scatters(first.merge(second).statistics_, want)
    # And a fit goes on from what was merged.
    more = first.partial_fit(item.X, item.y, sample_weight=weights)
    twice = scatters_of(
        np.tile(item.X, (2, 1)), np.tile(item.y, 2), np.tile(weights, 2)
    )
    assert_scatters(more.statistics_, twice)


@pytest.mark.parametrize("kind", ["M", "m"])
@pytest.mark.parametrize("units", [("D", "ns"), ("ns", "D"), ("h", "s"), ("W", "D")])
def test_labels_in_days_and_nanoseconds_are_of_the_same_classes(kind, units, tmp_path):
    item = toy("random_balanced")
    labels = (7 * item.y).astype(f"{kind}8[D]")
    want = reference(item.X, item.y)
    analyzer = NeuralCollapseAnalyzer(covariance="by_class", metrics=list(want))
    half = np.arange(len(item.y)) % 2 == 0
    for rows, unit in zip((half, ~half), units, strict=True):
        analyzer.partial_fit(item.X[rows], labels[rows].astype(f"{kind}8[{unit}]"))
    assert len(analyzer.statistics_.class_scatters.by_label) == 5
    got = analyzer.report().to_dict()
    assert got == pytest.approx(want, rel=1e-8)
    analyzer.save(tmp_path / "dates.sknc")
    assert load(tmp_path / "dates.sknc").report().to_dict() == got
    first = np.unique(labels)[:2]
    for chosen in (first, first.astype(f"{kind}8[ms]"), first.tolist()):
        assert analyzer.report(classes=chosen).n_samples == np.sum(item.y < 2)


def test_a_refused_batch_leaves_them():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer(covariance="by_class").fit(item.X, item.y)
    before = analyzer.statistics_.class_scatters
    with pytest.raises(ValueError, match="NaN"):
        analyzer.partial_fit(item.X * np.nan, item.y)
    assert analyzer.statistics_.class_scatters is before


def test_pickle():
    import pickle

    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer(metrics="spectrum", covariance="by_class")
    analyzer.fit(item.X, item.y)
    copy = pickle.loads(pickle.dumps(analyzer))
    assert copy.report().to_dict() == analyzer.report().to_dict()
    assert "spec_class_stable_rank" in copy.report()


def test_merging_with_what_lacks_them_loses_them():
    item = toy("random_balanced")
    full, plain = statistics_of(item), statistics_of(item, covariance=True)
    assert full.merge(plain).class_scatters is None
    report = NeuralCollapseAnalyzer(metrics=["spec_class_stable_rank"])
    with pytest.raises(KeyError, match='each class: fit with covariance="by_class"'):
        report.fit(item.X, item.y).report()["spec_class_stable_rank"]
    analyzer = NeuralCollapseAnalyzer(
        covariance="by_class", metrics=["spec_class_stable_rank"]
    ).fit(item.X, item.y)
    merged = analyzer.merge(NeuralCollapseAnalyzer().fit(item.X, item.y))
    assert merged.report().notes["spec_class_stable_rank"] == (
        "Left out. It requires the scatter of each class: fit with "
        'covariance="by_class", also everything that is merged.'
    )


def test_report_has_a_column_and_errors():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer(
        metrics=["spec_class_nuclear_ratio"], covariance="by_class", n_jackknife=5
    ).fit(item.X, item.y)
    for report in (analyzer.report(), analyzer.score(item.X, item.y)):
        ratios = report.per_class["nuclear_ratio"]
        assert ratios.mean() == pytest.approx(report.spec_class_nuclear_ratio)
        assert "stable_rank" not in report.per_class
        assert report.standard_error["spec_class_nuclear_ratio"] > 1e-4


def test_more_than_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(class_scatters, "host_memory", lambda: 10**6)
    analyzer = NeuralCollapseAnalyzer(covariance="by_class")
    text = (
        r"^The scatters of 20 classes of 100 features need 0\.0016 GB, but this "
        r"machine has 0\.001 GB\. Use fewer classes or features, or covariance=True, "
        r"which stores only their sum\.$"
    )
    with pytest.raises(MemoryError, match=text):
        analyzer.fit(np.ones((40, 100)), np.arange(40) % 20)
    monkeypatch.setattr(class_scatters, "host_memory", lambda: None)
    assert analyzer.fit(np.ones((40, 100)), np.arange(40) % 20).n_samples_seen_ == 40
