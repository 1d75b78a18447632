"""Priors and logarithms of probabilities of the nearest class center."""

import pickle
import re

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from tolerances import CLOSE, LOOSE

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

COUNTS = [150, 80, 40, 20, 10]
GIVEN = np.array([1.0, 4.0, 2.0, 0.5, 2.5])


@pytest.fixture(scope="module")
def data():
    return make_blobs(COUNTS, n_features=4, cluster_std=7.0, random_state=0)


@pytest.fixture(params=["empirical", "given"])
def priors(request):
    return "empirical" if request.param == "empirical" else GIVEN


def shares(priors):
    values = np.array(COUNTS) if isinstance(priors, str) else priors
    return values / values.sum()


def log_posterior(X, y, probabilities, at=None, weights=None):
    """Return the log-posterior of Gaussians with one variance for all features."""
    w = np.ones(len(X)) if weights is None else weights
    means = np.array([np.average(X[y == k], 0, w[y == k]) for k in np.unique(y)])
    variance = np.average(np.mean((X - means[y]) ** 2, axis=1), weights=w)
    joint = [
        multivariate_normal(mean, variance).logpdf(X if at is None else at) + np.log(p)
        for mean, p in zip(means, probabilities, strict=True)
    ]
    return np.array(joint).T - logsumexp(joint, axis=0)[:, None]


def test_posterior(data, priors):
    X, y = data
    model = NearestClassCenter(priors=priors).fit(X, y)
    np.testing.assert_allclose(model.class_prior_, shares(priors), rtol=1e-15)
    expected = log_posterior(X, y, shares(priors))
    np.testing.assert_allclose(model.predict_log_proba(X), expected, rtol=CLOSE)
    np.testing.assert_allclose(model.predict_proba(X), np.exp(expected), rtol=LOOSE)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(1))
    assert model.score(X, y) == np.mean(expected.argmax(1) == y)
    moved = model.predict(X) != NearestClassCenter().fit(X, y).predict(X)
    assert np.mean(moved) > 0.05


def test_decision_function(data, priors):
    X, y = data
    model = NearestClassCenter(priors=priors).fit(X, y)
    variance = np.mean((X - model.class_means_[y]) ** 2)
    scores = model.decision_function(X)
    np.testing.assert_allclose(
        log_softmax(scores / variance, axis=1), model.predict_log_proba(X), rtol=LOOSE
    )
    gains = scores - NearestClassCenter().fit(X, y).decision_function(X)
    expected = variance * np.log(5 * shares(priors))
    np.testing.assert_allclose(gains, np.tile(expected, (len(X), 1)), rtol=LOOSE)


def test_decision_function_of_two_classes(data):
    X, y = data
    X, y = X[y > 2], y[y > 2]
    model = NearestClassCenter(priors=[0.1, 0.9]).fit(X, y)
    scores, logs = model.decision_function(X), model.predict_log_proba(X)
    variance = np.mean((X - model.class_means_[y - 3]) ** 2)
    np.testing.assert_allclose(scores, variance * (logs[:, 1] - logs[:, 0]), rtol=LOOSE)
    np.testing.assert_array_equal(scores > 0, model.predict(X) == 4)


def test_shares_of_weights(data):
    X, y = data
    weights = np.random.default_rng(0).uniform(0.1, 2, len(y))
    model = NearestClassCenter(priors="empirical").fit(X, y, sample_weight=weights)
    totals = np.bincount(y, weights)
    expected = log_posterior(X, y, totals / totals.sum(), weights=weights)
    np.testing.assert_allclose(model.predict_log_proba(X), expected, rtol=LOOSE)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logarithms_are_of_the_probabilities(data, dtype):
    X, y = data
    X = X.astype(dtype)
    model = NearestClassCenter().fit(X, y)
    found, probabilities = model.predict_log_proba(X), model.predict_proba(X)
    assert found.dtype == probabilities.dtype == dtype
    assert (probabilities > 0).all()
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(found, np.log(probabilities), rtol=8 * eps, atol=eps)


@pytest.mark.parametrize("scale", [1, 1e3])
def test_logarithms_of_small_probabilities(data, scale):
    X, y = data
    model = NearestClassCenter().fit(X, y)
    expected = log_posterior(X, y, np.full(5, 0.2), at=scale * X)
    found = model.predict_log_proba(scale * X)
    assert (found <= 0).all()
    np.testing.assert_allclose(found, expected, rtol=LOOSE, atol=LOOSE)
    assert (found.min() < -1000) == (scale > 1)


def test_log_proba_of_angles(data):
    X, y = data
    model = NearestClassCenter("cosine").fit(X, y)
    np.testing.assert_allclose(
        model.predict_log_proba(X), log_softmax(model.decision_function(X), axis=1)
    )


# scikit-learn's NearestCentroid -----------------------------------------------------


@pytest.fixture
def scaled(data):
    """Return features of equal variance within the classes, where both models agree."""
    X, y = data
    means = np.array([X[y == k].mean(0) for k in range(5)])
    return X / np.sqrt(np.mean((X - means[y]) ** 2, axis=0)), y


def test_nearest_centroid_predicts_the_same(scaled, priors):
    X, y = scaled
    ours = NearestClassCenter(priors=priors).fit(X, y)
    # Its variance is N / (N - K) times ours, and it adds 2 log(prior) to -d^2 / var.
    ratio = (len(X) - 5) / len(X)
    equivalent = shares(priors) ** ratio
    theirs = NearestCentroid(priors=list(equivalent / equivalent.sum())).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    # As the notes of our docstring say, it doubles the log-likelihood.
    doubled = log_softmax(2 * ratio * ours.predict_log_proba(X), axis=1)
    np.testing.assert_allclose(theirs.predict_log_proba(X), doubled, rtol=LOOSE)


def test_nearest_centroid_has_the_same_priors(data, priors):
    given = priors if isinstance(priors, str) else list(shares(priors))
    ours = NearestClassCenter(priors=priors).fit(*data).class_prior_
    theirs = NearestCentroid(priors=given).fit(*data).class_prior_
    np.testing.assert_allclose(ours, theirs, rtol=1e-15)


def test_equal_priors_change_nothing(data):
    X, y = data
    plain, equal = NearestClassCenter(), NearestClassCenter(priors=[7.0] * 5)
    np.testing.assert_array_equal(
        plain.fit(X, y).predict(X), equal.fit(X, y).predict(X)
    )
    np.testing.assert_allclose(plain.predict_proba(X), equal.predict_proba(X), 1e-12)
    assert plain.class_prior_.tolist() == [0.2] * 5


# Classes that cannot be chosen ------------------------------------------------------


@pytest.mark.parametrize("priors", ["empirical", [5.0, 1, 0, 1, 1, 1, 1]])
def test_classes_that_are_never_chosen(data, priors):
    X, y = data
    model = NearestClassCenter(priors=priors)
    model.partial_fit(X, y + 1, classes=range(7))  # 0 and 6 have no samples
    held = np.flatnonzero(model.class_prior_)
    assert held.tolist() == ([1, 2, 3, 4, 5] if priors == "empirical" else [1, 3, 4, 5])
    assert model.class_prior_.sum() == pytest.approx(1, rel=1e-15)
    never = np.setdiff1d(np.arange(7), held)
    logs = model.predict_log_proba(X)
    assert (logs[:, never] == -np.inf).all()
    assert (model.predict_proba(X)[:, never] == 0).all()
    assert (model.decision_function(X)[:, never] == -np.inf).all()
    assert set(model.predict(X)) <= set(held)
    np.testing.assert_array_equal(model.predict(X), logs.argmax(1))
    # Distances have no priors.
    assert np.isfinite(model.transform(X)[:, 1:6]).all()


def test_no_class_can_be_chosen(data):
    X, y = data
    model = NearestClassCenter(priors=[1.0, 0, 0, 0, 0, 0])
    model.partial_fit(X, y + 1, classes=range(6))
    message = (
        "priors are zero for every class that has samples, so no class can be "
        "predicted. Give one of [1 2 3 4 5] a positive prior."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        model.predict(X)


def test_without_variance_priors_do_not_count():
    model = NearestClassCenter(priors=[0.01, 0.99])
    model.fit([[0.0, 0], [1, 0], [1, 0]], [0, 1, 1])
    X = [[0.2, 0.0], [0.5, 0.0], [5.0, 0.0]]
    assert model.predict(X).tolist() == [0, 0, 1]
    assert model.predict_proba(X).tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
    logs = model.predict_log_proba(X)
    np.testing.assert_allclose(
        logs, [[0, -np.inf], [np.log(0.5)] * 2, [-np.inf, 0]], rtol=1e-15
    )


# Parameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "priors",
    ["equal", None, 3.0, [], [[0.5, 0.5]], [0.5, -0.5], [0.5, np.nan], [0, 0], ["a"]],
)
def test_malformed_priors(data, priors):
    message = (
        'priors must be "uniform", "empirical" or a 1-D array of finite, non-negative '
        f"numbers that are not all zero, got {priors!r}."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        NearestClassCenter(priors=priors).fit(*data)
    model = NearestClassCenter().fit(*data).set_params(priors=priors)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.predict(data[0])


def test_number_of_priors(data):
    X, y = data

    def message(n_priors, n_classes):
        return re.escape(
            "priors must have one entry for each class, in the order of classes_, "
            f"got {n_priors} entries for {n_classes} classes."
        )

    model = NearestClassCenter(priors=[0.5, 0.5])
    with pytest.raises(ValueError, match=message(2, 5)):
        model.fit(X, y)
    with pytest.raises(ValueError, match=message(2, 7)):
        model.partial_fit(X[y < 2], y[y < 2], classes=range(7))
    assert not hasattr(model, "n_features_in_")
    model.partial_fit(X[y < 2], y[y < 2])
    model.predict(X)
    model.partial_fit(X, y)
    with pytest.raises(ValueError, match=message(2, 5)):
        model.predict(X)


def test_angles_have_no_priors(data):
    message = re.escape(
        'priors must be "uniform" with metric="cosine", got \'empirical\'. Angles '
        "have no variance that priors could be compared with."
    )
    with pytest.raises(ValueError, match=message):
        NearestClassCenter("cosine", priors="empirical").fit(*data)
    model = NearestClassCenter(priors="empirical").fit(*data)
    with pytest.raises(ValueError, match=message):
        model.set_params(metric="cosine").predict(data[0])


# State ------------------------------------------------------------------------------


def same(model, other, X):
    np.testing.assert_allclose(model.class_prior_, other.class_prior_, rtol=1e-15)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    np.testing.assert_allclose(
        model.predict_log_proba(X), other.predict_log_proba(X), rtol=LOOSE
    )


def test_state(data, priors):
    X, y = data
    whole = NearestClassCenter(priors=priors).fit(X, y)
    order = np.argsort(y)
    parts = [
        NearestClassCenter(priors=priors).fit(X[rows], y[rows])
        for rows in np.array_split(order, 3)
    ]
    same(clone(whole).merge(*parts), whole, X)
    same(parts[0] + parts[1] + parts[2], whole, X)
    same(pickle.loads(pickle.dumps(whole)), whole, X)
    same(clone(whole).fit(X, y), whole, X)
    statistics = NeuralCollapseAnalyzer().fit(X, y).statistics_
    same(NearestClassCenter.from_statistics(statistics, priors=priors), whole, X)
    same(clone(whole).partial_fit(X[order[:9]], y[order[:9]]).fit(X, y), whole, X)
    # Nothing of earlier parameters or samples is left.
    other = NearestClassCenter().fit(X[::2], y[::2])
    other.predict(X)
    other.partial_fit(X[1::2], y[1::2]).set_params(priors=priors)
    same(other, whole, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch(data, priors, dtype):
    torch = pytest.importorskip("torch")
    X, y = data[0].astype(dtype), data[1]
    want = NearestClassCenter(priors=priors).fit(X, y)
    given = priors if isinstance(priors, str) else torch.asarray(priors)
    model = NearestClassCenter(priors=given).fit(torch.asarray(X), torch.asarray(y))
    assert torch.is_tensor(model.class_prior_)
    found = model.predict_log_proba(torch.asarray(X))
    assert str(found.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(
        model.predict(torch.asarray(X)).numpy(), want.predict(X)
    )
    expected = log_posterior(X.astype(float), y, shares(priors))
    rtol = 1e-5 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(found.numpy(), expected, rtol=rtol, atol=rtol)


def test_agreement_is_with_predictions(data, priors):
    X, y = data
    head = LogisticRegression(max_iter=500).fit(X, y)
    model = NearestClassCenter(priors=priors).fit(X, y)
    found = model.agreement(X, head, y)
    assert found.rate == np.mean(model.predict(X) == head.predict(X))
    assert found.ncc_accuracy == model.score(X, y)
