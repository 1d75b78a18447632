"""Ideal values at exact collapse, and what breaks them."""

import numpy as np
import pytest
from references import HEADLINE, NC1, NC2, PRESETS
from tables import each
from tolerances import TIGHT
from toys import Toy, collapsed, simplex

from sknc import Convention, NeuralCollapseAnalyzer
from sknc.metrics import TABLE

PERFECT = {"nc4_ncc_accuracy": 1.0, "nc4_head_accuracy": 1.0}
NO_PAIRS = {"nc2_cos_std", "nc2_cos_std_head"}  # undefined for two classes


def assert_collapsed(report, atol=1e-13, skip=()):
    for key in HEADLINE:
        if key in skip:
            continue
        ideal = PERFECT.get(key, 0.0)
        assert abs(report[key] - ideal) <= (0 if key in NC1 else atol), key


@each("preset", PRESETS)
@pytest.mark.parametrize(
    ("n_classes", "n_features"), [(2, 2), (3, 3), (5, 8), (10, 10), (30, 64)]
)
def test_exact_collapse(n_classes, n_features, preset):
    item = collapsed(n_classes, n_features)
    report = item.report(convention=preset)
    assert_collapsed(report, skip=NO_PAIRS if n_classes == 2 else ())
    assert float(report) == 1
    assert report.rank == n_classes - 1
    assert report.condition == pytest.approx(1, rel=TIGHT)


def test_a_simplex_fits_in_one_dimension_less_than_classes():
    corners = np.array([[1.0, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    y = np.repeat([0, 1, 2], 4)
    item = Toy(corners[y], y, 2 * corners, np.zeros(3))
    report = item.report()
    assert_collapsed(report)
    assert not report.notes


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 40.0])
@pytest.mark.parametrize("shift", [0.0, 7.0, -100.0])
def test_scale_of_head_and_shift_do_not_matter(alpha, shift):
    report = collapsed(alpha=alpha, shift=shift).report()
    # A shift costs digits of the means themselves: eps times it, over the norm 3.
    digits = 1e-13 * (1 + abs(shift)) * max(1.0, alpha)
    assert_collapsed(report, atol=digits)


def test_ideal_values_of_the_table():
    report = collapsed().report()
    for key, metric in TABLE.items():
        if key in HEADLINE and metric.ideal is not None:
            assert report[key] == pytest.approx(metric.ideal, abs=1e-13), key


def imbalanced():
    counts = np.repeat([5000, 50], 5)
    means = simplex(10, 12)
    y = np.repeat(np.arange(10), counts)
    return Toy(means[y], y, means, np.zeros(10))


def test_imbalanced_exact_simplex_with_the_default_center():
    report = imbalanced().report()
    for key in (*NC2, "nc3_self_duality", "nc3_structure", "nc3_cosine"):
        assert report[key] < 1e-13, key


def test_imbalanced_exact_simplex_with_the_mean_of_samples():
    report = imbalanced().report(convention=Convention(center="sample"))
    assert report.nc2_etf == pytest.approx(0.507, abs=5e-4)
    assert report.nc2_equiangular == pytest.approx(0.151, abs=5e-4)
    assert report.nc2_equinorm == pytest.approx(0.105, abs=5e-4)
    assert report.nc3_self_duality > 0.1


# Each way of breaking collapse moves the metrics that measure it -----------------


def broken(**changes):
    item = collapsed(4, 6, counts=8)
    parts = {"X": item.X.copy(), "y": item.y, "W": item.W.copy(), "b": item.b.copy()}
    for name, change in changes.items():
        parts[name] = change(parts[name])
    return Toy(**parts).report()


def moved(report):
    ideal = {key: PERFECT.get(key, 0.0) for key in HEADLINE}
    return {key for key in HEADLINE if abs(report[key] - ideal[key]) > 1e-6}


def test_spread_along_no_direction_of_the_means():
    outside = np.linalg.svd(simplex(4, 6))[2][-1]
    signs = np.resize([1.0, -1.0], 32)
    report = broken(X=lambda X: X + signs[:, None] * outside)
    # The pseudo-inverse does not see it; traces do.
    assert moved(report) == {"nc1_trace_ratio", "nc1_within_fraction", "nc1_cdnv"}
    assert report.nc1_pinv < 1e-25


def test_spread_within_the_span_of_the_means():
    inside = simplex(4, 6)[0]
    signs = np.resize([0.1, -0.1], 32)
    assert moved(broken(X=lambda X: X + signs[:, None] * inside)) == set(NC1)


def test_one_longer_row_of_the_head():
    report = broken(W=lambda W: W * np.array([[1.5], [1], [1], [1]]))
    assert {"nc0_weight_sum", "nc2_equinorm_head", "nc2_etf_head"} <= moved(report)
    assert {"nc3_self_duality", "nc3_structure"} <= moved(report)
    still = {"nc3_cosine", "nc2_equiangular_head", "nc2_cos_std_head", *NC1, *NC2}
    assert not still & moved(report)


def test_a_turned_head():
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((6, 6)))[0]
    report = broken(W=lambda W: W @ turn)
    assert {"nc3_self_duality", "nc3_structure", "nc3_cosine"} <= moved(report)
    head = {key for key in HEADLINE if key.endswith("_head")} | {"nc0_weight_sum"}
    assert not head & moved(report)


def test_a_large_bias():
    report = broken(b=lambda b: b + np.array([1e3, 0, 0, 0]))
    assert moved(report) == {"nc4_mismatch", "nc4_head_accuracy", "nc4_bias_collapse"}
    assert report.nc4_mismatch == 0.75
    assert report.nc4_head_accuracy == 0.25
    assert report.nc4_bias_collapse == pytest.approx(1e3, rel=TIGHT)


def test_a_head_of_the_wrong_sign():
    report = broken(W=lambda W: -W)
    assert report.nc3_self_duality == pytest.approx(2, rel=TIGHT)
    assert report.nc3_structure == pytest.approx(2, rel=TIGHT)
    assert report.nc3_cosine == pytest.approx(2, rel=TIGHT)
    assert report.nc4_head_accuracy == 0


def test_without_head_or_bias_the_keys_are_left_out():
    item = collapsed()
    without = NeuralCollapseAnalyzer().fit(item.X, item.y).score(item.X, item.y)
    assert set(without.keys()) == {*NC1, *NC2, "nc4_ncc_accuracy"}
    no_bias = item.report(head=item.W)
    assert set(HEADLINE) - set(no_bias.keys()) == {"nc4_bias_collapse"}
