"""scikit-learn's common checks, and ours where those do not look at `score`."""

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.utils.estimator_checks import parametrize_with_checks
from tolerances import LOOSE

from sknc import (
    NearestClassCenter,
    NeuralCollapseAnalyzer,
    NeuralRegressionCollapse,
)

ESTIMATORS = [
    NeuralCollapseAnalyzer(),
    NeuralCollapseAnalyzer(covariance=False),
    NearestClassCenter(),
    NearestClassCenter("cosine"),
    NearestClassCenter(priors="empirical"),
]
# Name of a check -> why it cannot hold. None is needed.
EXPECTED_FAILURES: dict[str, str] = {}


def _with_checks(estimators):
    """Parametrize by the checks; which fail is known only since scikit-learn 1.6."""
    return parametrize_with_checks(
        estimators, expected_failed_checks=lambda estimator: EXPECTED_FAILURES
    )


@_with_checks([*ESTIMATORS, NeuralRegressionCollapse(metrics="all")])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.skipif(
    bool(os.environ.get("SCIPY_ARRAY_API")), reason="this process runs them itself"
)
@pytest.mark.slow
def test_scikit_learn_with_array_api():
    # The variable is read when SciPy is imported, so it takes a process of its own.
    pytest.importorskip("array_api_strict")
    code = (
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from sknc import NearestClassCenter, NeuralCollapseAnalyzer, "
        "NeuralRegressionCollapse\n"
        "estimators = [NeuralCollapseAnalyzer(), "
        "NeuralCollapseAnalyzer(covariance=False), "
        "NearestClassCenter(), NearestClassCenter('cosine'), "
        "NearestClassCenter(priors='empirical'), NeuralRegressionCollapse()]\n"
        "ran = 0\n"
        "for estimator in estimators:\n"
        "    for result in check_estimator(estimator, on_skip=None, on_fail='raise'):\n"
        "        ran += 'array_api' in result['check_name'] "
        "and result['status'] == 'passed'\n"
        "print(ran)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Of each estimator: at least the two devices of array-api-strict.
    assert int(done.stdout.split()[-1]) >= 2 * (len(ESTIMATORS) + 1)


@pytest.mark.parametrize("named", [None, range(6)])
def test_every_metric_of_another_library(named, monkeypatch):
    strict = pytest.importorskip("array_api_strict")
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    X, y = make_blobs(60, n_features=6, centers=4, cluster_std=2.0, random_state=0)
    y = y if named is None else np.array([0, 1, 3, 5])[y]
    n_rows = 4 if named is None else 6
    rng = np.random.default_rng(0)
    head = rng.standard_normal((n_rows, 6)), rng.standard_normal(n_rows)

    def measured(X, y):
        analyzer = NeuralCollapseAnalyzer(head, metrics="all")
        analyzer.partial_fit(X, y, classes=named)
        values = analyzer.report().to_dict() | analyzer.score(X, y).to_dict()
        return values | analyzer.score_ood(X[:9, :])

    with config_context(array_api_dispatch=True):
        found = measured(strict.asarray(X), strict.asarray(y))
    assert found == pytest.approx(measured(X, y), rel=LOOSE, nan_ok=True)


# Ours: what scikit-learn checks of predict and transform, on score ------------


@pytest.fixture
def data():
    X, y = make_blobs(240, n_features=6, centers=5, cluster_std=2.0, random_state=0)
    return X, y, np.random.default_rng(0).integers(0, 4, size=len(y))


def _with_head(estimator):
    """Give an analyzer a head, so that `score` has every metric."""
    if isinstance(estimator, NeuralCollapseAnalyzer):
        rng = np.random.default_rng(1)
        head = (rng.normal(size=(5, 6)), rng.normal(size=5))
        return clone(estimator).set_params(head=head)
    return clone(estimator)


def _numbers(score):
    return score.to_dict() if hasattr(score, "to_dict") else {"score": score}


def _assert_same(one, other, rtol=LOOSE):
    one, other = _numbers(one), _numbers(other)
    assert list(one) == list(other)
    for key, value in one.items():
        np.testing.assert_allclose(value, other[key], rtol, 1e-12, err_msg=key)


each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


@each_estimator
def test_score_has_every_metric(estimator, data):
    X, y, _ = data
    score = _with_head(estimator).fit(X, y).score(X, y)
    if isinstance(estimator, NeuralCollapseAnalyzer):
        assert len(score.keys()) == 20
        assert np.isfinite(list(score.to_dict().values())).all()


@each_estimator
def test_integer_weights_are_repetitions(estimator, data):
    X, y, times = data
    weighted = _with_head(estimator).fit(X, y, sample_weight=times)
    repeated = _with_head(estimator).fit(np.repeat(X, times, 0), np.repeat(y, times))
    _assert_same(
        weighted.score(X, y, sample_weight=times),
        repeated.score(np.repeat(X, times, 0), np.repeat(y, times)),
    )
    if hasattr(estimator, "report"):
        _assert_same(weighted.report(), repeated.report())


@each_estimator
def test_weight_zero_is_absence(estimator, data):
    X, y, times = data
    used = times > 0
    weighted = _with_head(estimator).fit(X, y, sample_weight=used)
    fewer = _with_head(estimator).fit(X[used], y[used])
    _assert_same(
        weighted.score(X, y, sample_weight=used), fewer.score(X[used], y[used])
    )
    assert weighted.n_samples_seen_ == fewer.n_samples_seen_ == used.sum()


@each_estimator
@pytest.mark.parametrize("factor", [2.0, 1e-6, 1e6])
def test_scale_of_weights_makes_no_difference(estimator, data, factor):
    X, y, times = data
    weights = times + 1.0
    one = _with_head(estimator).fit(X, y, sample_weight=weights)
    other = _with_head(estimator).fit(X, y, sample_weight=factor * weights)
    _assert_same(
        one.score(X, y, sample_weight=weights),
        other.score(X, y, sample_weight=factor * weights),
    )


@each_estimator
def test_unit_weights_are_no_weights(estimator, data):
    X, y, _ = data
    one = _with_head(estimator).fit(X, y)
    other = _with_head(estimator).fit(X, y, sample_weight=np.ones(len(y)))
    _assert_same(one.score(X, y), other.score(X, y, sample_weight=np.ones(len(y))))


@each_estimator
def test_order_of_samples_makes_no_difference(estimator, data):
    X, y, _ = data
    order = np.random.default_rng(2).permutation(len(y))
    one = _with_head(estimator).fit(X, y)
    other = _with_head(estimator).fit(X[order], y[order])
    _assert_same(one.score(X, y), other.score(X[order], y[order]))
    _assert_same(one.score(X, y), one.score(X[order], y[order]))


@each_estimator
def test_sorted_by_class_makes_no_difference(estimator, data):
    X, y, _ = data
    order = np.argsort(y, kind="stable")[::-1]
    one = _with_head(estimator).fit(X, y)
    other = _with_head(estimator)
    for part in np.array_split(order, 13):
        other.partial_fit(X[part], y[part])
    _assert_same(one.score(X, y), other.score(X, y))


@each_estimator
def test_fit_is_idempotent(estimator, data):
    X, y, _ = data
    model = _with_head(estimator).fit(X, y)
    once = _numbers(model.score(X, y))
    model.fit(X[::-1] + 5, y).fit(X, y)
    assert _numbers(model.score(X, y)) == once


@each_estimator
def test_score_changes_nothing(estimator, data):
    X, y, _ = data
    model = _with_head(estimator).fit(X, y)
    first = model.score(X[:50], y[:50])
    model.score(X[50:] + 3, y[50:])
    assert _numbers(model.score(X[:50], y[:50])) == _numbers(first)


@each_estimator
def test_inputs_are_not_changed(estimator, data):
    X, y, times = data
    kept = X.copy(), y.copy(), times.copy()
    for array in (X, y, times):
        array.setflags(write=False)
    model = _with_head(estimator).fit(X, y, times)
    model.partial_fit(X, y, sample_weight=times)
    model.score(X, y, sample_weight=times)
    for array, copy in zip((X, y, times), kept, strict=True):
        np.testing.assert_array_equal(array, copy)
