"""Features, weights and heads of extreme size: right, or NaN with the true reason."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled
from tolerances import CLOSE, SINGLE, TIGHT
from toys import around, toy

from sknc import NeuralCollapseAnalyzer
from sknc.metrics import TABLE, nc1_trace_ratio, nc1_within_fraction

DECISIONS = {"nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy"}
IN_UNITS_OF_THE_FEATURES = "nc4_ncc_margin"
# Which classes have many samples is told by sums of weights.
OF_WEIGHTS = {"imb_many_recall", "imb_medium_recall", "imb_few_recall"}


def reports(item, weights=None, **options):
    options = {"metrics": "all", "head": item.head, **options}
    analyzer = NeuralCollapseAnalyzer(**options).fit(item.X, item.y, weights)
    return analyzer.report(), analyzer.score(item.X, item.y, weights)


def check(found, want, factor=1.0):
    for got, expected in zip(found, want, strict=True):
        values, expected = got.to_dict(), expected.to_dict()
        if IN_UNITS_OF_THE_FEATURES in values:
            values[IN_UNITS_OF_THE_FEATURES] /= factor
        assert values == pytest.approx(expected, rel=CLOSE, abs=1e-13, nan_ok=True)


@given(labelled(max_samples=30), st.integers(-430, 430))
def test_powers_of_two_make_no_difference(item, exponent):
    factor = 2.0**exponent
    scaled = replace(item, X=item.X * factor, W=item.W / factor)
    check(reports(scaled), reports(item), factor)


@pytest.mark.parametrize("name", ["long_tailed", "more_classes_than_dimensions"])
@pytest.mark.parametrize("exponent", [-440, -333, 256, 440])
def test_features_far_from_one(name, exponent):
    item, factor = toy(name), 2.0**exponent
    scaled = replace(item, X=item.X * factor, W=item.W / factor)
    check(reports(scaled), reports(item), factor)


@pytest.mark.parametrize("exponent", [-600, -60, 60, 400])
def test_sample_weights_far_from_one(exponent):
    item = toy("long_tailed")
    weights = np.random.default_rng(0).uniform(0.5, 2, len(item.X))
    options = {"metrics": [key for key in TABLE if key not in OF_WEIGHTS]}
    check(
        reports(item, weights * 2.0**exponent, **options),
        reports(item, weights, **options),
    )


# NumPy warns of sums of squares that overflow.
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1e300, "the squares of such large features overflow. Divide the"),
        (1e160, "the squares of such large features overflow. Divide the"),
        (1e-160, "the squares of such small features underflow. Multiply the"),
        (1e-300, "the squares of such small features underflow. Multiply the"),
    ],
)
def test_squares_that_do_not_fit(size, words, covariance):
    item = toy("long_tailed")
    factor = 2.0 ** round(math.log2(size))
    scaled = replace(item, X=item.X * factor, b=item.b * factor)
    plain = reports(item, covariance=covariance)
    for report, other in zip(
        reports(scaled, covariance=covariance, n_jackknife=3), plain, strict=True
    ):
        assert math.isnan(float(report))
        for key in report:
            if {"statistics", "measures"} & set(TABLE[key].needs):
                assert math.isnan(report[key]), key
                note = f"Undefined: {words} features by a constant."
                assert report.notes[key] == note
            else:
                same = pytest.approx(other[key], rel=TIGHT, nan_ok=True)
                assert report[key] == same, key
        assert DECISIONS & set(report) == DECISIONS & set(other)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid:RuntimeWarning")
def test_sample_weights_whose_sums_do_not_fit():
    item = toy("long_tailed")
    for report in reports(item, np.full(len(item.X), 1e308)):
        assert math.isnan(float(report))
        assert report.notes["nc1_pinv"] == (
            "Undefined: sums of such large sample weights overflow. Divide them by a "
            "constant."
        )


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1e300, "the squares of such large weights of the head overflow. Divide the"),
        (
            1e-160,
            "the squares of such small weights of the head underflow. Multiply the",
        ),
    ],
)
def test_heads_whose_squares_do_not_fit(size, words):
    item = toy("long_tailed")
    factor = 2.0 ** round(math.log2(size))
    scaled = replace(item, W=item.W * factor, b=item.b * factor)
    for report, other in zip(reports(scaled), reports(item), strict=True):
        for key in report:
            if {"head", "any_head"} & set(TABLE[key].needs):
                assert math.isnan(report[key]), key
                note = f"Undefined: {words} weights of the head by a constant."
                assert report.notes[key] == note
            elif key not in ("nc4_cosine_margin", "nc4_ncc_margin"):
                same = pytest.approx(other[key], rel=TIGHT, nan_ok=True)
                assert report[key] == same, key


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid:RuntimeWarning")
def test_overflow_is_not_collapse():
    item = toy("long_tailed")
    statistics = NeuralCollapseAnalyzer().fit(item.X * 1e300, item.y).statistics_
    assert math.isnan(nc1_within_fraction(statistics))
    assert math.isnan(nc1_trace_ratio(statistics))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("n_features", [8, 300])
@pytest.mark.parametrize("exponent", [-30, 30, 62, 100])
def test_float32(n_features, exponent):
    rng = np.random.default_rng(0)
    means = rng.standard_normal((4, n_features))
    item = around(means, 40, 0.7)
    item = replace(item, X=item.X.astype(np.float32))
    factor = 2.0**exponent
    scaled = replace(item, X=item.X * np.float32(factor), W=item.W / factor)
    for report, plain in zip(reports(scaled), reports(item), strict=True):
        for key in set(report) - {IN_UNITS_OF_THE_FEATURES}:
            if math.isnan(report[key]) and not math.isnan(plain[key]):
                assert "overflow" in report.notes[key], key
            else:
                expected = pytest.approx(plain[key], rel=1e-5, abs=SINGLE, nan_ok=True)
                assert report[key] == expected, key
