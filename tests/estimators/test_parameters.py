"""Parameters are checked before anything is computed, and NumPy's scalars accepted."""

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from tables import each

import sknc.metrics
from sknc import (
    ClassStatistics,
    Convention,
    LinearHead,
    NCReport,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
)

X = np.array([[3.0, 0], [2, 1], [1, 3], [0, 2], [-2, -1], [-3, 1]])
Y = np.array([0, 0, 1, 1, 2, 2])

FIELDS = [
    *[
        (name, value, "True or False")
        for name in ("divide_by_classes", "squared_duality", "bias_correction")
        for value in ("False", "no", None, 2, 1, [], np.nan, np.array([True]))
    ],
    *[
        ("center", value, '"class", "sample" or "none"')
        for value in ("mean", None, ["class"], np.array(["class", "none"]))
    ],
    *[
        ("weight_decay", value, "a number of at least 0")
        for value in (-1.0, np.nan, np.inf, None, "a", [0.1], True, 1j)
    ],
    *[
        ("minority", value, "a quantile between 0 and 1 or class labels")
        for value in (0.0, 1, -1, np.nan, True, "a", None, [], (), len, [[0]], [None])
    ],
    ("name", 5, "a string"),
]
PARAMETERS = [
    *[
        ("covariance", value, 'True, False or "by_class"')
        for value in ("no", "full", None, np.nan, 1, object)
    ],
    *[
        ("n_jackknife", value, "0 or a number of groups of at least 2")
        for value in (1, -3, True, np.True_, 2.0, "5", None, Fraction(5))
    ],
    (
        "metrics",
        (key for key in ("NC1",)),
        '"default", "essential", "all", or a list of keys',
    ),
    ("metrics", iter(["NC1"]), '"default", "essential", "all", or a list of keys'),
    ("convention", "papyan", "a Convention or one of ['default', 'frequency'"),
]


@each(("name", "value", "expected"), FIELDS)
def test_convention_refuses(name, value, expected):
    text = re.escape(f"Convention's {name!r} must be {expected}, got ")
    with pytest.raises(ValueError, match=text):
        Convention(**{name: value})


@pytest.mark.parametrize(("name", "value", "expected"), PARAMETERS)
def test_analyzer_refuses_before_and_after_fit(name, value, expected):
    text = re.escape(f"{name} must be {expected}")
    with pytest.raises(ValueError, match=text):
        NeuralCollapseAnalyzer(**{name: value}).fit(X, Y)
    analyzer = NeuralCollapseAnalyzer().fit(X, Y).set_params(**{name: value})
    for call in (analyzer.report, lambda: analyzer.score(X, Y)):
        with pytest.raises(ValueError, match=text):
            call()


@pytest.mark.parametrize("metric", ["l1", None, 2, ["euclidean"], np.array(["cosine"])])
def test_classifier_refuses(metric):
    text = '"standardized" or "mahalanobis", got '
    with pytest.raises(ValueError, match=text):
        NearestClassCenter(metric=metric).fit(X, Y)
    model = NearestClassCenter().fit(X, Y).set_params(metric=metric)
    for call in (model.predict, model.decision_function, model.transform):
        with pytest.raises(ValueError, match=text):
            call(X)


def test_long_values_are_shortened():
    with pytest.raises(ValueError, match="got 'aaa") as error:
        Convention(center="a" * 10**6)
    assert len(str(error.value)) < 300


def test_scalars_of_numpy_are_those_of_python():
    mine = Convention(
        divide_by_classes=np.bool_(False),
        bias_correction=np.True_,
        weight_decay=np.float32(0.5),
        minority=np.unique(Y)[:2],
    )
    plain = Convention(
        divide_by_classes=False,
        bias_correction=True,
        weight_decay=0.5,
        minority=(0, 1),
    )
    assert mine == plain
    assert repr(mine) == repr(plain)
    options = {"metrics": "all", "covariance": np.True_, "n_jackknife": np.int64(2)}
    X2, Y2 = np.tile(X, (5, 1)), np.tile(Y, 5)
    report = NeuralCollapseAnalyzer(convention=mine, **options).fit(X2, Y2).report()
    text = report.to_json()
    assert json.loads(text)["convention"]["minority"] == [0, 1]
    assert NCReport.from_json(text).convention == plain


def test_labels_of_a_minority_keep_their_kind():
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    assert Convention(minority=days).minority == tuple(days)
    assert Convention(minority=np.array(["a"])).minority == ("a",)
    assert type(Convention(minority=np.float32(0.5)).minority) is float


# Functions of sknc.metrics --------------------------------------------------------

STATISTICS = NeuralCollapseAnalyzer().fit(np.tile(X, (4, 1)), np.tile(Y, 4)).statistics_
HEAD = LinearHead(np.eye(3, 2), None)
NOT_POSITIVE = [0, -1, np.nan, np.inf, 1j, "a", None, [1.0], True]
OPTIONS = [
    *[
        (name, {"power": value}, "power must be a positive number, got ")
        for name in ("nc1_cdnv", "gnc2_energy_riesz", "pair_grid")
        for value in NOT_POSITIVE
        if (name, value) != ("nc1_cdnv", True)  # is one
    ],
    *[
        (name, {"weight_decay": value}, "weight_decay must be a number of at least 0")
        for name in ("mse_total", "mse_lnc1")
        for value in (-1.0, np.nan, np.inf, "a", None, 1j)
    ],
    *[
        (name, {"convention": value}, "convention must be a Convention or one of [")
        for name in ("nc1_vci", "nc1_vci_adjusted", "nc1_pinv", "nc2_etf", "imb_seli_h")
        for value in ("nope", None, 5, ["default"])
    ],
    *[
        ("pair_grid", {"kind": value}, 'kind must be "inner_product", "cosine", ')
        for value in ("nope", ["cosine"], None)
    ],
    ("nc1_cdnv", {"weights": "nope"}, 'weights must be "uniform" or "frequency", got'),
]


@each(("name", "options", "text"), OPTIONS)
def test_functions_refuse(name, options, text):
    metric, arguments = sknc.metrics.TABLE.get(name), [STATISTICS]
    if metric is not None and "head" in metric.needs:
        arguments.append(HEAD)
    with pytest.raises(ValueError, match=re.escape(text)):
        getattr(sknc.metrics, name)(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((X, "abc"), "y of (n_samples,), got (6, 2) and ()"),
        ((X, Y[:-1]), "got (6, 2) and (5,)"),
        ((X[0], Y[:2]), "got (2,) and (2,)"),
        ((np.where(X == -3, np.nan, X), Y), "finite, got 1 NaN and 0 infinite values."),
        ((np.where(X == -3, np.inf, X), Y), "finite, got 0 NaN and 1 infinite values."),
        ((X + 1j, Y), "X must be real numbers, got complex128"),
        (("X.npy", Y), "X must be an array of shape (n_samples, n_features), got 'X"),
        *[
            ((X, Y, weights), "sample_weight must be one positive number per row of X")
            for weights in (0 * Y, -1.0 - Y, Y + np.nan, Y + np.inf, [1.0], 1.0)
        ],
        ((X, Y, Y + 1j), "sample_weight must be one real number per row of X"),
    ],
)
def test_statistics_refuse(arguments, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        ClassStatistics.from_samples(*arguments)
