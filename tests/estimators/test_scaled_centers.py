"""Shrunk centers and scaled distances, against scikit-learn on four data sets."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid
from sklearn.utils.estimator_checks import parametrize_with_checks
from toys import toy

from sknc import NearestClassCenter, load


def digits():
    X, y = load_digits(return_X_y=True)
    return X[:, X.std(0) > 0.5], y  # scikit-learn warns of features that never vary


DATA = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": digits,
}
# A feature without variance in a class warns in scikit-learn.
pytestmark = pytest.mark.filterwarnings("ignore:self.within_class_std_dev_ has")


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("threshold", [None, 0.3, 2.0])
def test_equals_nearest_centroid(name, threshold):
    X, y = DATA[name]()
    theirs = NearestCentroid(shrink_threshold=threshold).fit(X, y)
    ours = NearestClassCenter(shrink_threshold=threshold).fit(X, y)
    np.testing.assert_allclose(ours.centers_, theirs.centroids_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(
        ours.transform(X), cdist(X, theirs.centroids_), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("threshold", [None, 0.3])
@pytest.mark.parametrize("priors", ["empirical", "skewed"])
def test_equals_nearest_centroid_with_priors(name, threshold, priors):
    X, y = DATA[name]()
    if priors == "skewed":
        K = y.max() + 1
        priors = list(np.arange(1, K + 1) / (K * (K + 1) / 2))
    theirs = NearestCentroid(priors=priors, shrink_threshold=threshold).fit(X, y)
    balanced = np.allclose(theirs.class_prior_, 1 / len(theirs.classes_))
    ours = NearestClassCenter(
        "euclidean" if balanced else "standardized",
        priors=priors,
        shrink_threshold=threshold,
    ).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    if balanced:  # and so not standardized when predicting
        return
    found = np.atleast_2d(ours.decision_function(X).T).T
    want = np.atleast_2d(theirs.decision_function(X).T).T
    if found.shape[1] > 1:  # up to a constant of each sample
        found, want = found - found[:, :1], want - want[:, :1]
    np.testing.assert_allclose(2 * found, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["iris", "wine", "cancer"])
def test_mahalanobis_is_linear_discriminant_analysis(name):
    X, y = DATA[name]()
    ours = NearestClassCenter("mahalanobis", priors="empirical").fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver="svd").fit(X, y)
    np.testing.assert_allclose(
        ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6, atol=1e-9
    )


def test_distances_are_those_of_the_covariance():
    X, y = load_iris(return_X_y=True)
    means = np.array([X[y == k].mean(0) for k in range(3)])
    residuals = X - means[y]
    inverse = np.linalg.inv(residuals.T @ residuals / len(X))
    want = cdist(X, means, "mahalanobis", VI=inverse)
    got = NearestClassCenter("mahalanobis").fit(X, y).transform(X)
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_mahalanobis_of_single_precision_and_fewer_samples_than_features():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(5), 20)
    means = rng.standard_normal((5, 400))
    X, other = (
        (means[y] + 2 * rng.standard_normal((100, 400))).astype(np.float32)
        for _ in range(2)
    )
    want = NearestClassCenter("mahalanobis").fit(X.astype(float), y)
    got = NearestClassCenter("mahalanobis").fit(X, y)
    distances = want.transform(other.astype(float))
    # Products of float32 rows, and the inverse of their covariance.
    np.testing.assert_allclose(got.transform(other), distances, rtol=5e-6)
    assert got.score(other, y) == want.score(other.astype(float), y) > 0.9


@pytest.mark.parametrize("metric", ["euclidean", "standardized", "mahalanobis"])
def test_batches_merge_weights_and_torch(metric, torch):
    item = toy("long_tailed")
    weights = 1 + np.arange(len(item.y)) % 3
    options = {"metric": metric, "priors": "empirical", "shrink_threshold": 0.2}
    repeated = NearestClassCenter(**options).fit(
        np.repeat(item.X, weights, 0), np.repeat(item.y, weights)
    )
    first, second = (NearestClassCenter(**options) for _ in range(2))
    for start in range(0, len(item.y), 90):
        part = slice(start, start + 90)
        (first if start % 180 else second).partial_fit(
            item.X[part], item.y[part], sample_weight=weights[part]
        )
    merged = first.merge(second)
    want = repeated.predict_proba(item.X)
    np.testing.assert_allclose(merged.predict_proba(item.X), want, rtol=1e-8)
    tensors = NearestClassCenter(**options).fit(
        torch.asarray(item.X), torch.asarray(item.y), torch.asarray(weights)
    )
    found = tensors.predict_proba(torch.asarray(item.X)).numpy()
    np.testing.assert_allclose(found, want, rtol=1e-8)


def test_absent_classes_and_thresholds_beyond_all():
    X, y = load_iris(return_X_y=True)
    model = NearestClassCenter(shrink_threshold=1e6).fit(X, y, classes=[0, 1, 2, 3])
    assert np.isnan(model.centers_[3]).all()
    np.testing.assert_allclose(model.centers_[:3], np.tile(X.mean(0), (3, 1)))
    assert set(model.predict(X)) == {0}  # a tie of all


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_saved_and_loaded(threshold, tmp_path):
    X, y = load_iris(return_X_y=True)
    options = {"metric": "mahalanobis", "shrink_threshold": threshold}
    model = NearestClassCenter(**options).fit(X, y)
    model.save(tmp_path / "centers.sknc")
    loaded = load(tmp_path / "centers.sknc")
    assert loaded.get_params() == model.get_params()
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_refusals():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="shrink_threshold must be a number of"):
        NearestClassCenter(shrink_threshold=-1).fit(X, y)
    with pytest.raises(ValueError, match="shrink_threshold must be None with met"):
        NearestClassCenter("cosine", shrink_threshold=1).fit(X, y)
    model = NearestClassCenter().fit(X, y).set_params(metric="mahalanobis")
    with pytest.raises(ValueError, match="require the scatter, which was not kept"):
        model.predict(X)
    text = (
        "^Shrunk centers and scaled distances require variances: expected more "
        r"samples than classes, got 2 of 2\. Fit more samples, or use "
        r"metric=\"euclidean\" without shrink_threshold\.$"
    )
    for metric in ("standardized", "mahalanobis"):
        with pytest.raises(ValueError, match=text):
            NearestClassCenter(metric).fit(X[[0, 99]], y[[0, 99]]).predict(X)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [16, 300])
def test_means_that_differ_where_nothing_varies_are_refused(dtype, n_features):
    y = np.repeat(np.arange(10), 20)
    X = np.eye(10, n_features, dtype=dtype)[y] * 5
    text = (
        r"^Mahalanobis distances are zero between the different means of 45 of 45 "
        r"pairs of classes: expected features that vary within the classes along what "
        r"separates them, got none\. Use metric=\"euclidean\" or \"standardized\"\.$"
    )
    for start, moved in ((0, X), (3, X + np.linspace(0, 1, n_features, dtype=dtype))):
        model = NearestClassCenter("mahalanobis").partial_fit(moved[start:], y[start:])
        with pytest.raises(ValueError, match=text):
            model.predict(moved)
    for metric in ("euclidean", "standardized"):
        assert NearestClassCenter(metric).fit(X, y).score(X, y) == 1


def test_means_that_differ_across_the_one_direction_of_variance_are_refused():
    y = np.repeat(np.arange(10), 20)
    X = np.eye(10, 16)[y] * 5
    X[:, 12] = np.array([1, -1])[np.arange(len(y)) % 2]  # alike in each class
    turned = X @ np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0]
    with pytest.raises(ValueError, match="of 45 of 45 pairs"):
        NearestClassCenter("mahalanobis").fit(turned, y).predict(turned)


def test_singular_covariances_that_separate_are_not_refused():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 10)
    X = np.c_[4 * y + rng.standard_normal(30), np.zeros(30), y]
    assert NearestClassCenter("mahalanobis").fit(X, y).score(X, y) > 0.9
    same = np.tile(X[0], (30, 1))  # no means that differ
    assert set(NearestClassCenter("mahalanobis").fit(same, y).predict(same)) == {0}


def test_weights_count_as_numbers_of_samples():
    X, y = load_iris(return_X_y=True)
    weights = np.full(len(y), 1 / len(y))
    text = (
        "^Weights count as numbers of samples when variances are estimated: expected "
        r"a sum of more than 3, the number of classes, got 1\. Scale them: w \* "
        r"len\(w\) / w\.sum\(\)\.$"
    )
    for options in ({"metric": "standardized"}, {"shrink_threshold": 0.5}):
        model = NearestClassCenter(**options).fit(X, y, weights)
        with pytest.raises(ValueError, match=text):
            model.predict(X)
        scaled = weights * len(weights) / weights.sum()
        np.testing.assert_allclose(
            NearestClassCenter(**options).fit(X, y, scaled).transform(X),
            NearestClassCenter(**options).fit(X, y).transform(X),
            rtol=1e-9,
        )
    want = NearestClassCenter("mahalanobis").fit(X, y).transform(X)
    got = NearestClassCenter("mahalanobis").fit(X, y, weights).transform(X)
    np.testing.assert_allclose(got, want, rtol=1e-9)


@parametrize_with_checks(
    [
        NearestClassCenter("standardized", shrink_threshold=0.1),
        NearestClassCenter("mahalanobis", priors="empirical"),
        NearestClassCenter(shrink_threshold=0.1),
    ]
)
def test_scikit_learn(estimator, check):
    check(estimator)
