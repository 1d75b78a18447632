"""Where a value is NaN or infinite, and that the report says why."""

import math
import re

import numpy as np
import pytest
from references import NC1, NC2, NC3
from tables import each
from tolerances import CLOSE, TIGHT
from toys import simplex, toy

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.head import LinearHead
from sknc.metrics import TABLE


def fit(X, y, head=None, **options):
    return NeuralCollapseAnalyzer(head, **options).fit(np.asarray(X, float), y)


def assert_every_hole_is_explained(report):
    for key in report:
        if not math.isfinite(report[key]):
            assert report.notes.get(key), key


def test_two_classes_have_no_spread_of_cosines():
    report = toy("two_classes").report()
    for key in ("nc2_cos_std", "nc2_cos_std_head"):
        assert math.isnan(report[key])
        assert "two classes" in report.notes[key]
    finite = set(report.keys()) - {"nc2_cos_std", "nc2_cos_std_head"}
    assert all(math.isfinite(report[key]) for key in finite)


def test_two_identical_means():
    report = toy("identical_means").report()
    assert report.nc1_cdnv == math.inf
    assert "coincide" in report.notes["nc1_cdnv"]
    assert report.rank == 2
    assert "2 of 3" in report.notes["nc1_pinv"]
    assert 0 < report.nc1_pinv < 100
    assert_every_hole_is_explained(report)


@each("seed", range(12))
@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_means_that_coincide_up_to_rounding(seed, offset, dtype):
    # The second class has the samples of the first in another order.
    rng = np.random.default_rng(seed)
    n_samples = 50 * 2 ** (seed % 6)
    one = offset + rng.standard_normal((n_samples, 6))
    other = offset + rng.standard_normal((n_samples, 6)) + 2
    X = np.concatenate([one, rng.permutation(one), other]).astype(dtype)
    y = np.repeat([0, 1, 2], n_samples)
    report = NeuralCollapseAnalyzer().fit(X, y).report()
    assert report.rank == 1
    assert report.nc1_pinv < 10
    assert report.nc1_cdnv == math.inf


def test_all_means_coincide():
    X = [[1.0, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]]
    report = fit(X, [0, 0, 1, 1, 2, 2], simplex(3, 3)[:, :2]).report()
    assert report.nc1_trace_ratio == math.inf
    assert report.nc1_cdnv == math.inf
    assert report.nc1_within_fraction == 1
    assert float(report) == 0
    for key in ("nc1_pinv", *NC2, *NC3):
        assert math.isnan(report[key]), key
        assert "coincide" in report.notes[key], key
    assert report.rank == 0
    assert_every_hole_is_explained(report)


def test_nothing_varies_at_all():
    report = fit(np.ones((6, 3)), [0, 0, 1, 1, 2, 2]).report()
    for key in (*NC1, *NC2):
        assert math.isnan(report[key]), key
    assert math.isnan(float(report))
    assert_every_hole_is_explained(report)


def test_every_class_has_one_sample():
    report = fit(np.eye(4) + 0.1, np.arange(4)).report()
    assert math.isnan(report.nc1_pinv)
    assert "one sample" in report.notes["nc1_pinv"]
    assert report.nc1_trace_ratio == 0


def test_one_class_with_one_sample_is_said():
    report = toy("one_sample_class").report()
    assert math.isfinite(report.nc1_pinv)
    assert "one sample" in report.notes["nc1_pinv"]


def test_a_class_mean_at_the_global_mean():
    X = [[2.0, 0], [2, 0.5], [-2, 0], [-2, -0.5], [0, 0], [0, 0]]
    y = [0, 0, 1, 1, 2, 2]
    report = fit(X, y, np.ones((3, 2))).report()
    for key in ("nc2_cos_std", "nc2_equiangular", "nc3_cosine"):
        assert math.isnan(report[key]), key
        assert "global mean" in report.notes[key], key
    for key in ("nc2_equinorm", "nc2_etf", "nc3_self_duality"):
        assert math.isfinite(report[key]), key
    assert_every_hole_is_explained(report)


def test_a_zero_row_in_the_head():
    item = toy("random_balanced")
    W = item.W.copy()
    W[1] = 0
    report = item.report(head=(W, item.b))
    for key in ("nc2_cos_std_head", "nc2_equiangular_head", "nc3_cosine"):
        assert math.isnan(report[key]), key
        assert "zero" in report.notes[key], key
    for key in ("nc0_weight_sum", "nc2_equinorm_head", "nc2_etf_head"):
        assert math.isfinite(report[key]), key
    assert_every_hole_is_explained(report)


def test_a_head_of_zeros():
    item = toy("random_balanced")
    report = item.report(head=(0 * item.W, item.b))
    holes = {key for key in report if math.isnan(report[key])}
    head = {key for key in report if key.endswith("_head")} | {"nc0_weight_sum"}
    assert holes == (head - {"nc4_head_accuracy"}) | set(NC3)
    assert_every_hole_is_explained(report)
    assert report.nc4_bias_collapse == pytest.approx(np.linalg.norm(item.b))


def test_more_classes_than_a_simplex_fits():
    report = toy("more_classes_than_dimensions").report()
    floor = math.sqrt(2 - 2 * math.sqrt(4 / 11))
    assert f"{floor:.6g}" in report.notes["nc2_etf"]
    assert floor < report.nc2_etf
    for key in ("nc2_equiangular", "nc2_cos_std", "nc2_etf_head", "nc3_structure"):
        assert "12 classes have no simplex in 4 dimensions" in report.notes[key]


def test_no_notes_where_nothing_is_wrong():
    assert not toy("random_balanced").report().notes


def test_classes_without_samples_are_said_and_take_no_part():
    item = toy("long_tailed")
    W = np.insert(item.W, 2, 9.0, axis=0)
    b = np.insert(item.b, 2, -1e6)
    y = np.array([0, 1, 3, 4, 5])[item.y]
    analyzer = NeuralCollapseAnalyzer((W, b)).partial_fit(item.X, y, classes=range(6))
    report = analyzer.score(item.X, y)
    assert report.notes["classes"].startswith("1 class")
    expected = item.report().to_dict()
    assert report.to_dict() == pytest.approx(expected, rel=TIGHT)
    assert report.n_classes == 5
    assert np.isnan(analyzer.class_means_[2]).all()


def test_the_head_may_choose_a_class_without_samples():
    item = toy("random_balanced")
    W = np.insert(item.W, 5, 0.0, axis=0)
    b = np.append(item.b, 1e6)
    analyzer = NeuralCollapseAnalyzer((W, b))
    analyzer.partial_fit(item.X, item.y, classes=range(6))
    report = analyzer.score(item.X, item.y)
    assert report.nc4_mismatch == 1
    assert report.nc4_head_accuracy == 0
    assert "the head still chooses among all classes" in report.notes["classes"]
    model = NearestClassCenter.from_statistics(analyzer.statistics_)
    assert model.agreement(item.X, (W, b), item.y).mismatch == 1


def test_one_class_is_an_error():
    analyzer = fit(np.random.default_rng(0).standard_normal((5, 3)), [4] * 5)
    with pytest.raises(ValueError, match="at least 2 classes"):
        analyzer.report()


def test_held_out_samples_one_a_class_have_a_spread():
    # About fitted centers a single sample does vary.
    item = toy("random_balanced")
    first = np.unique(item.y, return_index=True)[1]
    held_out = item.analyzer().score(item.X[first], item.y[first])
    assert held_out.nc1_trace_ratio > 0.01
    assert held_out.nc1_pinv > 0.01
    assert "nc1_pinv" not in held_out.notes


@pytest.mark.parametrize("factor", [1e-6, 1 / 8, 1e6])
def test_weights_count_relative_to_each_other(factor):
    item = toy("random_balanced")
    weights = np.random.default_rng(1).uniform(0.5, 2, len(item.y))
    plain, scaled = (
        NeuralCollapseAnalyzer(item.head)
        .fit(item.X, item.y, weights * c)
        .score(item.X, item.y, weights * c)
        for c in (1.0, factor)
    )
    assert scaled.to_dict() == pytest.approx(plain.to_dict(), rel=CLOSE, nan_ok=True)
    assert not scaled.notes


@pytest.mark.parametrize("name", ["identical_means", "collinear_means"])
def test_degenerate_means_give_no_negative_values(name):
    report = toy(name).report()
    assert all(not report[key] < 0 for key in NC1)


def test_samples_about_centers_of_one_sample_each():
    # The fitted samples do not vary about themselves, but others do.
    item = toy("random_balanced")
    first = np.unique(item.y, return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(item.y)), first)
    keys = ("nc1_pinv", "nc1_fuzziness", "nc1_vci", "nc1_correct", "nc1_wrong")
    analyzer = NeuralCollapseAnalyzer(item.head, metrics=keys)
    analyzer.fit(item.X[first], item.y[first])
    report = analyzer.score(item.X[rest], item.y[rest])
    centers = item.X[first]
    gaps = item.X[rest] - centers[np.searchsorted(item.y[first], item.y[rest])]
    spread = centers - centers.mean(0)
    between = np.linalg.pinv(spread.T @ spread / 5, rcond=1e-10)
    within = gaps.T @ gaps / len(gaps)
    want = np.trace(within @ between)
    assert report.nc1_pinv == pytest.approx(want / 5, rel=CLOSE)
    assert report.nc1_fuzziness == pytest.approx(math.log(want), rel=CLOSE)
    shares = np.bincount(item.y[rest]) / len(rest)
    about = centers - shares @ centers
    between = (about.T * shares) @ about
    explained = np.trace(np.linalg.pinv(within + between) @ between)
    assert report.nc1_vci == pytest.approx(1 - explained / 4, rel=CLOSE)
    assert report.nc1_correct < report.nc1_wrong
    assert not any("one sample" in note for note in report.notes.values())
    own = analyzer.score(item.X[first], item.y[first])
    for key in ("nc1_pinv", "nc1_fuzziness", "nc1_vci"):
        assert math.isnan(own[key])
        assert own.notes[key] == (
            "Undefined: every class has one sample, so no variance is seen."
        )


@each("key", sorted(TABLE))
def test_functions_refuse_classes_without_samples(key):
    item = toy("random_balanced")
    head = LinearHead(np.insert(item.W, 2, 1.0, axis=0), np.insert(item.b, 2, 1.0))
    labels = np.array([0, 1, 3, 4, 5])[item.y]
    analyzer = NeuralCollapseAnalyzer().partial_fit(item.X, labels, classes=range(6))
    whole = analyzer.statistics_
    seen, rows = whole.observed_only(), head.rows(whole.observed)
    np.testing.assert_array_equal(rows.weights, item.W)
    function, needs = TABLE[key].function, TABLE[key].needs
    if {"decisions", "measures"} & set(needs) or "statistics" not in needs:
        return  # they come from a report, or from the head alone
    point = {"ood_mean": item.X[0] + 9, "ood_features": item.X[:4] + 9}
    given = [
        {"statistics": statistics, "head": part, **point}
        for statistics, part in ((whole, head), (seen, rows))
    ]
    first, second = ([one[name] for name in one if name in needs] for one in given)
    value = function(*second)
    if key.startswith("nc5"):  # of the observed classes only, by definition
        assert function(*first) == value
        return
    message = (
        "Metrics require samples in all classes, but 1 class has none: pass "
        "statistics.observed_only() and, for a head, head.rows(statistics.observed)."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        function(*first)
