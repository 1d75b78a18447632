"""Samples from elsewhere: `score_ood` and `neco_score` of the analyzer."""

import dataclasses
import math

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from strategies import rotations
from tolerances import CLOSE, LOOSE, TIGHT
from toys import collapsed, toy

from sknc import NeuralCollapseAnalyzer

KEYS = ("nc5_orthogonality", "nc5_orthogonality_centered", "nc5_neco")
NAMES = ("random_balanced", "long_tailed", "two_classes", "labels_strings")


def strangers(item, n_samples=40):
    shape = (n_samples, item.X.shape[1])
    return 2 * np.random.default_rng(9).standard_normal(shape) + 1


def formulas(X, y, Z, center="class"):
    """Return the three numbers from samples, by singular vectors of all samples."""
    labels = np.unique(y)
    means = np.array([X[y == k].mean(0) for k in labels])
    mean = X.mean(0) if center == "sample" else means.mean(0)

    def cosines(rows, v):
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(v)
        return np.mean(abs(rows @ v) / lengths)

    d = min(len(labels) - 1, X.shape[1])
    directions = np.linalg.svd(X - X.mean(0), full_matrices=False)[2][:d]
    gaps = Z - X.mean(0)
    scores = np.linalg.norm(gaps @ directions.T, axis=1) / np.linalg.norm(gaps, axis=1)
    v = Z.mean(0)
    return {
        "nc5_orthogonality": cosines(means, v),
        "nc5_orthogonality_centered": cosines(means - mean, v - mean),
        "nc5_neco": scores.mean(),
    }, scores


@pytest.fixture(scope="module")
def digits():
    """Half of the digits to fit, the other half, and that half with pixels moved."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    pixels = np.random.default_rng(1)
    shuffled = np.array([pixels.permutation(row) for row in X[900:]])
    return X[:900], y[:900], X[900:], shuffled


def test_neco_tells_digits_from_shuffled_pixels(digits):
    X, y, inside, outside = digits
    analyzer = NeuralCollapseAnalyzer().fit(X, y)
    scores = np.concatenate([analyzer.neco_score(Z) for Z in (inside, outside)])
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    assert roc_auc_score(truth, scores) > 0.9
    assert ((scores >= 0) & (scores <= 1)).all()
    means = [analyzer.score_ood(Z)["nc5_neco"] for Z in (inside, outside)]
    assert means[0] > means[1] + 0.1
    assert means == pytest.approx(
        [scores[truth == 1].mean(), scores[truth == 0].mean()]
    )


@pytest.mark.parametrize("name", NAMES)
def test_formulas(name):
    item = toy(name)
    Z = strangers(item)
    for preset, center in (("default", "class"), ("frequency", "sample")):
        analyzer = NeuralCollapseAnalyzer(convention=preset).fit(item.X, item.y)
        want, scores = formulas(item.X, item.y, Z, center)
        got = analyzer.score_ood(Z)
        assert tuple(got) == KEYS
        assert got == pytest.approx(want, rel=LOOSE)
        assert analyzer.neco_score(Z) == pytest.approx(scores, rel=LOOSE)


def test_collapse():
    item = collapsed(4, 7)
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    aside = np.linalg.svd(item.X)[2][4:]
    assert analyzer.neco_score(item.X) == pytest.approx(1, rel=TIGHT)
    assert analyzer.neco_score(aside) == pytest.approx(0, abs=TIGHT)
    found = analyzer.score_ood(aside)
    assert found == pytest.approx(dict.fromkeys(KEYS, 0.0), abs=TIGHT)


@pytest.mark.parametrize("n_jackknife", [0, 3])
def test_batches(n_jackknife):
    item = toy("long_tailed")
    Z = strangers(item)
    want = formulas(item.X, item.y, Z)
    analyzer = NeuralCollapseAnalyzer(n_jackknife=n_jackknife)
    for start in range(0, len(item.X), 97):
        part = slice(start, start + 97)
        analyzer.partial_fit(item.X[part], item.y[part])
    assert analyzer.score_ood(Z) == pytest.approx(want[0], rel=LOOSE)
    pieces = np.concatenate(
        [analyzer.neco_score(Z[i : i + 7]) for i in range(0, 40, 7)]
    )
    assert pieces == pytest.approx(want[1], rel=LOOSE)


def test_weights_are_repetitions():
    item = toy("random_balanced")
    repeats, Z = 1 + np.arange(len(item.X)) % 3, strangers(item)
    analyzer = NeuralCollapseAnalyzer()
    analyzer.fit(item.X, item.y, sample_weight=repeats.astype(float))
    X, y = np.repeat(item.X, repeats, 0), np.repeat(item.y, repeats)
    want, scores = formulas(X, y, Z)
    assert analyzer.score_ood(Z) == pytest.approx(want, rel=LOOSE)
    assert analyzer.neco_score(Z) == pytest.approx(scores, rel=LOOSE)


def test_unobserved_classes_take_no_part():
    item = toy("random_balanced")
    Z = strangers(item)
    analyzer = NeuralCollapseAnalyzer()
    analyzer.partial_fit(item.X, 2 * item.y, classes=np.arange(10))
    want, scores = formulas(item.X, item.y, Z)
    assert analyzer.score_ood(Z) == pytest.approx(want, rel=LOOSE)
    assert analyzer.neco_score(Z) == pytest.approx(scores, rel=LOOSE)


def test_invariances():
    item = toy("random_balanced")
    Z, turn = strangers(item), 3 * rotations(7, 1)
    plain = NeuralCollapseAnalyzer().fit(item.X, item.y)
    turned = NeuralCollapseAnalyzer().fit(item.X @ turn, item.y)
    want = plain.score_ood(Z)
    assert turned.score_ood(Z @ turn) == pytest.approx(want, rel=CLOSE)
    moved = NeuralCollapseAnalyzer().fit(item.X + 5, item.y)
    got = moved.score_ood(Z + 5)
    for key in KEYS[1:]:
        assert got[key] == pytest.approx(want[key], rel=CLOSE)
    # Nothing is centered in the published one.
    assert abs(got[KEYS[0]] - want[KEYS[0]]) > 0.1


def test_what_was_asked_for_does_not_matter():
    item = toy("random_balanced")
    Z = strangers(item)
    for metrics in ("default", "all", ["nc1_cdnv"]):
        analyzer = NeuralCollapseAnalyzer(metrics=metrics).fit(item.X, item.y)
        assert tuple(analyzer.score_ood(Z)) == KEYS
        assert not {*KEYS} & {*analyzer.score(item.X, item.y)}


def test_the_state_stays():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    before = analyzer.report().to_dict()
    analyzer.score_ood(strangers(item))
    analyzer.neco_score(strangers(item))
    assert analyzer.report().to_dict() == before
    assert analyzer.n_samples_seen_ == len(item.X)


# Kinds of arrays -------------------------------------------------------------------


def test_torch(torch):
    item = toy("long_tailed")
    Z = strangers(item)
    analyzer = NeuralCollapseAnalyzer()
    analyzer.fit(torch.asarray(item.X), torch.asarray(item.y))
    want, scores = formulas(item.X, item.y, Z)
    assert analyzer.score_ood(torch.asarray(Z)) == pytest.approx(want, rel=LOOSE)
    got = analyzer.neco_score(torch.asarray(Z))
    assert isinstance(got, torch.Tensor)
    assert got.numpy() == pytest.approx(scores, rel=LOOSE)
    leaf = torch.asarray(Z).float().requires_grad_()
    assert not analyzer.neco_score(leaf).requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_other_dtypes(dtype):
    item = toy("random_balanced")
    X, Z = (8 * A for A in (item.X, strangers(item)))
    X, Z = X.astype(dtype), Z.astype(dtype)
    wide = dataclasses.replace(item, X=X.astype(float))
    analyzer = NeuralCollapseAnalyzer().fit(X, item.y)
    want, scores = formulas(wide.X, item.y, Z.astype(float))
    assert analyzer.score_ood(Z) == pytest.approx(want, rel=1e-5)
    assert analyzer.neco_score(Z) == pytest.approx(scores, rel=1e-5)


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    item = toy("random_balanced")
    names = [f"f{i}" for i in range(7)]
    Z = strangers(item)
    analyzer = NeuralCollapseAnalyzer()
    analyzer.fit(pandas.DataFrame(item.X, columns=names), item.y)
    want, scores = formulas(item.X, item.y, Z)
    frame = pandas.DataFrame(Z, columns=names)
    assert analyzer.score_ood(frame) == pytest.approx(want, rel=LOOSE)
    assert analyzer.neco_score(frame) == pytest.approx(scores, rel=LOOSE)
    with pytest.raises(ValueError, match="feature names"):
        analyzer.score_ood(frame[names[::-1]])


# Bad input -------------------------------------------------------------------------

METHODS = ("score_ood", "neco_score")


@pytest.mark.parametrize("method", METHODS)
def test_bad_input(method):
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    call = getattr(analyzer, method)
    spoiled = strangers(item)
    for value, match in ((np.nan, "NaN"), (np.inf, "infinity")):
        spoiled[3, 2] = value
        with pytest.raises(ValueError, match=match):
            call(spoiled)
    with pytest.raises(ValueError, match="features"):
        call(np.ones((4, 6)))
    with pytest.raises(ValueError, match="2D"):
        call(np.ones(7))
    with pytest.raises(ValueError, match="sample"):
        call(np.empty((0, 7)))
    with pytest.raises((ValueError, TypeError)):
        call([["a"] * 7])


@pytest.mark.parametrize("method", METHODS)
def test_not_fitted(method):
    with pytest.raises(NotFittedError, match="not fitted"):
        getattr(NeuralCollapseAnalyzer(), method)(np.ones((3, 2)))


@pytest.mark.parametrize("method", METHODS)
def test_another_library(method, torch):
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    with pytest.raises(ValueError, match="same namespace and device"):
        getattr(analyzer, method)(torch.asarray(item.X))


@pytest.mark.parametrize("method", METHODS)
def test_one_class(method):
    X = np.random.default_rng(0).standard_normal((6, 2))
    analyzer = NeuralCollapseAnalyzer().fit(X, np.zeros(6, int))
    with pytest.raises(ValueError, match="2 classes"):
        getattr(analyzer, method)(X)


def test_without_scatter():
    item = toy("random_balanced")
    analyzer = NeuralCollapseAnalyzer(covariance=False).fit(item.X, item.y)
    assert tuple(analyzer.score_ood(strangers(item))) == KEYS[:2]
    with pytest.raises(ValueError, match="covariance=True"):
        analyzer.neco_score(strangers(item))


def test_a_sample_at_the_mean_has_no_score():
    X = np.array([[2.0, 0], [4, 0], [-2, 0], [-4, 0]])
    analyzer = NeuralCollapseAnalyzer().fit(X, np.array([0, 0, 1, 1]))
    scores = analyzer.neco_score(np.array([[0.0, 0], [3, 4]]))
    assert math.isnan(scores[0])
    assert scores[1] == pytest.approx(0.6, rel=1e-14)
