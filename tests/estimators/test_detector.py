"""Detection of samples that belong to no class, and scores of theirs in batches."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from toys import around, toy

from sknc import NeuralCollapseAnalyzer, OutOfDistributionDetector
from sknc.metrics import nci_scores, neco_scores


def strangers(item, n=50):
    return 2 + np.random.default_rng(4).standard_normal((n, item.X.shape[1]))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("with_head", [True, False])
def test_neco_equals_principal_components(center, with_head):
    item, Z = toy("long_tailed"), strangers(toy("long_tailed"))
    origin = item.X.mean(0) if center else 0
    axes = np.linalg.svd(item.X - origin, full_matrices=False)[2][:3]
    want = np.linalg.norm((Z - origin) @ axes.T, axis=1)
    want /= np.linalg.norm(Z - origin, axis=1)
    head = None
    if with_head:
        want *= (Z @ item.W.T + item.b).max(1)
        head = item.head
    detector = OutOfDistributionDetector(head=head, center=center, n_directions=3)
    got = detector.fit(item.X, item.y).score_samples(Z)
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_nci_equals_its_formula(torch):
    item, Z = toy("long_tailed"), strangers(toy("long_tailed"))
    rows = Z - item.X.mean(0)
    chosen = (Z @ item.W.T + item.b).argmax(1)
    want = (item.W[chosen] * rows).sum(1) / np.linalg.norm(rows, axis=1)
    want += 0.3 * np.abs(Z).sum(1)
    detector = OutOfDistributionDetector("nci", head=item.head, alpha=0.3)
    got = detector.fit(item.X, item.y).score_samples(Z)
    np.testing.assert_allclose(got, want, rtol=1e-9)
    predicted = detector.predict(item.X)
    assert set(predicted) == {-1, 1}
    tensors = torch.asarray(item.X), torch.asarray(item.y)
    found = detector.fit(*tensors).score_samples(torch.asarray(Z))
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-9)
    np.testing.assert_array_equal(detector.predict(tensors[0]).numpy(), predicted)


def test_contamination_is_the_share_of_outliers():
    item = toy("long_tailed")
    for share in (0.05, 0.2, 0.5):
        detector = OutOfDistributionDetector(contamination=share, n_directions=2)
        found = detector.fit_predict(item.X, item.y)
        assert abs(np.sum(found == -1) - share * len(found)) <= 1


def test_a_pipeline_ends_in_it():
    X, y = load_digits(return_X_y=True)
    known = y < 7
    detector = OutOfDistributionDetector(contamination=0.1)
    model = make_pipeline(StandardScaler(), PCA(40), detector).fit(X[known], y[known])
    area = roc_auc_score(known, model.score_samples(X))
    assert area > 0.75
    assert detector.n_directions_ == 6
    assert abs(np.sum(model.predict(X[known]) == -1) - 0.1 * known.sum()) <= 1


def test_without_labels_directions_have_most_of_the_variance():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4)) * [9, 8, 1, 0.5]
    assert OutOfDistributionDetector().fit(X).n_directions_ == 2


def test_a_sample_at_the_mean_is_outside():
    item = around(np.eye(3) * 5, 40, 0.1)
    detector = OutOfDistributionDetector().fit(item.X, item.y)
    mean = item.X.mean(0)[None]
    assert detector.score_samples(mean)[0] < 1
    assert neco_scores(detector.statistics_, mean).shape == (1,)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "knn"}, '^method must be "neco" or "nci", got'),
        ({"method": "nci"}, '^head must be a linear head with method="nci", got None'),
        ({"contamination": 0.7}, r"^contamination must be in \(0, 0.5\], got 0.7"),
        ({"n_directions": 9}, "^n_directions must be an integer in 1, ..., 5, or"),
        ({"alpha": -1}, "^alpha must be a number of at least 0"),
    ],
)
def test_refused_parameters(options, text):
    item = toy("long_tailed")
    with pytest.raises(ValueError, match=text):
        OutOfDistributionDetector(**options).fit(item.X, item.y)


def test_a_head_needs_labels():
    item = toy("long_tailed")
    with pytest.raises(ValueError, match=r"^A head requires the classes of its rows:"):
        OutOfDistributionDetector(head=item.head).fit(item.X)
    detector = OutOfDistributionDetector().fit(item.X, item.y)
    with pytest.raises(ValueError, match="alpha must be"):
        nci_scores(detector.statistics_, item.X, None, alpha=np.nan)


@parametrize_with_checks([OutOfDistributionDetector()])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_the_analyzer_has_the_same_variants():
    item, Z = toy("long_tailed"), strangers(toy("long_tailed"))
    analyzer = NeuralCollapseAnalyzer(item.head).fit(item.X, item.y)
    options = {"n_directions": 3, "center": False}
    detector = OutOfDistributionDetector(head=item.head, **options)
    want = detector.fit(item.X, item.y).score_samples(Z)
    got = analyzer.neco_score(Z, times_max_logit=True, **options)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    analyzer.set_params(head=None)
    with pytest.raises(ValueError, match="a linear head with times_max_logit=True"):
        analyzer.neco_score(Z, times_max_logit=True)


# NC5 by batch and by class -----------------------------------------------------------


def test_batches_give_the_same_as_all_at_once():
    item, Z = toy("long_tailed"), strangers(toy("long_tailed"))
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    parts = [(Z[:20], np.zeros(20)), (Z[20:21], [0]), (Z[21:], np.arange(29))]
    got, want = analyzer.score_ood_batches(parts), analyzer.score_ood(Z)
    assert got == pytest.approx(want, rel=1e-12)
    with pytest.raises(ValueError, match="score_ood_batches got an iterable without"):
        analyzer.score_ood_batches([])


def test_mean_of_class_means():
    item, Z = toy("long_tailed"), strangers(toy("long_tailed"))
    y = np.repeat([0, 1, 2], [30, 15, 5])
    mean = np.mean([Z[y == k].mean(0) for k in range(3)], axis=0)
    means = item.class_means
    cosines = means @ mean / np.linalg.norm(means, axis=1) / np.linalg.norm(mean)
    found = NeuralCollapseAnalyzer().fit(item.X, item.y).score_ood(Z, y)
    assert found["nc5_orthogonality"] == pytest.approx(abs(cosines).mean(), rel=1e-9)


def blobs(n_classes, width, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), 50)
    X = 6 * rng.standard_normal((n_classes, width))[y]
    return X + rng.standard_normal(X.shape), y, rng


@pytest.mark.parametrize("width", [8, 9, 10])
def test_some_direction_is_left_with_many_classes(width):
    X, y, rng = blobs(10, width)
    detector = OutOfDistributionDetector().fit(X, y)
    assert detector.n_directions_ < width
    assert np.ptp(detector.score_samples(100 * rng.standard_normal((100, width)))) > 0.1
    with pytest.raises(
        ValueError, match=rf"n_directions must be .* 1, ..., {width - 1}"
    ):
        OutOfDistributionDetector(n_directions=width).fit(X, y)


def test_single_feature_is_refused():
    with pytest.raises(ValueError, match=r"Found 1 feature\(s\), all of which lie"):
        OutOfDistributionDetector().fit(np.arange(9.0)[:, None], np.arange(9) % 3)


def test_fitted_head_is_cloned_with_its_fit():
    X, y, _ = blobs(3, 6)
    detector = OutOfDistributionDetector(head=LogisticRegression().fit(X, y))
    copied = clone(detector).fit(X, y)
    np.testing.assert_array_equal(
        copied.score_samples(X), detector.fit(X, y).score_samples(X)
    )


def test_negative_logits_are_refused():
    X, y, _ = blobs(3, 6)
    weights = np.eye(3, 6)
    with pytest.raises(ValueError, match="largest logit is negative for most of the"):
        OutOfDistributionDetector(head=(weights, np.full(3, -1e3))).fit(X, y)


def test_failed_fit_leaves_the_earlier_one():
    X, y, _ = blobs(3, 6)
    detector = OutOfDistributionDetector("nci", head=np.eye(3, 6)).fit(X, y)
    before = detector.score_samples(X)
    with pytest.raises(ValueError, match="but there are 4 classes of 6 features"):
        detector.fit(X + 50, np.arange(150) % 4)
    np.testing.assert_array_equal(detector.score_samples(X), before)
