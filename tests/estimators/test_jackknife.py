"""Delete-a-group jackknife, against analyzers fitted without each group."""

import copy
import math
import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import cuts
from tolerances import CLOSE, LOOSE, TIGHT
from toys import around, collapsed, simplex

from sknc import NeuralCollapseAnalyzer
from sknc.convention import Convention
from sknc.estimators._fitting.groups import assign_groups, merge_all_but_one
from sknc.estimators._inputs.validation import Batch
from sknc.estimators._scoring.jackknife import jackknife_errors
from sknc.metrics import TABLE

G = 5
N_ROWS = 240
ITEM = around(1.5 * simplex(4, 6), [80, 50, 40, 70], 0.8, 1)
X, Y = ITEM.X, ITEM.y
WEIGHTS = 0.5 + np.arange(N_ROWS) % 3
OF_SCORE = ("nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy")


def places(n_rows, n_groups):
    """Return the group of each row of a stream."""
    rows = np.arange(n_rows)
    batch = Batch(rows[:, None].astype(float), rows, None, False)
    found = np.full(n_rows, -1)
    for group, part in assign_groups(batch, 0, n_groups):
        found[part.labels] = group
    return found


def analyzer_of(n_jackknife=G, **options):
    return NeuralCollapseAnalyzer(ITEM.head, n_jackknife=n_jackknife, **options)


def fitted(n_jackknife=G, **options):
    return analyzer_of(n_jackknife, **options).fit(X, Y)


def spread(replicates):
    """Return the delete-a-group error of values without each group."""
    errors = {}
    for key in replicates[0]:
        values = [float(r[key]) for r in replicates]
        mean = math.fsum(values) / len(values)
        total = math.fsum((value - mean) ** 2 for value in values)
        errors[key] = math.sqrt((len(values) - 1) / len(values) * total)
    return errors


def assert_same(got, want, rel=1e-8):
    assert set(got) == set(want)
    for key, value in want.items():
        assert got[key] == pytest.approx(value, rel=rel, abs=1e-13, nan_ok=True), key


def same_bits(one, two):
    for a, b in zip(one, two, strict=True):
        if a is None or b is None:
            assert a is b
            continue
        assert a.classes.tolist() == b.classes.tolist()
        assert a.n_samples == b.n_samples
        for name in ("counts", "anchors", "sums", "squares", "scatter"):
            np.testing.assert_array_equal(
                getattr(a.moments, name), getattr(b.moments, name)
            )


# Groups ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_groups", [2, 5, 20])
def test_groups_are_of_similar_size(n_groups):
    found = places(10_000, n_groups)
    counts = np.bincount(found, minlength=n_groups)
    assert counts.sum() == 10_000
    assert abs(counts - 10_000 / n_groups).max() < 5 * math.sqrt(10_000 / n_groups)


@given(cuts(100), st.integers(2, 9))
def test_groups_do_not_depend_on_batches(pieces, n_groups):
    want = places(100, n_groups)
    rows = np.arange(100)
    for piece in pieces:
        batch = Batch(rows[piece, None].astype(float), rows[piece], None, False)
        for group, part in assign_groups(batch, piece.start, n_groups):
            assert (want[part.labels] == group).all()


def test_leave_one_out():
    class Bag(frozenset):
        def merge(self, other):
            assert not self & other
            return Bag(self | other)

    for size in (2, 3, 7):
        found = merge_all_but_one([Bag({i}) for i in range(size)])
        assert list(found) == [set(range(size)) - {i} for i in range(size)]


def test_formula():
    values = [1.0, 2.0, 4.0, 9.0]
    got = jackknife_errors([{"a": v, "b": 3.0} for v in values])
    assert got == {"a": pytest.approx(math.sqrt(3 / 4 * 38)), "b": 0.0}
    got = jackknife_errors([{"a": 1.0}, {"a": math.inf}])
    assert math.isnan(got["a"])
    # Known: of a mean of groups of equal size it is the plain standard error.
    means = [(sum(values) - v) / 3 for v in values]
    got = jackknife_errors([{"a": v} for v in means])
    assert got["a"] == pytest.approx(np.std(values, ddof=1) / 2)


# Brute force -----------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("metrics", ["default", "all"])
@pytest.mark.parametrize("convention", ["default", "frequency"])
def test_errors_of_a_report(metrics, convention, weights):
    options = {"metrics": metrics, "convention": convention}
    analyzer = analyzer_of(**options).fit(X, Y, sample_weight=weights)
    report = analyzer.report()
    groups, replicates = places(N_ROWS, G), []
    for group in range(G):
        rest = groups != group
        alone = analyzer_of(0, **options)
        part = None if weights is None else weights[rest]
        alone.fit(X[rest], Y[rest], sample_weight=part)
        replicates.append(alone.report().to_dict())
    assert_same(report.standard_error, spread(replicates))
    assert set(report.standard_error) == set(report.keys())
    plain = analyzer_of(0, **options).fit(X, Y, sample_weight=weights).report()
    for key in plain:
        want = pytest.approx(plain[key], rel=LOOSE, abs=TIGHT, nan_ok=True)
        assert report[key] == want, key
    assert report.standard_error["nc1_trace_ratio"] > 0
    assert report.standard_error["nc2_etf_head"] == 0


@pytest.mark.parametrize("metrics", ["default", "all"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_errors_of_a_score(metrics, weights):
    analyzer = fitted(metrics=metrics)
    rng = np.random.default_rng(3)
    Z, z = X + 0.5 * rng.standard_normal(X.shape), Y
    report = analyzer.score(Z, z, sample_weight=weights)
    given_centers = fitted(0, metrics=metrics)
    groups, replicates = places(N_ROWS, G), []
    for group in range(G):
        rest = groups != group
        part = None if weights is None else weights[rest]
        replicates.append(given_centers.score(Z[rest], z[rest], part).to_dict())
    want = analyzer.report().standard_error
    # Rounding differs between the replicates of what the samples do not change.
    scored = {k: e for k, e in spread(replicates).items() if not e < 1e-12}
    assert {*OF_SCORE, "nc1_trace_ratio", "nc1_pinv"} <= set(scored)
    assert_same(report.standard_error, {**want, **scored})
    plain = given_centers.score(Z, z, sample_weight=weights)
    for key in plain:
        want = pytest.approx(plain[key], rel=LOOSE, abs=TIGHT, nan_ok=True)
        assert report[key] == want, key


@pytest.mark.parametrize("metrics", ["default", "all"])
def test_errors_of_a_score_by_what_they_are_about(metrics):
    analyzer = fitted(metrics=metrics)
    fit = analyzer.report().standard_error
    rng = np.random.default_rng(7)
    rows = rng.integers(0, N_ROWS, 90)
    report = analyzer.score(X[rows] + 0.5 * rng.standard_normal((90, 6)), Y[rows])
    for key, error in report.standard_error.items():
        if not math.isnan(error):
            assert (error != fit.get(key)) == TABLE[key].needs_scored_samples, key
    assert set(report.standard_error) == set(report.keys())


def test_a_score_of_one_group_has_errors_of_the_fit_only():
    # Samples of one group have no replicate. The fit's errors are not about them.
    errors = fitted().score(X[:1], Y[:1]).standard_error
    assert errors == {
        key: error
        for key, error in fitted().report().standard_error.items()
        if not TABLE[key].needs_scored_samples
    }


def test_score_has_an_error_of_every_metric():
    # All samples are decided rightly, by every replicate: an error of zero.
    item = around(20 * simplex(4, 6), 60, 0.8, 1, head_noise=0.01)
    analyzer = NeuralCollapseAnalyzer(item.head, n_jackknife=4).fit(item.X, item.y)
    report = analyzer.score(item.X, item.y)
    assert report.nc4_mismatch == 0
    assert report.nc4_ncc_accuracy == 1
    assert {key: report.standard_error.get(key) for key in OF_SCORE} == dict.fromkeys(
        OF_SCORE, 0.0
    )


def test_nc4_errors_are_binomial():
    rng = np.random.default_rng(8)
    item = around(1.2 * simplex(4, 6), 1000, 0.8, 5)
    analyzer = NeuralCollapseAnalyzer(item.head, n_jackknife=40)
    order = rng.permutation(len(item.X))
    analyzer.fit(item.X[order], item.y[order])
    report = analyzer.score(item.X[order], item.y[order])
    for key in OF_SCORE:
        p = report[key]
        binomial = math.sqrt(p * (1 - p) / len(item.X))
        # An error from 40 groups is itself known to about 0.11.
        assert report.standard_error[key] == pytest.approx(binomial, rel=0.25)


def test_without_scatter():
    report = fitted(covariance=False).report()
    assert "nc1_pinv" not in report.standard_error
    with_scatter = fitted().report()
    shared = {k: v for k, v in with_scatter.standard_error.items() if k != "nc1_pinv"}
    assert_same(report.standard_error, shared)
    scored = fitted(covariance=False).score(X, Y).standard_error
    want = fitted().score(X, Y).standard_error["nc1_pinv"]
    assert scored["nc1_pinv"] == pytest.approx(want, rel=LOOSE)


def test_no_groups():
    assert fitted(0).report().standard_error == {}
    assert fitted(0).score(X, Y).standard_error == {}


def test_collapse_has_no_error():
    item = collapsed()
    analyzer = NeuralCollapseAnalyzer(item.head, n_jackknife=4).fit(item.X, item.y)
    errors = dict(analyzer.report().standard_error)
    assert errors.pop("nc4_bias_collapse") > 0  # moves with the shares of the classes
    for key, error in errors.items():
        assert error < 1e-13, key


def test_shown():
    report = fitted().report()
    assert "±" in repr(report)
    assert "±" not in repr(fitted(0).report())


# Classes in one group -----------------------------------------------------------------

LONE = (
    "All samples of the classes [9] are in a single group of the jackknife, so "
    "metrics of the class means have no standard error. Fit more samples of these "
    "classes, or leave them out."
)


def with_a_lone_sample(metrics="default"):
    W, b = ITEM.head
    head = np.r_[W, W[:1] + 1], np.r_[b, 0]
    analyzer = NeuralCollapseAnalyzer(head, n_jackknife=G, metrics=metrics)
    return analyzer.fit(np.r_[X, X[:1] + 1], np.r_[Y, 9])


@pytest.mark.parametrize("metrics", ["default", "all"])
def test_errors_with_a_class_in_one_group(metrics):
    report = with_a_lone_sample(metrics).report()
    for key, error in report.standard_error.items():
        # No sample moves what is of the head alone.
        known = TABLE[key].depends_only_on_head and math.isfinite(report[key])
        assert error == 0 if known else math.isnan(error), key
    assert report.standard_error["nc0_weight_sum"] == 0
    assert report.standard_error["nc2_etf_head"] == 0
    assert set(report.standard_error) == set(report.keys())
    assert report.notes["standard_error"] == LONE
    assert f"standard_error: {LONE}" in repr(report)
    assert "standard_error" not in fitted().report().notes


def test_errors_of_a_score_with_a_class_in_one_group():
    report = with_a_lone_sample().score(X, Y)
    for key, error in report.standard_error.items():
        metric = TABLE[key]
        assert math.isfinite(error) == (
            metric.needs_scored_samples or metric.depends_only_on_head
        ), key
    assert report.notes["standard_error"] == LONE


def test_errors_with_a_named_class_without_samples():
    W, b = ITEM.head
    analyzer = NeuralCollapseAnalyzer((np.r_[W, W[:1]], np.r_[b, 0]), n_jackknife=G)
    analyzer.partial_fit(X, Y, classes=range(5))
    assert_same(analyzer.report().standard_error, fitted().report().standard_error)
    assert "standard_error" not in analyzer.report().notes


def test_note_on_a_metric_that_a_replicate_lacks():
    # Of classes of equal counts: without a group no two counts are equal.
    counts = [80, 80, 41]
    item = around(simplex(3, 6), counts, 0.8, 1)
    analyzer = NeuralCollapseAnalyzer(metrics=["imb_block", "nc2_etf"], n_jackknife=3)
    report = analyzer.fit(item.X, item.y).report()
    assert math.isnan(report.standard_error["imb_block"])
    note = "No standard error: undefined without one group."
    assert report.notes == {"imb_block": note}


# Batches, merging, copies ------------------------------------------------------------


@cache
def errors_in_one_batch():
    """Return the errors of a report and of a score."""
    analyzer = fitted()
    return analyzer.report().standard_error, analyzer.score(X, Y).standard_error


@given(cuts(60))
def test_errors_do_not_depend_on_batches(pieces):
    want, _ = errors_in_one_batch()
    analyzer = analyzer_of()
    for piece in [*pieces, slice(60, None)]:
        analyzer.partial_fit(X[piece], Y[piece])
    assert_same(analyzer.report().standard_error, want)


@given(cuts(60))
def test_errors_of_score_do_not_depend_on_batches(pieces):
    _, want = errors_in_one_batch()
    batches = [(X[piece], Y[piece]) for piece in [*pieces, slice(60, None)]]
    assert_same(fitted().score_batches(batches).standard_error, want)


def test_merge():
    one, two = analyzer_of().fit(X[:150], Y[:150]), analyzer_of().fit(X[150:], Y[150:])
    groups = np.concatenate([places(150, G), places(N_ROWS - 150, G)])
    replicates = []
    for group in range(G):
        rest = groups != group
        replicates.append(analyzer_of(0).fit(X[rest], Y[rest]).report().to_dict())
    before = two._stream.read()[1]
    for both in (one + two, copy.deepcopy(one).merge(two)):
        report = both.report()
        assert_same(report.standard_error, spread(replicates))
        assert report.nc1_pinv == pytest.approx(fitted(0).report().nc1_pinv, rel=CLOSE)
        assert both.n_samples_seen_ == N_ROWS
    same_bits(two._stream.read()[1], before)


def test_merge_of_other_classes():
    low = Y < 2
    one = NeuralCollapseAnalyzer(n_jackknife=G).fit(X[low], Y[low])
    two = NeuralCollapseAnalyzer(n_jackknife=G).fit(X[~low], Y[~low])
    report = (one + two).report()
    assert report.n_classes == 4
    assert all(math.isfinite(e) for e in report.standard_error.values())


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))]
)
def test_pickle_and_go_on(copied):
    want = fitted().report().standard_error
    analyzer = analyzer_of().fit(X[:101], Y[:101])
    again = copied(analyzer)
    same_bits(again._stream.read()[1], analyzer._stream.read()[1])
    assert again.report().standard_error == analyzer.report().standard_error
    again.partial_fit(X[101:], Y[101:])
    assert_same(again.report().standard_error, want)
    assert analyzer.n_samples_seen_ == 101


def test_pickle_before_all_groups_have_rows():
    analyzer = analyzer_of(20).partial_fit(X[:3], Y[:3], classes=np.arange(4))
    again = pickle.loads(pickle.dumps(analyzer))
    again.partial_fit(X[3:], Y[3:])
    want = fitted(20).report().standard_error
    assert_same(again.report().standard_error, want)


def test_named_classes_come_back():
    # Groups that get their first rows between two calls that name the classes.
    analyzer = analyzer_of(20)
    analyzer.partial_fit(X[:3], Y[:3], classes=np.arange(4))
    analyzer.partial_fit(X[3:6], Y[3:6])
    analyzer.partial_fit(X[6:], Y[6:], classes=np.arange(4))
    assert analyzer.n_samples_seen_ == N_ROWS
    assert_same(analyzer.report().standard_error, fitted(20).report().standard_error)


def test_more_groups_than_rows():
    analyzer = NeuralCollapseAnalyzer(n_jackknife=50).fit(X[:30], Y[:30])
    report = analyzer.report()
    want = NeuralCollapseAnalyzer().fit(X[:30], Y[:30]).report()
    assert report.to_dict() == pytest.approx(want.to_dict(), rel=LOOSE)
    # Groups without rows are none.
    groups = places(30, 50)
    replicates = [
        NeuralCollapseAnalyzer().fit(X[:30][groups != g], Y[:30][groups != g])
        for g in np.unique(groups)
    ]
    want = spread([r.report().to_dict() for r in replicates])
    assert_same(report.standard_error, want)


def test_torch(torch):
    tensors = torch.asarray(X), torch.asarray(Y)
    for metrics in ("default", "all"):
        analyzer = analyzer_of(metrics=metrics).fit(*tensors)
        host = fitted(metrics=metrics)
        got, want = analyzer.report(), host.report()
        assert_same(got.standard_error, want.standard_error, 1e-7)
        got, want = analyzer.score(*tensors), host.score(X, Y)
        assert_same(got.standard_error, want.standard_error, 1e-7)


# Refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, -1, 2.0, "5", None, True, np.nan])
def test_bad_number_of_groups(value):
    match = "n_jackknife must be 0 or a number of groups of at least 2"
    with pytest.raises(ValueError, match=match):
        NeuralCollapseAnalyzer(n_jackknife=value).fit(X, Y)
    with pytest.raises(ValueError, match=match):
        NeuralCollapseAnalyzer(n_jackknife=value).partial_fit(X, Y)


@pytest.mark.parametrize("value", [0, 2, np.int64(3)])
def test_good_number_of_groups(value):
    report = NeuralCollapseAnalyzer(n_jackknife=value).fit(X, Y).report()
    assert bool(report.standard_error) == bool(value)


@pytest.mark.parametrize(("mine", "other"), [(5, 0), (0, 5), (5, 4)])
def test_merge_of_different_numbers_of_groups(mine, other):
    one, two = fitted(mine), fitted(other)
    before = one.n_samples_seen_
    with pytest.raises(ValueError, match="different n_jackknife"):
        one.merge(two)
    with pytest.raises(ValueError, match="different n_jackknife"):
        one + two
    assert one.n_samples_seen_ == before


@pytest.mark.parametrize("other", [0, 4])
def test_merge_into_an_unfitted_one_of_another_number(other):
    one = analyzer_of(5)
    with pytest.raises(ValueError, match="different n_jackknife"):
        one.merge(fitted(other))


def bad_batches():
    spoiled = X[:40].copy()
    spoiled[37, 2] = np.nan
    infinite = X[:40].copy()
    infinite[3, 0] = np.inf
    yield "nan", (spoiled, Y[:40]), {}
    yield "inf", (infinite, Y[:40]), {}
    yield "width", (X[:40, :5], Y[:40]), {}
    yield "lengths", (X[:40], Y[:39]), {}
    yield "label", (X[:40], np.where(np.arange(40) == 39, 9, Y[:40])), {}
    yield "classes", (X[:40], Y[:40]), {"classes": [0, 1, 2, 3, 4]}
    yield "weights", (X[:40], Y[:40]), {"sample_weight": -WEIGHTS[:40]}


BAD = {name: (batch, options) for name, batch, options in bad_batches()}


@pytest.mark.parametrize("name", BAD)
def test_a_rejected_batch_changes_no_group(name):
    batch, options = BAD[name]
    analyzer = analyzer_of().partial_fit(X[:101], Y[:101], classes=np.arange(4))
    before = copy.deepcopy(analyzer._stream.read()[1])
    with pytest.raises(ValueError, match=r"."):
        analyzer.partial_fit(*batch, **options)
    same_bits(analyzer._stream.read()[1], before)
    analyzer.partial_fit(X[101:], Y[101:])
    assert_same(analyzer.report().standard_error, fitted().report().standard_error)


def test_a_rejected_batch_of_another_library_changes_no_group(torch):
    analyzer = analyzer_of().fit(X, Y)
    before = copy.deepcopy(analyzer._stream.read()[1])
    with pytest.raises(ValueError, match="same namespace and device"):
        analyzer.partial_fit(torch.asarray(X), torch.asarray(Y))
    same_bits(analyzer._stream.read()[1], before)


def test_a_rejected_batch_of_score():
    analyzer = fitted()
    batch, _ = BAD["nan"]
    with pytest.raises(ValueError, match="NaN"):
        analyzer.score_batches([(X, Y), batch])
    assert_same(analyzer.report().standard_error, fitted().report().standard_error)


# Coverage ----------------------------------------------------------------------------


def coverage(key, truth, sample, convention, repetitions=200, n_jackknife=20):
    """Return the share of intervals of two errors about the value with the truth."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(repetitions):
        analyzer = NeuralCollapseAnalyzer(
            metrics=[key],
            convention=convention,
            covariance=False,
            n_jackknife=n_jackknife,
        )
        report = analyzer.fit(*sample(rng)).report()
        covered += abs(report[key] - truth) <= 2 * report.standard_error[key]
    return covered / repetitions


def gaussian(means, spread, count):
    y = np.repeat(np.arange(len(means)), count)

    def sample(rng):
        order = rng.permutation(len(y))
        noise = spread * rng.standard_normal((len(y), means.shape[1]))
        return (means[y] + noise)[order], y[order]

    return sample


def coverage_of_trace_ratio():
    means = 2 * simplex(5, 10) * np.linspace(0.7, 1.3, 5)[:, None]
    means -= means.mean(0)
    truth = 10 / ((means**2).sum() / 5)
    convention = Convention(bias_correction=True)
    return coverage("nc1_trace_ratio", truth, gaussian(means, 1.0, 60), convention)


def coverage_of_equinorm():
    # Norms 2 to 6 against errors of 0.2: the bias is far below the error.
    means = simplex(5, 10) * np.linspace(2, 6, 5)[:, None]
    centered = means - means.mean(0)
    norms = np.linalg.norm(centered, axis=1)
    truth = norms.std(ddof=1) / norms.mean()
    return coverage("nc2_equinorm", truth, gaussian(means, 1.0, 100), "default")


@pytest.mark.slow
def test_coverage_of_the_trace_ratio():
    assert 0.90 <= coverage_of_trace_ratio() <= 0.99


@pytest.mark.slow
def test_coverage_of_the_spread_of_norms():
    assert 0.90 <= coverage_of_equinorm() <= 0.99
