"""Every kind of head, its classes, and its decisions."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.svm import LinearSVC
from tables import each
from tolerances import TIGHT

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

CLASSIFIERS = [
    LogisticRegression(max_iter=500),
    LogisticRegression(fit_intercept=False, max_iter=500),
    SGDClassifier(random_state=0),
    LinearDiscriminantAnalysis(),
    RidgeClassifier(),
    Perceptron(random_state=0),
    LinearSVC(random_state=0),
]
HEAD_KEYS = {
    "nc0_weight_sum",
    "nc2_cos_std_head",
    "nc2_equiangular_head",
    "nc2_equinorm_head",
    "nc2_etf_head",
    "nc3_cosine",
    "nc3_self_duality",
    "nc3_structure",
    "nc4_bias_collapse",
    "nc4_head_accuracy",
    "nc4_mismatch",
}


def blobs(n_classes, n=300, std=4.0):
    X, y = make_blobs(
        n, n_features=6, centers=n_classes, cluster_std=std, random_state=0
    )
    return X, y


def scored(head, X, y):
    return NeuralCollapseAnalyzer(head=head).fit(X, y).score(X, y)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], 1e-9, 1e-12, err_msg=key)


# scikit-learn -------------------------------------------------------------------


@each("n_classes", [2, 3, 6])
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=repr)
@each("strings", [False, True])
def test_decisions_are_those_of_the_classifier(classifier, n_classes, strings):
    X, y = blobs(n_classes)
    if strings:
        y = np.array(["elk", "ant", "dog", "bee", "fox", "cat"])[y]
    classifier = classifier.fit(X, y)
    report = scored(classifier, X, y)
    assert report.nc4_head_accuracy == pytest.approx(classifier.score(X, y), abs=1e-15)
    nearest = NearestClassCenter().fit(X, y)
    predicted = classifier.predict(X)
    mismatch = np.mean(predicted != nearest.predict(X))
    assert report.nc4_mismatch == pytest.approx(mismatch, abs=1e-15)
    assert report.nc4_ncc_accuracy == pytest.approx(nearest.score(X, y), abs=1e-15)
    agreement = nearest.agreement(X, classifier, y)
    assert agreement.head_accuracy == pytest.approx(classifier.score(X, y), abs=1e-15)
    assert agreement.mismatch == pytest.approx(mismatch, abs=1e-15)


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=repr)
def test_every_metric_of_heads(classifier):
    X, y = blobs(4)
    report = scored(classifier.fit(X, y), X, y)
    assert set(report.keys()) >= HEAD_KEYS
    assert np.isfinite([report[key] for key in HEAD_KEYS]).all()


def test_without_a_head():
    X, y = blobs(4)
    analyzer = NeuralCollapseAnalyzer().fit(X, y)
    assert not HEAD_KEYS & set(analyzer.score(X, y).keys())
    assert not HEAD_KEYS & set(analyzer.report().keys())


def test_one_row_becomes_two_opposite_halves():
    X, y = blobs(2)
    head = LogisticRegression().fit(X, y)
    W, b = head.coef_, head.intercept_
    pair = (np.vstack([-W / 2, W / 2]), np.hstack([-b / 2, b / 2]))
    assert_same(scored(head, X, y), scored(pair, X, y))
    assert_same(scored((W, b), X, y), scored(pair, X, y))
    assert scored(W, X, y).nc0_weight_sum == pytest.approx(0, abs=1e-15)


def test_ties_of_one_row_go_to_the_first_class():
    # scikit-learn decides for the second class only where the score is positive.
    X, y = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), np.array([1, 0, 0, 0])
    report = scored(np.array([[1.0, 0.0]]), X, y)
    assert report.nc4_head_accuracy == 1


# Arrays -------------------------------------------------------------------------


def test_forms_of_one_head():
    X, y = blobs(5)
    head = LogisticRegression(max_iter=500).fit(X, y)
    W, b = head.coef_, head.intercept_
    expected = scored(head, X, y)
    for form in (
        (W, b),
        [W, b],
        (W.tolist(), b.tolist()),
        (W, b[:, None]),
        (W, b[None]),
    ):
        assert_same(scored(form, X, y), expected)
    frozen = W.copy()
    frozen.setflags(write=False)
    assert_same(scored((frozen, b), X, y), expected)
    assert_same(scored((np.asfortranarray(W), b), X, y), expected)


def test_without_a_bias():
    X, y = blobs(5)
    W = LogisticRegression(max_iter=500).fit(X, y).coef_
    bare, pair, zero = (scored(head, X, y) for head in (W, (W, None), (W, np.zeros(5))))
    assert_same(bare, pair)
    assert "nc4_bias_collapse" not in bare
    assert "nc4_bias_collapse" in zero
    for key in bare:
        assert bare[key] == pytest.approx(zero[key], rel=TIGHT)


def test_the_bias_counts():
    X, y = blobs(3)
    W = LogisticRegression(max_iter=500).fit(X, y).coef_
    tilted = scored((W, np.array([1e6, 0, 0])), X, y)
    assert tilted.nc4_head_accuracy == np.mean(y == 0)
    bare = np.mean((X @ W.T).argmax(axis=1) == y)
    assert bare != tilted.nc4_head_accuracy
    assert scored(W, X, y).nc4_head_accuracy == pytest.approx(bare)


def test_linear_layer():
    torch = pytest.importorskip("torch")
    X, y = blobs(5)
    for bias in (True, False):
        layer = torch.nn.Linear(6, 5, bias=bias)
        W = layer.weight.detach().numpy().astype(float)
        b = layer.bias.detach().numpy().astype(float) if bias else None
        assert_same(scored(layer, X, y), scored((W, b), X, y))
        report = scored(layer, X.astype(np.float32), y)
        assert "head_cosine" in report.per_class


def test_square_list_of_lists_is_weights():
    # Two rows of two numbers could be taken for (weights, bias).
    X = np.array([[1.0, 0.2], [0.8, 0.1], [-1.0, 0.3], [-0.7, 0.1]])
    y = np.array([0, 0, 1, 1])
    report = scored(np.array([[1.0, 0.0], [-1.0, 0.0]]), X, y)
    assert report.nc4_head_accuracy == 1
    assert "nc4_bias_collapse" not in report


# Classes ------------------------------------------------------------------------


class Head:
    """A linear classifier of any class order, as some libraries have."""

    def __init__(self, coef, intercept, classes):
        self.coef_, self.intercept_, self.classes_ = coef, intercept, classes


@pytest.mark.parametrize("strings", [False, True])
def test_order_of_the_classes_of_the_head(strings):
    X, y = blobs(5)
    if strings:
        y = np.array(["e", "a", "d", "b", "c"])[y]
    head = LogisticRegression(max_iter=500).fit(X, y)
    order = np.array([3, 0, 4, 2, 1])
    shuffled = Head(head.coef_[order], head.intercept_[order], head.classes_[order])
    assert_same(scored(shuffled, X, y), scored(head, X, y))
    listed = Head(shuffled.coef_, shuffled.intercept_, shuffled.classes_.tolist())
    assert_same(scored(listed, X, y), scored(head, X, y))


def test_head_that_knows_more_classes():
    X, y = blobs(6, std=1.0)
    head = LogisticRegression(max_iter=500).fit(X, y)
    seen = np.isin(y, [0, 2, 5])
    rows = head.coef_[[0, 2, 5]], head.intercept_[[0, 2, 5]]
    expected = scored(rows, X[seen], y[seen])
    # Without its other rows, which belong to no class that was named.
    few = NeuralCollapseAnalyzer(head=head).fit(X[seen], y[seen], classes=[0, 2, 5])
    report = few.score(X[seen], y[seen])
    assert_same(report, expected)
    assert report.notes["head"] == (
        "The head has classes without samples (3). Their rows were ignored. To include "
        "them, list all classes in classes= of fit, fit_batches or the first "
        "partial_fit."
    )
    assert "head" not in expected.notes
    # By default its classes are those of the analyzer.
    known = NeuralCollapseAnalyzer(head=head).fit(X[seen], y[seen])
    assert known.classes_.tolist() == list(range(6))
    report = known.score(X[seen], y[seen])
    assert report.nc4_head_accuracy == head.score(X[seen], y[seen])
    assert report.notes["classes"] == (
        "3 classes have no samples and were skipped, together with their rows of the "
        "head. The remaining rows cannot form a simplex, so NC0, NC3 and the head "
        "metrics stay above 0 even at collapse. In nc4_mismatch and "
        "nc4_head_accuracy, the head still chooses among all classes."
    )
    assert "head" not in report.notes
    names = np.array(list("abcdef"))[y]
    head = LogisticRegression(max_iter=500).fit(X, names)
    assert_same(scored(head, X[seen], names[seen]), report)


@pytest.mark.parametrize("to", ["numpy", "torch"])
def test_rows_of_a_head_name_the_classes(to):
    X, y = blobs(3)
    if to == "torch":
        torch = pytest.importorskip("torch")
        X, y = torch.tensor(X), torch.tensor(y)
    head = np.random.default_rng(0).normal(size=(5, 6))
    analyzer = NeuralCollapseAnalyzer(head=head).partial_fit(X[y != 1], y[y != 1])
    assert analyzer.classes_.tolist() == [0, 1, 2, 3, 4]
    analyzer.partial_fit(X[y == 1], y[y == 1])
    named = NeuralCollapseAnalyzer(head=head).fit(X, y, classes=range(5))
    assert_same(analyzer.score(X, y), named.score(X, y))
    with pytest.raises(
        ValueError,
        match=r"y has labels \[5\] that are not among the 5 classes \[0, 1, 2, 3, "
        r"4\] given by classes= or by the head\. List every class",
    ):
        analyzer.partial_fit(X, y + 3)
    parts = [
        NeuralCollapseAnalyzer(head=head).fit(X[y == k], y[y == k]) for k in (0, 2)
    ]
    assert parts[0].merge(parts[1]).classes_.tolist() == [0, 1, 2, 3, 4]


def test_one_row_names_two_classes():
    X, y = blobs(2)
    head = LogisticRegression().fit(X, y)
    for row in (head.coef_, head.coef_[0], (head.coef_, head.intercept_)):
        analyzer = NeuralCollapseAnalyzer(head=row).fit(X[y == 1], y[y == 1])
        assert analyzer.classes_.tolist() == [0, 1]


def test_labels_that_are_no_numbers_of_rows():
    X, y = blobs(3)
    head = LogisticRegression(max_iter=500).fit(X, y)
    pair = head.coef_, head.intercept_
    labels = np.array([2, 5, 7])[y]
    # As many labels as rows: rows are in their order.
    assert_same(scored(pair, X, labels), scored(pair, X, y))
    analyzer = NeuralCollapseAnalyzer(head=pair)
    with pytest.raises(
        ValueError,
        match=r"y has labels \[5\], but the head has 3 rows: expected labels from 0 "
        r"to 2, or all 3 labels in the first batch\. If its rows have other "
        r"labels, list them all: classes=\[\.\.\.\]\.$",
    ):
        analyzer.fit(X[y < 2], labels[y < 2])
    with pytest.raises(
        ValueError, match=r"labels \[-100\], but .*To drop these samples"
    ):
        analyzer.fit(X[y < 2], np.array([0, -100])[y[y < 2]])
    parts = []
    for k in range(3):
        part = NeuralCollapseAnalyzer(head=pair)
        parts.append(part.fit(X[y == k], labels[y == k], classes=[2, 5, 7]))
    merged = parts[0].merge(*parts[1:])
    assert_same(merged.score(X, labels), scored(pair, X, y))
    # Without numbers to go by, classes are those that appear.
    names = np.array(["a", "b", "c"])[y]
    for other in (names, 1.0 * labels):
        some = NeuralCollapseAnalyzer(head=pair).fit(X[y < 2], other[y < 2])
        assert some.classes_.tolist() == np.unique(other)[:2].tolist()


def test_whole_numbers_that_a_head_knows_as_floats():
    X, y = blobs(3)
    head = LogisticRegression(max_iter=500).fit(X, y.astype(float))
    analyzer = NeuralCollapseAnalyzer(head=head).fit(X[y < 2], y[y < 2])
    assert analyzer.classes_.tolist() == [0, 1, 2]
    assert analyzer.classes_.dtype == y.dtype


@pytest.mark.parametrize(
    "make",
    [
        NeuralCollapseAnalyzer,
        lambda: NeuralCollapseAnalyzer(n_jackknife=3),
        NearestClassCenter,
    ],
)
def test_fit_takes_classes(make):
    X, y = blobs(3)
    model = make().fit(X, y, classes=[0, 1, 2, 9])
    assert model.classes_.tolist() == [0, 1, 2, 9]
    assert model.class_count_.tolist() == [100, 100, 100, 0]
    with pytest.raises(ValueError, match=r"labels \[2\] that are not among"):
        make().fit(X, y, classes=[0, 1])


def test_string_labels_with_plain_weights():
    # Rows are in the order of the sorted labels.
    X, y = blobs(3)
    names = np.array(["red", "blue", "green"])
    head = LogisticRegression(max_iter=500).fit(X, names[y])
    pair = head.coef_, head.intercept_
    report = scored(pair, X, names[y])
    assert report.nc4_head_accuracy == pytest.approx(head.score(X, names[y]), abs=1e-15)
    assert report.per_class["label"].tolist() == ["blue", "green", "red"]


@pytest.mark.parametrize("covariance", [True, False])
def test_classes_without_samples(covariance):
    X, y = blobs(4, std=1.0)
    rng = np.random.default_rng(0)
    W, b = rng.normal(size=(6, 6)), rng.normal(size=6)
    labels = np.array([0, 2, 3, 5])[y]
    analyzer = NeuralCollapseAnalyzer(head=(W, b), covariance=covariance)
    analyzer.partial_fit(X, labels, classes=range(6))
    report = analyzer.score(X, labels)
    fewer = NeuralCollapseAnalyzer(head=(W[[0, 2, 3, 5]], b[[0, 2, 3, 5]]))
    expected = fewer.fit(X, labels).score(X, labels)
    for key in expected:
        if key not in ("nc4_head_accuracy", "nc4_mismatch"):
            np.testing.assert_allclose(report[key], expected[key], 1e-9, err_msg=key)
    # The head may still decide for a class that has no samples.
    chosen = (X @ W.T + b).argmax(axis=1)
    assert np.isin(chosen, [1, 4]).any()
    assert report.nc4_head_accuracy == pytest.approx(np.mean(chosen == labels))
    nearest = NearestClassCenter.from_statistics(analyzer.statistics_)
    mismatch = np.mean(chosen != nearest.predict(X))
    assert report.nc4_mismatch == pytest.approx(mismatch)
    assert nearest.agreement(X, (W, b)).mismatch == pytest.approx(mismatch)
    assert report.n_classes == 4
    assert "2 classes have no samples" in report.notes["classes"]


def test_two_classes_named_and_one_row():
    X, y = blobs(2)
    head = LogisticRegression().fit(X, y)
    analyzer = NeuralCollapseAnalyzer(head=head)
    for part in np.array_split(np.argsort(y), 10):
        analyzer.partial_fit(X[part], y[part], classes=[0, 1])
    report = analyzer.score(X, y)
    assert report.nc4_head_accuracy == pytest.approx(head.score(X, y), abs=1e-15)


def test_head_is_read_when_a_report_is_made():
    X, y = blobs(4)
    W = LogisticRegression(max_iter=500).fit(X, y).coef_.copy()
    analyzer = NeuralCollapseAnalyzer(head=W).fit(X, y)
    before = analyzer.report()
    W *= -1
    after = analyzer.report()
    assert after.nc3_cosine != before.nc3_cosine
    assert before.nc3_cosine == analyzer.set_params(head=-W).report().nc3_cosine
    analyzer.set_params(head=None)
    assert "nc3_cosine" not in analyzer.report()


def test_head_of_means_is_dual():
    X, y = blobs(4)
    analyzer = NeuralCollapseAnalyzer().fit(X, y)
    centered = analyzer.class_means_ - analyzer.global_mean_
    report = analyzer.set_params(head=3 * centered).report()
    assert report.nc3_self_duality == pytest.approx(0, abs=TIGHT)
    assert report.nc3_cosine == pytest.approx(0, abs=TIGHT)
    np.testing.assert_allclose(report.per_class["head_cosine"], 1, rtol=TIGHT)


def test_weighted_decisions():
    X, y = blobs(3)
    head = LogisticRegression(max_iter=500).fit(X, y)
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    analyzer = NeuralCollapseAnalyzer(head=head).fit(X, y, weights)
    report = analyzer.score(X, y, sample_weight=weights)
    expected = head.score(X, y, sample_weight=weights)
    assert report.nc4_head_accuracy == pytest.approx(expected, rel=TIGHT)
