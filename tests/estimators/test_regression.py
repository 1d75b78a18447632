"""`NeuralRegressionCollapse`: inputs, heads, held-out samples, merging, tensors."""

import pickle
import threading

import numpy as np
import pytest
import regression_references as references
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVR

from sknc import (
    LinearHead,
    NeuralCollapseAnalyzer,
    NeuralRegressionCollapse,
    NRCReport,
)

X, Y, W, b = references.samples(0, 120)
TRAIN, TEST = slice(0, 80), slice(80, 120)


def estimator(head=(W, b), **options):
    return NeuralRegressionCollapse(head, metrics="all", **options)


def assert_same(found, expected, rel=1e-10):
    assert found.keys() == expected.keys()
    assert found.to_dict() == pytest.approx(expected.to_dict(), rel=rel, abs=1e-13)


# Reports ----------------------------------------------------------------------


def test_report_has_the_values_of_the_functions():
    report = estimator().fit(X, Y).report()
    for key, reference in references.REFERENCES.items():
        assert report[key] == pytest.approx(reference(X, Y, W, b), rel=1e-9), key
    assert float(report) == 1 - report.nrc1
    assert report.n_samples == 120
    assert (report.n_features, report.n_targets) == (8, 3)
    values = np.linalg.eigvalsh(references.covariance_of(Y))
    assert report.least_target_variance == pytest.approx(values[0])
    spectrum = np.linalg.eigvalsh(references.covariance_of(X))[::-1]
    ratio = report.explained_variance_ratio
    np.testing.assert_allclose(ratio, spectrum / spectrum.sum(), 1e-9)
    explained = r2_score(Y, X @ W.T + b, multioutput="raw_values")
    np.testing.assert_allclose(report.per_target["r2"], explained, 1e-9)
    errors = np.mean((X @ W.T + b - Y) ** 2, 0)
    np.testing.assert_allclose(report.per_target["mse"], errors, 1e-9)


def test_headline_without_and_with_a_head():
    assert NeuralRegressionCollapse().fit(X, Y).report().keys() == ["nrc1"]
    report = NeuralRegressionCollapse((W, b)).fit(X, Y).report()
    assert report.keys() == ["nrc1", "nrc2", "nrc3", "r2"]
    without = NeuralRegressionCollapse(metrics=["NRC2", "nrc1"]).fit(X, Y).report()
    assert without.keys() == ["nrc1"]
    assert without.notes["nrc2"] == (
        "Left out. It requires a linear head: NeuralRegressionCollapse(head=...)."
    )
    assert without.gamma is None
    with pytest.raises(KeyError, match="It requires a linear head"):
        without["nrc3"]
    with pytest.raises(AttributeError, match=r"Request it: metrics=\['mse', ...\]"):
        report.mse  # noqa: B018
    with pytest.raises(KeyError, match="There is no metric 'nc1_pinv' of regression"):
        report["nc1_pinv"]
    with pytest.raises(AttributeError, match="NRCReport is read-only"):
        report.nrc1 = 0.0


def test_forms_of_a_report():
    report = estimator().fit(X, Y, np.full(120, 2.0)).report()
    text = str(report)
    assert text.startswith(
        "Neural regression collapse of 120 samples (weighted), 3 targets, 8 features "
        "(float64 on cpu)\nNRC1: features shrink to as many directions as there are"
    )
    assert f"nrc2      ↓ {report.nrc2:.6g}" in text
    assert f"gamma {report.gamma:.6g}, bounded by" in text
    assert "<code>nrc3</code>" in report._repr_html_()
    assert f"{report:.3f}" == f"{1 - report.nrc1:.3f}"
    frame = pytest.importorskip("pandas") and report.to_frame()
    assert list(frame["metric"]) == report.keys()
    again = pickle.loads(pickle.dumps(report))
    assert again.to_dict() == report.to_dict()
    assert again.gamma == report.gamma


@pytest.mark.parametrize("head", [(W, b), None])
def test_json_and_back(head):
    report = estimator(head).fit(X, Y * [1.0, 0.0, 0.0]).report()  # with notes
    text = report.to_json(indent=1)
    again = NRCReport.from_json(text)
    assert again.to_json(indent=1) == text
    assert repr(again) == repr(report)
    assert again.gamma == report.gamma
    assert dict(again.notes) == dict(report.notes)
    for key, column in report.per_target.items():
        np.testing.assert_array_equal(again.per_target[key], column)


def test_json_that_is_not_of_a_report_of_regression():
    text = estimator().fit(X, Y).report().to_json()
    of_classes = NeuralCollapseAnalyzer().fit(X, np.arange(120) % 3).report().to_json()
    for other, message in [
        ("{", "NRCReport.from_json expected the text that NRCReport.to_json returns"),
        (of_classes, "expected a report of regression. Try NCReport"),
        (
            text.replace('"schema_version": 1', '"schema_version": 9'),
            "NRCReport.from_j",
        ),
        (text.replace('"nrc1"', '"nc1"'), "damaged: 'values' cannot be read"),
        (text.replace('"n_features": 8', '"n_features": 7'), "expected 7 numbers"),
        (text.replace('"gamma"', '"delta"'), "damaged: 'gamma' cannot be read"),
    ]:
        with pytest.raises(ValueError, match=message):
            NRCReport.from_json(other)
    with pytest.raises(TypeError, match="Read a file first"):
        NRCReport.from_json(1)


def test_gamma_of_the_last_epoch_measures_the_others():
    last = estimator().fit(X, Y).report()
    fixed = estimator(gamma=last.gamma).fit(X, Y)
    assert fixed.report().nrc3 == pytest.approx(last.nrc3, rel=1e-9)
    other = np.random.default_rng(1).standard_normal(W.shape)
    found = fixed.set_params(head=other).report()
    expected = references.nrc3_at(Y, other, last.gamma)
    assert found.nrc3 == pytest.approx(expected, rel=1e-9)
    assert found.gamma == last.gamma


def test_centering_is_a_choice():
    shifted = X + 3.0
    found = estimator(center=False).fit(shifted, Y).report()
    expected = references.nrc1(shifted, Y, W, b, center=False)
    assert found.nrc1 == pytest.approx(expected, rel=1e-9)


# Held-out samples -------------------------------------------------------------


def test_score_of_fitted_samples_is_the_report():
    fitted = estimator().fit(X, Y)
    assert_same(fitted.score(X, Y), fitted.report())


def test_held_out_samples_are_measured_with_what_was_fitted():
    found = estimator().fit(X[TRAIN], Y[TRAIN]).score(X[TEST], Y[TEST])
    inside = references.directions_of(X[TRAIN], 3)
    expected = {
        "nrc1": references.outside(X[TEST], inside),
        "nrc2": references.nrc2(X[TEST], None, W, b),
        "nrc3": references.nrc3(None, Y[TRAIN], W, b),
        "deep_nrc2": references.deep_nrc2(X[TEST], Y[TEST], W, b),
        "deep_nrc3": references.deep_nrc3(X[TRAIN], Y[TRAIN], W, b),
        "mse": references.mse(X[TEST], Y[TEST], W, b),
        "r2": references.r2(X[TEST], Y[TEST], W, b),
    }
    gap = X[TEST] - X[TRAIN].mean(0)
    rest = gap - gap @ inside @ inside.T
    expected["deep_nrc1"] = np.sum(rest**2) / np.sum(gap**2)
    linear = LinearRegression().fit(X[TRAIN], Y[TRAIN])
    expected["deep_nrc4"] = np.mean((linear.predict(X[TEST]) - Y[TEST]) ** 2)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9), key
    assert found.n_samples == 40
    batches = [(X[i : i + 7], Y[i : i + 7]) for i in range(80, 120, 7)]
    fitted = estimator().fit(X[TRAIN], Y[TRAIN])
    assert_same(fitted.score_batches(batches), found)


def test_weights_of_held_out_samples_are_repetitions():
    times = np.random.default_rng(0).integers(0, 3, 40)
    fitted = estimator().fit(X[TRAIN], Y[TRAIN])
    weighted = fitted.score(X[TEST], Y[TEST], times)
    repeated = fitted.score(np.repeat(X[TEST], times, 0), np.repeat(Y[TEST], times, 0))
    assert_same(weighted, repeated)


def test_in_cross_validation():
    scores = cross_val_score(NeuralRegressionCollapse(), X, Y, cv=3)
    assert np.all((scores > 0) & (scores < 1))


# Batches and merging ----------------------------------------------------------


def test_any_cut_gives_the_same_numbers():
    whole = estimator().fit(X, Y).report()
    weights = np.random.default_rng(0).uniform(0, 2, 120)
    weights[::5] = 0
    weighted = estimator().fit(X, Y, weights).report()
    assert weighted.n_samples == 96
    for size in (1, 7, 50):
        cuts = [slice(i, i + size) for i in range(0, 120, size)]
        batched = estimator().fit_batches([(X[c], Y[c]) for c in cuts])
        assert_same(batched.report(), whole)
        each = [c for c in cuts if weights[c].any()]
        batched = estimator().fit_batches([(X[c], Y[c], weights[c]) for c in each])
        assert_same(batched.report(), weighted)
        parts = [estimator().fit(X[c], Y[c]) for c in cuts]
        assert_same(parts[0].merge(parts[1:]).report(), whole)
    assert_same(sum(estimator().fit(X[c], Y[c]) for c in cuts).report(), whole)


def test_merging_leaves_the_others_alone():
    one, other = estimator().fit(X[TRAIN], Y[TRAIN]), estimator().fit(X[TEST], Y[TEST])
    before = other.report().to_dict()
    one.merge(other)
    assert one.n_samples_seen_ == 120
    one.partial_fit(X, Y)
    assert other.report().to_dict() == before
    assert estimator().merge(one).n_samples_seen_ == 240
    with pytest.raises(TypeError, match="merge expected fitted NeuralRegressionCollap"):
        one.merge(NeuralCollapseAnalyzer())
    with pytest.raises(ValueError, match="2 targets into statistics of 3 targets"):
        one.merge(NeuralRegressionCollapse().fit(X, Y[:, :2]))


def test_threads_that_share_an_estimator():
    shared = estimator().fit(X[:1], Y[:1])
    batches = [slice(i, i + 7) for i in range(1, 120, 7)]
    threads = [
        threading.Thread(target=shared.partial_fit, args=(X[c], Y[c])) for c in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same(shared.report(), estimator().fit(X, Y).report())


def test_pickle_and_clone():
    fitted = estimator().fit(X[TRAIN], Y[TRAIN])
    again = pickle.loads(pickle.dumps(fitted))
    assert_same(again.report(), fitted.report())
    again.partial_fit(X[TEST], Y[TEST])
    assert_same(again.report(), estimator().fit(X, Y).report())
    assert fitted.n_samples_seen_ == 80
    new = clone(estimator(LinearRegression().fit(X, Y)))
    assert not hasattr(new, "_stream")
    assert new.head.coef_.shape == (3, 8)


# Inputs -----------------------------------------------------------------------


def test_one_target_of_one_or_two_axes():
    one = estimator((W[:1], b[:1])).fit(X, Y[:, 0])
    two = estimator((W[:1], b[:1])).fit(X, Y[:, :1])
    assert one.n_targets_ == 1
    assert one.report().to_dict() == two.report().to_dict()
    assert one.report().nrc2 == pytest.approx(references.outside(X, W[:1].T))
    assert_same(one.score(X.tolist(), Y[:, 0].tolist()), one.report())


def test_data_frames_and_integers():
    pandas = pytest.importorskip("pandas")
    names = [f"h{i}" for i in range(8)]
    frame, targets = pandas.DataFrame(X, columns=names), pandas.DataFrame(Y)
    fitted = estimator().fit(frame, targets)
    assert list(fitted.feature_names_in_) == names
    assert_same(fitted.report(), estimator().fit(X, Y).report())
    whole = np.round(10 * Y).astype(np.int8)
    found = estimator().fit(X, pandas.Series(whole[:, 0]).to_frame().assign(b=1, c=2))
    assert found.n_targets_ == 3


def test_attributes():
    fitted = estimator().fit(X, Y)
    joint = references.covariance_of(np.hstack([X, Y]))
    np.testing.assert_allclose(fitted.feature_covariance_, joint[:8, :8], 1e-9, 1e-12)
    np.testing.assert_allclose(fitted.cross_covariance_, joint[:8, 8:], 1e-9, 1e-12)
    np.testing.assert_allclose(fitted.target_covariance_, joint[8:, 8:], 1e-9, 1e-12)
    np.testing.assert_allclose(fitted.feature_mean_, X.mean(0), 1e-12)
    np.testing.assert_allclose(fitted.target_mean_, Y.mean(0), 1e-12, 1e-14)
    with pytest.raises(ValueError, match="read-only"):
        fitted.target_covariance_[0, 0] = 1


def malformed():
    """Yield changes of a batch, and what is said of it."""
    yield lambda: (X, None), "requires y to be passed, but the target y is None"
    match = "expected 120 rows of targets, one for each row of X, got 119"
    yield lambda: (X, Y[:-1]), match
    yield lambda: (X, Y * np.nan), "y contains NaN or infinity: expected finite"
    yield lambda: (X * np.nan, Y), "Input X contains NaN or infinity"
    yield lambda: (X, Y.astype(str)), "y must be real numbers, one row of targets per"
    yield lambda: (X, Y.astype(complex)), "y must be real numbers"
    yield lambda: (X, Y[:, :, None]), r"y must be of shape \(n_samples,\) or"
    yield lambda: (X[:, 0], Y), "Expected 2D array"
    yield lambda: (X, Y[:, :2]), "y has 2 targets, but the samples so far have 3"
    yield lambda: (X[:, :5], Y), "X has 5 features"
    yield lambda: (X, Y, -np.ones(120)), "sample_weight has negative values"


@pytest.mark.parametrize(("make", "message"), list(malformed()))
def test_a_malformed_batch_changes_nothing(make, message):
    fitted = estimator().fit(X, Y)
    before = fitted.report().to_dict()
    with pytest.raises(ValueError, match=message):
        fitted.partial_fit(*make())
    assert fitted.report().to_dict() == before
    with pytest.raises(ValueError, match=message):
        fitted.score(*make())
    with pytest.raises(ValueError, match=f"{message}.*This was batch 1"):
        fitted.fit_batches([(X, Y), make()])
    assert fitted.report().to_dict() == before


def test_parameters_are_checked():
    for options, message in [
        ({"gamma": -1}, 'gamma must be "best" or a number of at least 0, got -1'),
        ({"gamma": "worst"}, 'gamma must be "best" or a number'),
        ({"center": "yes"}, "center must be True or False"),
        ({"metrics": "NC1"}, 'metrics must be "default", "all", or a list'),
    ]:
        with pytest.raises(ValueError, match=message):
            NeuralRegressionCollapse(**options).fit(X, Y)
    with pytest.raises(NotFittedError):
        estimator().report()
    with pytest.raises(NotFittedError):
        estimator().score(X, Y)
    with pytest.raises(ValueError, match="fit_batches got an iterable without batches"):
        estimator().fit_batches([])
    with pytest.raises(ValueError, match="score_batches got an iterable without batch"):
        estimator().fit(X, Y).score_batches([])


# Heads ------------------------------------------------------------------------


def test_heads_of_scikit_learn():
    for model in (LinearRegression(), Ridge(fit_intercept=False)):
        head = model.fit(X, Y)
        found = estimator(head).fit(X, Y).report()
        assert found.r2 == pytest.approx(
            r2_score(Y, head.predict(X), multioutput="variance_weighted"), rel=1e-9
        )
    for model in (Ridge(), SVR(kernel="linear")):
        head = model.fit(X, Y[:, 0])
        found = estimator(head).fit(X, Y[:, 0]).report()
        assert found.r2 == pytest.approx(head.score(X, Y[:, 0]), rel=1e-6)
    whole = LinearHead(W, b)
    assert_same(estimator(whole).fit(X, Y).report(), estimator().fit(X, Y).report())
    assert estimator(W).fit(X, Y).report().r2 == pytest.approx(
        references.r2(X, Y, W, 0), rel=1e-9
    )


def test_heads_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(8, 3\).*expected \(3, 8\).*transposed"):
        estimator(W.T).fit(X, Y)
    with pytest.raises(ValueError, match=r"2 targets of 8 features: expected \(2, 8\)"):
        estimator().fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="bias of 2 entries and weights of 3 rows"):
        estimator((W, b[:2])).fit(X, Y)
    classifier = LogisticRegression().fit(X, Y[:, 0] > 0)
    with pytest.raises(
        TypeError, match="got LogisticRegression, which is a classifier"
    ):
        estimator(classifier).fit(X, Y[:, 0])
    with pytest.raises(TypeError, match="Fit it first"):
        estimator(LinearRegression()).fit(X, Y)
    diverged = estimator((W * np.nan, b)).fit(X, Y)
    with pytest.raises(ValueError, match="weights hold NaN or infinity"):
        diverged.report()


# Tensors ----------------------------------------------------------------------


def as_tensors(torch, device, dtype="float64"):
    place = {"device": device, "dtype": getattr(torch, dtype)}
    return torch.tensor(X, **place), torch.tensor(Y, **place)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_tensors(torch, device):
    x, y = as_tensors(torch, device)
    layer = torch.nn.Linear(8, 3).double().to(device)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(W))
        layer.bias.copy_(torch.tensor(b))
    found = estimator(layer)
    for cut in (slice(0, 33), slice(33, 120)):
        found.partial_fit(x[cut].requires_grad_(), y[cut])
    expected = estimator().fit(X, Y)
    assert_same(found.report(), expected.report())
    assert_same(found.score(x[TEST], y[TEST]), expected.score(X[TEST], Y[TEST]))
    assert found.feature_covariance_.device.type == device
    assert not found.feature_covariance_.requires_grad
    again = pickle.loads(pickle.dumps(found.set_params(head=None)))
    assert_same(again.set_params(head=(W, b)).report(), expected.report())
    merged = (
        estimator().fit(x[TRAIN], y[TRAIN]).merge(estimator().fit(x[TEST], y[TEST]))
    )
    assert_same(merged.report(), expected.report())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_narrow_tensors(torch, dtype):
    x, y = as_tensors(torch, "cpu", dtype)
    found = estimator().fit(x, y).report()
    expected = estimator().fit(x.double().numpy(), y.double().numpy()).report()
    assert_same(found, expected)
    assert found.dtype == dtype
    with torch.inference_mode(), torch.autocast("cpu"):
        assert_same(estimator().fit(x, y).report(), expected)


def test_targets_come_to_the_features(torch):
    x, y = as_tensors(torch, "cpu")
    expected = estimator().fit(X, Y).report()
    assert_same(estimator().fit(x, Y).report(), expected)
    assert_same(estimator().fit(X, y).report(), expected)
    fitted = estimator().fit(X, Y)
    with pytest.raises(ValueError, match="This batch is torch on cpu, but the stati"):
        fitted.partial_fit(x, y)
    with pytest.raises(ValueError, match="This batch is torch on cpu"):
        fitted.score(x, y)
    with pytest.raises(ValueError, match="y must be a dense tensor, got a sparse one"):
        fitted.partial_fit(X, y.to_sparse())


def test_on_diabetes():
    features, target = load_diabetes(return_X_y=True)
    head = LinearRegression().fit(features, target)
    report = estimator(head).fit(features, target).report()
    assert report.r2 == pytest.approx(head.score(features, target), rel=1e-9)
    assert report.deep_nrc4 <= report.mse * (1 + 1e-12)
