"""The nearest class center: decisions as float64 makes them, and agreement."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, recall_score
from sklearn.neighbors import NearestCentroid
from tables import each
from tolerances import LOOSE, SINGLE, TIGHT

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

METRICS = ["euclidean", "cosine"]
each_metric = pytest.mark.parametrize("metric", METRICS)


@pytest.fixture(scope="module")
def data():
    return make_blobs(400, n_features=8, centers=6, cluster_std=5.0, random_state=0)


def distances(X, centers, metric="euclidean"):
    """Return distances in float64, from the differences themselves."""
    X, centers = np.asarray(X, np.float64), np.asarray(centers, np.float64)
    if metric == "cosine":
        norms = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(centers, axis=1)
        return 1 - (X @ centers.T) / norms
    return np.array([np.sqrt(np.sum((centers - x) ** 2, axis=1)) for x in X])


def means(X, y):
    X = np.asarray(X, np.float64)
    return np.array([X[y == label].mean(axis=0) for label in np.unique(y)])


# Decisions ----------------------------------------------------------------------


@pytest.mark.parametrize("strings", [False, True])
def test_against_scikit_learn(data, strings):
    X, y = data
    if strings:
        y = np.array(["f", "b", "d", "a", "c", "e"])[y]
    model, reference = NearestClassCenter().fit(X, y), NearestCentroid().fit(X, y)
    np.testing.assert_allclose(model.class_means_, reference.centroids_, rtol=TIGHT)
    np.testing.assert_array_equal(model.classes_, reference.classes_)
    np.testing.assert_array_equal(model.predict(X), reference.predict(X))
    assert model.score(X, y) == pytest.approx(reference.score(X, y), abs=1e-15)
    weights = np.random.default_rng(0).uniform(size=len(y))
    assert model.score(X, y, weights) == pytest.approx(reference.score(X, y, weights))


@each_metric
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_against_float64(data, metric, dtype):
    X, y = data
    X = X.astype(dtype)
    model = NearestClassCenter(metric).fit(X, y)
    expected = distances(X, model.class_means_, metric)
    np.testing.assert_array_equal(model.predict(X), expected.argmin(axis=1))
    rtol = {2: 2e-3, 4: 1e-5, 8: 1e-9}[np.dtype(dtype).itemsize]
    found = model.transform(X)
    # Half precision is promoted to single.
    assert found.dtype == (np.float32 if dtype is np.float16 else dtype)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("n_classes", [2, 50])
def test_close_centers_far_from_the_origin(library, n_classes):
    # At offset 100 a float32 has 7.6e-6 between neighbors, and squared distances from
    # the origin have 1e-3 or worse: only float64 can tell such centers apart.
    rng = np.random.default_rng(0)
    n_features = 32
    directions = rng.normal(size=(n_classes, n_features))
    directions *= 1e-2 / np.linalg.norm(directions, axis=1)[:, None]
    y = np.arange(3000) % n_classes
    X = 100 + directions[y] + 2e-3 * rng.normal(size=(3000, n_features))
    X = X.astype(np.float32)
    features = X
    if library == "torch":
        features = pytest.importorskip("torch").as_tensor(X)
    model = NearestClassCenter().fit(features, y)
    centers = np.asarray(model.class_means_)
    np.testing.assert_allclose(centers, means(X, y), rtol=0, atol=LOOSE)
    expected = distances(X, centers)
    decided = expected.argmin(axis=1)
    np.testing.assert_array_equal(np.asarray(model.predict(features)), decided)
    assert model.score(features, y) == np.mean(decided == y) > 0.5
    np.testing.assert_allclose(np.asarray(model.transform(features)), expected, 1e-5)


def test_close_decisions():
    # Points within rounding of the border between two centers.
    centers = np.array([[100.0, 100.0], [100.01, 100.0]], np.float32)
    model = NearestClassCenter().fit(centers, [0, 1])
    steps = np.arange(-200, 200) * np.float32(7.6293945e-06)
    X = np.full((400, 2), 100.005, np.float32)
    X[:, 0] += steps
    expected = distances(X, centers).argmin(axis=1)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(model.predict(X), expected)


def test_ties_go_to_the_first_class():
    model = NearestClassCenter().fit([[1.0, 0], [-1, 0], [0, 1], [0, -1]], list("bacd"))
    assert model.predict([[0.0, 0.0]]).tolist() == ["a"]
    # Between "b" at (1, 0) and "c" at (0, 1).
    assert model.predict([[2.0, 2.0]]).tolist() == ["b"]
    same = NearestClassCenter().fit(np.ones((6, 2)), [3, 1, 2, 3, 1, 2])
    assert same.predict(np.ones((2, 2), np.float64)).tolist() == [1, 1]
    single = NearestClassCenter().fit(np.ones((6, 2), np.float32), [3, 1, 2, 3, 1, 2])
    assert single.predict(np.zeros((2, 2), np.float32)).tolist() == [1, 1]


@pytest.mark.parametrize("n_features", [1, 2, 7, 300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1024.0])
def test_ties_on_a_lattice(n_features, dtype, offset):
    # Distances of whole numbers are exact; in most cells of a lattice some are equal.
    rng = np.random.default_rng(n_features)
    for _ in range(10):
        centers = rng.integers(-3, 4, size=(20, n_features)).astype(dtype)
        X = rng.integers(-4, 5, size=(60, n_features)).astype(dtype)
        model = NearestClassCenter().fit(centers + offset, np.arange(20))
        first = distances(X, centers).argmin(axis=1)
        np.testing.assert_array_equal(model.predict(X + offset), first)
    line = 2.0 * np.arange(7)[:, None].astype(dtype) + offset
    model = NearestClassCenter().fit(line, np.arange(7))
    assert model.predict(line[:-1] + 1).tolist() == [0, 1, 2, 3, 4, 5]


# Float32 holds numbers of 1e-45 to 3e38, float64 of 5e-324 to 1e308.
SIZES = [
    *((np.float32, size) for size in (1e-40, 1e-30, 1e-19, 1e19, 1e25, 1e37)),
    *((np.float64, size) for size in (1e-300, 1e-160, 1e-100, 1e77, 1e154, 1e305)),
]


# Squares that are kept for other numbers overflow.
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@each_metric
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("n_features", [8, 300])
@each(("dtype", "size"), SIZES)
def test_features_of_extreme_size(library, metric, dtype, size, n_features):
    factor = 2.0 ** round(np.log2(size))
    rng = np.random.default_rng(0)
    centers = rng.integers(-8, 9, size=(6, n_features))
    y = rng.integers(6, size=200)
    X = (centers[y] + rng.integers(-16, 17, size=(200, n_features))).astype(dtype)
    head = rng.integers(-9, 10, size=(6, n_features)).astype(np.float64)
    small, large = ((centers * f).astype(dtype) for f in (1.0, factor))
    features = X * dtype(factor)
    if library == "torch":
        torch = pytest.importorskip("torch")
        large, features = torch.as_tensor(large), torch.as_tensor(features)
    plain = NearestClassCenter(metric).fit(small, np.arange(6))
    model = NearestClassCenter(metric).fit(large, np.arange(6))
    np.testing.assert_array_equal(np.asarray(model.predict(features)), plain.predict(X))
    for scale in (1.0, factor):
        found = model.agreement(features, head * scale, y)
        want = plain.agreement(X, head, y)
        assert (found.contingency != want.contingency).nnz == 0
        assert found.head_accuracy == want.head_accuracy


@each_metric
def test_samples_far_beyond_the_centers(metric):
    centers = np.array([[1.0, 0], [0, 1], [-1, -1]])
    model = NearestClassCenter(metric).fit(centers, np.arange(3))
    for factor in (1e20, 1e160, 1e300):
        assert model.predict(factor * centers).tolist() == [0, 1, 2]
    rows = (1e25 * centers).astype(np.float32)
    assert model.predict(rows).tolist() == [0, 1, 2]


def test_ties_of_angles():
    model = NearestClassCenter("cosine").fit([[1.0, 0], [0, 1], [-1, 0]], [0, 1, 2])
    assert model.predict([[1.0, 1.0]]).tolist() == [0]
    assert model.predict([[0.0, 0.0]]).tolist() == [0]


def test_angles_ignore_lengths(data):
    X, y = data
    model = NearestClassCenter("cosine").fit(X, y)
    factors = np.random.default_rng(0).uniform(0.01, 100, size=(len(y), 1))
    np.testing.assert_array_equal(model.predict(X), model.predict(X * factors))
    np.testing.assert_allclose(model.transform(X), model.transform(X * factors), 1e-9)


def test_angle_of_zero():
    X = np.array([[1.0, 0], [0, 2]])
    model = NearestClassCenter("cosine").fit(X, [0, 1])
    assert model.transform([[0.0, 0.0]]).tolist() == [[1.0, 1.0]]
    assert model.predict_proba([[0.0, 0.0]]).tolist() == [[0.5, 0.5]]


@each_metric
def test_decision_function(data, metric):
    X, y = data
    model = NearestClassCenter(metric).fit(X, y)
    scores, away = model.decision_function(X), distances(X, model.class_means_, metric)
    expected = 1 - away if metric == "cosine" else -(away**2) / 2
    np.testing.assert_allclose(scores, expected, rtol=LOOSE, atol=TIGHT)
    np.testing.assert_array_equal(scores.argmax(axis=1), model.predict(X))
    two = NearestClassCenter(metric).fit(X, y % 2)
    binary = two.decision_function(X)
    assert binary.shape == (len(y),)
    np.testing.assert_array_equal(binary > 0, two.predict(X) == 1)


@each_metric
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_probabilities(data, metric, dtype):
    X, y = data
    X = X.astype(dtype)
    model = NearestClassCenter(metric).fit(X, y)
    found = model.predict_proba(X)
    assert found.shape == (400, 6)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=SINGLE)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found.argmax(axis=1), model.predict(X))


def test_probabilities_of_the_shared_gaussian(data):
    X, y = data
    model = NearestClassCenter().fit(X, y)
    variance = np.mean((X - means(X, y)[y]) ** 2)
    logits = -(distances(X, means(X, y)) ** 2) / (2 * variance)
    expected = np.exp(logits - logits.max(axis=1)[:, None])
    expected /= expected.sum(axis=1)[:, None]
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=LOOSE, atol=1e-15)


def test_probabilities_without_variance():
    model = NearestClassCenter().fit([[0.0, 0], [1, 0], [1, 0]], [0, 1, 1])
    found = model.predict_proba([[0.2, 0.0], [0.5, 0.0], [5.0, 0.0]])
    assert found.tolist() == [[1, 0], [0.5, 0.5], [0, 1]]


def test_probabilities_far_away(data):
    X, y = data
    found = NearestClassCenter().fit(X, y).predict_proba(X * 1e6)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_names_of_distances(data):
    X, y = data
    names = NearestClassCenter().fit(X, y).get_feature_names_out()
    assert names.tolist() == [f"nearestclasscenter{k}" for k in range(6)]


def test_iris():
    X, y = load_iris(return_X_y=True)
    assert NearestClassCenter().fit(X, y).score(X, y) == pytest.approx(139 / 150)


# Agreement ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def head(data):
    return LogisticRegression(max_iter=500).fit(*data)


@each_metric
@pytest.mark.parametrize("labeled", [True, False])
@pytest.mark.parametrize("strings", [True, False])
def test_agreement(data, metric, labeled, strings):
    X, y = data
    if strings:
        y = np.array(["f", "b", "d", "a", "c", "e"])[y]
    head = LogisticRegression(max_iter=500).fit(X, y)
    model = NearestClassCenter(metric).fit(X, y)
    found = model.agreement(X, head, y if labeled else None)
    chosen, nearest = head.predict(X), model.predict(X)
    assert found.rate == np.mean(chosen == nearest)
    assert found.mismatch == pytest.approx(np.mean(chosen != nearest), abs=1e-15)
    np.testing.assert_array_equal(found.classes, np.unique(y))
    np.testing.assert_array_equal(
        found.contingency.toarray(), confusion_matrix(chosen, nearest)
    )
    by = y if labeled else chosen
    expected = [np.mean((chosen == nearest)[by == label]) for label in np.unique(y)]
    np.testing.assert_allclose(found.per_class, expected, rtol=TIGHT)
    assert found.head_accuracy == (head.score(X, y) if labeled else None)
    assert found.ncc_accuracy == (model.score(X, y) if labeled else None)


def test_agreement_of_a_mean_head(data):
    # argmax of <x, mu_k> - |mu_k|^2 / 2 is the nearest center.
    X, y = data
    model = NearestClassCenter().fit(X, y)
    centers = model.class_means_
    found = model.agreement(X, (centers, -np.sum(centers**2, axis=1) / 2), y)
    assert (found.rate, found.mismatch) == (1, 0)
    assert found.ncc_accuracy == found.head_accuracy == model.score(X, y)
    np.testing.assert_array_equal(found.per_class, 1)
    recall = recall_score(y, model.predict(X), average=None)
    assert found.contingency.sum() == len(y)
    assert np.all(recall <= 1)


def test_agreement_equals_nc4(data, head):
    X, y = data
    found = NearestClassCenter().fit(X, y).agreement(X, head, y)
    report = NeuralCollapseAnalyzer(head=head).fit(X, y).score(X, y)
    assert found.mismatch == pytest.approx(report.nc4_mismatch, abs=1e-15)
    assert found.head_accuracy == pytest.approx(report.nc4_head_accuracy, abs=1e-15)
    assert found.ncc_accuracy == pytest.approx(report.nc4_ncc_accuracy, abs=1e-15)
    np.testing.assert_allclose(1 - found.per_class, report.per_class["mismatch"], 1e-12)


def test_agreement_of_some_classes(data, head):
    X, y = data
    model = NearestClassCenter().fit(X, y)
    kept = y < 3
    found = model.agreement(X[kept], head, y[kept])
    assert np.isnan(found.per_class).tolist() == [False] * 3 + [True] * 3
    assert found.contingency.shape == (6, 6)


def test_agreement_as_text(data, head):
    X, y = data
    model = NearestClassCenter().fit(X, y)
    found = model.agreement(X, head)
    assert str(found) == f"agreement {found.rate:.4f}, mismatch {found.mismatch:.4f}"
    found = model.agreement(X, head, y)
    assert str(found).endswith(f"of head {found.head_accuracy:.4f}")


def test_agreement_is_frozen(data, head):
    found = NearestClassCenter().fit(*data).agreement(data[0], head)
    with pytest.raises(AttributeError, match="cannot assign to field 'rate'"):
        found.rate = 1.0
    again = pickle.loads(pickle.dumps(found))
    assert again.rate == found.rate
    assert (again.contingency != found.contingency).nnz == 0


# Classes without samples --------------------------------------------------------


@each_metric
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_unobserved_classes_are_never_chosen(data, metric, dtype):
    X, y = data
    X = X.astype(dtype)
    labels = 2 * y + 1  # so that every other class has no sample
    model = NearestClassCenter(metric).partial_fit(X, labels, classes=range(13))
    plain = NearestClassCenter(metric).fit(X, labels)
    far = np.vstack([X, 0 * X[:1] + 1e-3, -50 * X])
    np.testing.assert_array_equal(model.predict(far), plain.predict(far))
    seen, empty = list(range(1, 13, 2)), list(range(0, 13, 2))
    proba = model.predict_proba(far)
    assert proba.shape == (len(far), 13)
    assert (proba[:, empty] == 0).all()
    np.testing.assert_allclose(proba[:, seen], plain.predict_proba(far), rtol=SINGLE)
    assert (model.decision_function(far)[:, empty] == -np.inf).all()
    assert (model.transform(far)[:, empty] == np.inf).all()
    np.testing.assert_allclose(
        model.transform(far)[:, seen], plain.transform(far), 1e-6
    )
    assert len(model.get_feature_names_out()) == 13
    assert np.isnan(model.class_means_[empty]).all()
    assert model.score(X, labels) == plain.score(X, labels)


@each_metric
def test_one_of_two_classes_has_samples(metric):
    model = NearestClassCenter(metric)
    model.partial_fit([[1.0, 2.0], [2.0, 1.0]], [1, 1], classes=[0, 1])
    X = [[-5.0, 3.0], [1.0, 1.0]]
    assert model.predict(X).tolist() == [1, 1]
    assert (model.decision_function(X) > 0).all()
    np.testing.assert_array_equal(model.predict_proba(X), [[0, 1], [0, 1]])


@each_metric
def test_one_class(metric):
    model = NearestClassCenter(metric).fit([[1.0, 2.0], [2.0, 1.0]], ["a", "a"])
    assert model.predict([[0.0, 1.0]]).tolist() == ["a"]
    assert model.predict_proba([[0.0, 1.0]]).tolist() == [[1.0]]
    assert model.score([[0.0, 1.0]], ["a"]) == 1


# State --------------------------------------------------------------------------


@each_metric
def test_from_statistics(data, metric):
    X, y = data
    analyzer = NeuralCollapseAnalyzer().fit(X, y)
    model = NearestClassCenter.from_statistics(analyzer.statistics_, metric=metric)
    plain = NearestClassCenter(metric).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    assert model.n_features_in_ == 8
    assert model.metric == metric
    assert model.n_samples_seen_ == 400
    # It goes on by itself.
    before = analyzer.class_means_.copy()
    model.partial_fit(X + 3, y)
    np.testing.assert_array_equal(analyzer.class_means_, before)
    assert analyzer.n_samples_seen_ == 400
    assert analyzer.statistics_.moments.scatter is not None


def test_from_statistics_of_an_unknown_metric(data):
    statistics = NeuralCollapseAnalyzer().fit(*data).statistics_
    with pytest.raises(ValueError, match=r'"standardized" or "mahalanobis", got .l1'):
        NearestClassCenter.from_statistics(statistics, metric="l1")


@each_metric
def test_merge(data, metric):
    X, y = data
    order = np.argsort(y)  # so that each part has other classes
    parts = [
        NearestClassCenter(metric).fit(X[part], y[part])
        for part in np.array_split(order, 4)
    ]
    whole = NearestClassCenter(metric).fit(X, y)
    merged = NearestClassCenter(metric).merge(*parts)
    summed = parts[0] + parts[1] + parts[2] + parts[3]
    for model in (merged, summed):
        np.testing.assert_allclose(model.class_means_, whole.class_means_, rtol=LOOSE)
        np.testing.assert_array_equal(model.predict(X), whole.predict(X))
        assert model.n_samples_seen_ == 400
    assert parts[0].n_samples_seen_ == 100


def test_batches_make_no_difference(data):
    X, y = data
    whole = NearestClassCenter().fit(X, y)
    parts = NearestClassCenter().fit_batches(
        (X[i : i + 37], y[i : i + 37]) for i in range(0, 400, 37)
    )
    np.testing.assert_allclose(parts.class_means_, whole.class_means_, rtol=TIGHT)
    np.testing.assert_array_equal(parts.class_count_, whole.class_count_)


def test_decisions_follow_the_state(data):
    # Nothing of an earlier rule is left.
    X, y = data
    model = NearestClassCenter().fit(X, y)
    model.predict(X)
    model.partial_fit(X + 100, y)
    plain = NearestClassCenter().partial_fit(X, y).partial_fit(X + 100, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    model.set_params(metric="cosine")
    plain = NearestClassCenter("cosine").partial_fit(X, y).partial_fit(X + 100, y)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_copies(data):
    X, y = data
    model = NearestClassCenter().fit(X, y)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        other.partial_fit(X + 1, y)
        assert model.n_samples_seen_ == 400


@pytest.mark.parametrize(
    ("library", "dtype"),
    [
        ("numpy", "float32"),
        pytest.param("torch", "float64", marks=pytest.mark.slow),
    ],
)
def test_three_thousand_classes(library, dtype):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(np.arange(3000), 3))
    X = (10 + rng.normal(size=(3000, 24))[y] + rng.normal(size=(9000, 24))).astype(
        dtype
    )
    features = X
    if library == "torch":
        features = pytest.importorskip("torch").as_tensor(X)
    model = NearestClassCenter().fit(features, y)
    some = rng.choice(9000, size=400, replace=False)
    expected = distances(X[some], np.asarray(model.class_means_))
    np.testing.assert_array_equal(
        np.asarray(model.predict(features[some])), expected.argmin(axis=1)
    )
    np.testing.assert_allclose(
        np.asarray(model.transform(features[some])), expected, rtol=1e-5
    )
    found = model.agreement(features, np.asarray(model.class_means_), y)
    assert found.contingency.shape == (3000, 3000)
    assert found.contingency.sum() == 9000
