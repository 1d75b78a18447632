"""Recall of frequent and rare classes, and the profile of the minority."""

import math

import numpy as np
import pytest
from hypothesis import given
from strategies import labelled
from toys import Toy, simplex, toy

from sknc import ClassStatistics, LinearHead, NeuralCollapseAnalyzer
from sknc.metrics import imb_minority_cosine, minority_profile, nc1_vci

RECALLS = ("imb_many_recall", "imb_medium_recall", "imb_few_recall")


def test_recalls_equal_those_of_samples():
    item = toy("long_tailed")  # of 400, 200, 50, 20 and 5 samples
    report = item.report(metrics=[*RECALLS, "imb_balanced_accuracy"])
    right = (item.X @ item.W.T + item.b).argmax(1) == item.y
    recall = np.array([right[item.y == k].mean() for k in range(5)])
    assert report.imb_balanced_accuracy == pytest.approx(recall.mean(), rel=1e-12)
    assert report.imb_many_recall == pytest.approx(recall[:2].mean(), rel=1e-12)
    assert report.imb_medium_recall == pytest.approx(recall[2:4].mean(), rel=1e-12)
    assert report.imb_few_recall == pytest.approx(recall[4], rel=1e-12)
    assert 0 < recall.min() < recall.max()


def test_counts_are_those_of_the_fitted_samples():
    item = toy("long_tailed")
    few = np.flatnonzero(item.y == 0)[:3]
    analyzer = item.analyzer(metrics=list(RECALLS))
    report = analyzer.score(item.X[few], item.y[few])
    assert math.isfinite(report.imb_many_recall)
    assert math.isnan(report.imb_few_recall)
    assert "no scored class has fewer than `few`" in report.notes["imb_few_recall"]


def test_recalls_have_errors():
    report = toy("long_tailed").report(metrics=list(RECALLS), n_jackknife=4)
    assert report.standard_error["imb_medium_recall"] > 0


# Profile of the minority -------------------------------------------------------------


def brute(rows, order):
    unit = rows[order] / np.linalg.norm(rows[order], axis=1)[:, None]
    found = []
    for m in range(2, len(unit) + 1):
        pairs = [unit[i] @ unit[j] for i in range(m) for j in range(i)]
        found.append(np.mean(pairs))
    return found


@given(labelled())
def test_profile_equals_all_pairs(item):
    statistics = ClassStatistics.from_samples(item.X, item.y)
    order = np.argsort(np.bincount(item.y), kind="stable")
    got = minority_profile(statistics, LinearHead(item.W, None))
    np.testing.assert_allclose(got.cosines, brute(item.W, order), atol=1e-9)
    assert got.labels.tolist() == order.tolist()


def test_profile_contains_the_minority_cosine():
    item = toy("long_tailed")
    statistics = ClassStatistics.from_samples(item.X, item.y)
    profile = minority_profile(statistics)
    want = imb_minority_cosine(statistics, minority=0.6)  # of the three rarest
    assert profile.cosines[1] == pytest.approx(want, rel=1e-12)
    assert profile.counts.tolist() == [5, 20, 50, 200, 400]


def test_where_collapse_begins():
    means = simplex(6, 8)
    means[3:] = means[3]
    y = np.repeat(np.arange(6), [60, 50, 40, 9, 7, 5])
    statistics = ClassStatistics.from_samples(means[y], y)
    rows = LinearHead(means, None)
    assert minority_profile(statistics, rows).begins == 9
    apart = minority_profile(statistics, LinearHead(simplex(6, 8), None))
    assert math.isnan(apart.begins)
    assert apart.cosines == pytest.approx(np.full(5, -0.2), abs=1e-12)
    with pytest.raises(ValueError, match=r"threshold must be in \(-1, 1\], got 2"):
        minority_profile(statistics, threshold=2)


# VCI ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random_balanced", "long_tailed"])
def test_vci_of_uniform_weights(name):
    item = toy(name)
    means, mean = item.class_means, item.X.mean(0)
    residuals = item.X - means[item.y]
    between = (means - mean).T @ (means - mean) / len(means)
    total = between + residuals.T @ residuals / len(item.X)
    rank = min(len(means) - 1, len(mean))
    want = 1 - np.trace(np.linalg.pinv(total) @ between) / rank
    statistics = ClassStatistics.from_samples(item.X, item.y)
    got = nc1_vci(statistics, weights="uniform")
    assert got == pytest.approx(want, rel=1e-9)
    assert (got == pytest.approx(nc1_vci(statistics))) == (name == "random_balanced")
    with pytest.raises(ValueError, match='weights must be "frequency" or "uniform"'):
        nc1_vci(statistics, weights="sample")


# Reports of some classes -------------------------------------------------------------


def part_of(item, labels):
    keep = np.isin(item.y, labels)
    return Toy(item.X[keep], np.searchsorted(labels, item.y[keep]), item.W[labels],
               item.b[labels])  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_jackknife", [0, 3])
def test_report_of_some_classes_is_that_of_their_samples(weighted, n_jackknife):
    item, labels = toy("long_tailed"), [0, 2, 3]
    options = {"metrics": ["NC1", "NC2", "NC3", "spectrum"], "n_jackknife": n_jackknife}
    weights = 0.5 + np.arange(len(item.y)) % 3 if weighted else np.ones(len(item.y))
    analyzer = NeuralCollapseAnalyzer(item.head, covariance="by_class", **options)
    got = analyzer.fit(item.X, item.y, weights).report(classes=labels)
    part, keep = part_of(item, labels), np.isin(item.y, labels)
    again = NeuralCollapseAnalyzer(part.head, covariance="by_class", **options)
    want = again.fit(part.X, part.y, weights[keep]).report()
    assert got.to_dict() == pytest.approx(want.to_dict(), rel=1e-8, nan_ok=True)
    assert got.per_class["label"].tolist() == labels
    assert got.n_samples == want.n_samples
    assert set(got.standard_error) == set(want.standard_error)


def test_report_of_counts_and_without_class_scatters():
    item = toy("long_tailed")
    analyzer = item.analyzer()
    report = analyzer.report(count_range=(20, 200))
    assert report.per_class["label"].tolist() == [1, 2, 3]
    assert "nc1_pinv" not in report
    part = part_of(item, [1, 2, 3])
    want = part.analyzer().report()
    for key in report:
        assert report[key] == pytest.approx(want[key], rel=1e-9), key
    both = analyzer.report(classes=[0, 3, 4], count_range=(None, 20))
    assert both.per_class["label"].tolist() == [3, 4]


def test_refused_subsets():
    item = toy("long_tailed")
    analyzer = item.analyzer()
    with pytest.raises(ValueError, match=r"^classes names \[9\], which are not cl"):
        analyzer.report(classes=[0, 9])
    with pytest.raises(ValueError, match=r"^count_range must be \(least, most\), num"):
        analyzer.report(count_range=3)
    with pytest.raises(ValueError, match="must be chosen, got 1 by classes=None"):
        analyzer.report(count_range=(300, None))
    analyzer.fit(item.X, item.y, sample_weight=np.full(len(item.y), 0.5))
    with pytest.raises(ValueError, match='only with covariance="by_class"'):
        analyzer.report(classes=[0, 1])
