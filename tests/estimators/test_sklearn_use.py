"""Used as any scikit-learn estimator is used."""

import copy
import pickle
from html.parser import HTMLParser

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from tolerances import LOOSE, TIGHT

from sknc import NCReport, NearestClassCenter, NeuralCollapseAnalyzer, nc_scorer

ESTIMATORS = [
    NeuralCollapseAnalyzer(),
    NeuralCollapseAnalyzer(covariance=False),
    NearestClassCenter(),
    NearestClassCenter("cosine"),
]
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
FOLDS = StratifiedKFold(4, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def data():
    return make_blobs(200, n_features=6, centers=4, cluster_std=3.0, random_state=0)


@pytest.fixture(scope="module")
def head(data):
    return LogisticRegression(max_iter=500).fit(*data)


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], 1e-9, 1e-12, err_msg=key)


# Pipelines ----------------------------------------------------------------------


@each_estimator
def test_pipeline(estimator, data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), PCA(3), clone(estimator)).fit(X, y)
    Z = PCA(3).fit_transform(StandardScaler().fit_transform(X))
    plain = clone(estimator).fit(Z, y)
    assert pipe.score(X, y) == pytest.approx(plain.score(Z, y), rel=TIGHT)
    np.testing.assert_allclose(pipe.transform(X), plain.transform(Z), rtol=LOOSE)
    assert list(pipe.classes_) == [0, 1, 2, 3] or not hasattr(pipe, "classes_")


def test_score_of_a_pipeline_is_a_report(data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), NeuralCollapseAnalyzer()).fit(X, y)
    report = pipe.score(X, y)
    assert isinstance(report, NCReport)
    assert nc_scorer(pipe, X, y) == {"score": float(report), **report.to_dict()}


def test_analyzer_as_a_step(data):
    X, y = data
    pipe = make_pipeline(NeuralCollapseAnalyzer(), LogisticRegression(max_iter=500))
    assert pipe.fit(X, y).score(X, y) > 0.8
    assert pipe[0].transform(X).shape == (200, 3)
    pipe = make_pipeline(NearestClassCenter(), LogisticRegression(max_iter=2000))
    assert pipe.fit(X, y).score(X, y) > 0.8


def test_tensors_through_a_pipeline(data):
    torch = pytest.importorskip("torch")
    X, y = torch.as_tensor(data[0]), data[1]
    halve = FunctionTransformer(lambda x: x / 2)
    pipe = make_pipeline(halve, NeuralCollapseAnalyzer()).fit(X, y)
    assert isinstance(pipe.transform(X), torch.Tensor)
    scores = cross_val_score(pipe, X, y, cv=FOLDS)
    expected = cross_val_score(NeuralCollapseAnalyzer(), data[0], y, cv=FOLDS)
    np.testing.assert_allclose(scores, expected, rtol=LOOSE)


# Model selection ----------------------------------------------------------------


def test_cross_val_score(data):
    X, y = data
    scores = cross_val_score(NeuralCollapseAnalyzer(), X, y, cv=FOLDS)
    expected = [
        float(NeuralCollapseAnalyzer().fit(X[a], y[a]).score(X[b], y[b]))
        for a, b in FOLDS.split(X, y)
    ]
    np.testing.assert_array_equal(scores, expected)
    assert cross_val_score(NearestClassCenter(), X, y).mean() > 0.7


def test_cross_validate_with_every_metric(data, head):
    X, y = data
    head = head.coef_, head.intercept_
    results = cross_validate(
        NeuralCollapseAnalyzer(head=head),
        X,
        y,
        cv=FOLDS,
        scoring=nc_scorer,
        return_train_score=True,
        return_estimator=True,
        error_score="raise",
    )
    keys = {"score", *results["estimator"][0].score(X, y).keys()}
    assert len(keys) == 21
    assert {f"test_{key}" for key in keys} <= set(results)
    assert {f"train_{key}" for key in keys} <= set(results)
    for i, (a, b) in enumerate(FOLDS.split(X, y)):
        model = NeuralCollapseAnalyzer(head=head).fit(X[a], y[a])
        for name, part in (("train", a), ("test", b)):
            report = model.score(X[part], y[part])
            assert results[f"{name}_score"][i] == float(report)
            for key in report:
                assert results[f"{name}_{key}"][i] == report[key]


def test_cross_validate_with_a_frozen_head(data, head):
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator(head)
    model = NeuralCollapseAnalyzer(head=frozen)
    results = cross_validate(
        model, *data, cv=FOLDS, scoring=nc_scorer, error_score="raise"
    )
    pair = NeuralCollapseAnalyzer(head=(head.coef_, head.intercept_))
    expected = cross_validate(pair, *data, cv=FOLDS, scoring=nc_scorer)
    np.testing.assert_allclose(
        results["test_nc4_mismatch"], expected["test_nc4_mismatch"]
    )


def test_cross_validate_with_a_fitted_head(data, head):
    # `clone` makes an unfitted copy of an estimator that is a parameter.
    results = cross_validate(
        NeuralCollapseAnalyzer(head=head),
        *data,
        cv=FOLDS,
        scoring=nc_scorer,
        error_score="raise",
    )
    pair = NeuralCollapseAnalyzer(head=(head.coef_, head.intercept_))
    expected = cross_validate(pair, *data, cv=FOLDS, scoring=nc_scorer)
    np.testing.assert_allclose(
        results["test_nc4_mismatch"], expected["test_nc4_mismatch"]
    )


def test_cross_validate_of_sorted_data(data):
    X, y = data[0], np.sort(data[1])
    match = "without fitted samples: .*cv=StratifiedKFold"
    with pytest.raises(ValueError, match=match):
        cross_validate(
            NeuralCollapseAnalyzer(),
            X,
            y,
            cv=4,
            scoring=nc_scorer,
            error_score="raise",
        )


def test_scorer_of_another_estimator(data, head):
    match = (
        "nc_scorer expected a NeuralCollapseAnalyzer or a pipeline that ends in one, "
        "got LogisticRegression, whose score is not an NCReport"
    )
    with pytest.raises(TypeError, match=match):
        nc_scorer(head, *data)


def test_grid_search_for_the_least_value(data):
    pipe = make_pipeline(PCA(), NeuralCollapseAnalyzer())
    grid = {"pca__n_components": [2, 3, 4]}
    search = GridSearchCV(
        pipe,
        grid,
        scoring=nc_scorer,
        cv=FOLDS,
        refit=lambda results: results["mean_test_nc1_pinv"].argmin(),
    ).fit(*data)
    least = search.cv_results_["mean_test_nc1_pinv"].argmin()
    assert search.best_params_["pca__n_components"] == [2, 3, 4][least]


def test_cross_validate_with_the_default_score(data):
    results = cross_validate(NeuralCollapseAnalyzer(), *data, cv=FOLDS)
    assert results["test_score"].shape == (4,)


def test_grid_search_with_the_default_score(data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), PCA(), NeuralCollapseAnalyzer())
    search = GridSearchCV(pipe, {"pca__n_components": [2, 3, 5]}, cv=FOLDS).fit(X, y)
    means = search.cv_results_["mean_test_score"]
    assert search.best_score_ == means.max()
    assert search.best_params_["pca__n_components"] == [2, 3, 5][int(means.argmax())]
    assert 0 < search.score(X, y) < 1


@pytest.mark.parametrize("refit", ["score", "nc4_ncc_accuracy"])
def test_grid_search_with_every_metric(data, refit):
    X, y = data
    pipe = make_pipeline(PCA(), NeuralCollapseAnalyzer())
    search = GridSearchCV(
        pipe, {"pca__n_components": [2, 4]}, scoring=nc_scorer, refit=refit, cv=FOLDS
    ).fit(X, y)
    assert search.cv_results_["mean_test_nc1_pinv"].shape == (2,)
    best = search.cv_results_[f"mean_test_{refit}"].argmax()
    assert search.best_params_["pca__n_components"] == [2, 4][best]


def test_grid_search_over_own_parameters(data):
    search = GridSearchCV(
        NeuralCollapseAnalyzer(),
        {"covariance": [True, False], "convention": ["default", "frequency"]},
        cv=FOLDS,
    ).fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    grid = {"metric": ["euclidean", "cosine"]}
    search = GridSearchCV(NearestClassCenter(), grid).fit(*data)
    assert search.predict(data[0]).shape == (200,)


def test_curves(data):
    X, y = data
    sizes, train, test = learning_curve(
        NeuralCollapseAnalyzer(), X, y, cv=FOLDS, train_sizes=[0.3, 1.0]
    )
    assert train.shape == test.shape == (2, 4)
    assert np.isfinite([train, test]).all()
    assert sizes[-1] == 150
    train, test = validation_curve(
        make_pipeline(PCA(), NeuralCollapseAnalyzer()),
        X,
        y,
        param_name="pca__n_components",
        param_range=[2, 3],
        cv=FOLDS,
    )
    assert np.isfinite([train, test]).all()


def test_permutation_test(data):
    score, permuted, p = permutation_test_score(
        NeuralCollapseAnalyzer(), *data, cv=FOLDS, n_permutations=9, random_state=0
    )
    assert score > permuted.max()
    assert p == pytest.approx(0.1)


def test_cross_val_predict(data):
    X, y = data
    found = cross_val_predict(NearestClassCenter(), X, y, method="predict_proba")
    assert found.shape == (200, 4)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_in_parallel(data, backend):
    model = NeuralCollapseAnalyzer()
    one = cross_validate(model, *data, cv=FOLDS, scoring=nc_scorer)
    with joblib.parallel_backend(backend, n_jobs=2):
        two = cross_validate(model, *data, cv=FOLDS, scoring=nc_scorer, n_jobs=2)
    for key in one:
        if not key.endswith("_time"):
            np.testing.assert_allclose(one[key], two[key], rtol=LOOSE, err_msg=key)


# Copies -------------------------------------------------------------------------


@each_estimator
def test_clone(estimator, data, head):
    fitted = clone(estimator).fit(*data)
    copied = clone(fitted)
    assert not hasattr(copied, "n_features_in_")
    assert copied.get_params() == fitted.get_params()
    assert (
        clone(NeuralCollapseAnalyzer(head=(head.coef_, None))).head[0] is not head.coef_
    )


def test_clone_with_a_layer():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(6, 4)
    copied = clone(NeuralCollapseAnalyzer(head=layer))
    assert torch.equal(copied.head.weight, layer.weight)


@pytest.mark.parametrize("make", [NeuralCollapseAnalyzer, NearestClassCenter])
def test_pickle_of_another_version(make, monkeypatch):
    monkeypatch.setattr("sknc.estimators.base.STATE_VERSION", 7)
    fitted = pickle.dumps(make().fit(np.eye(4), [0, 0, 1, 1]))
    unfitted = pickle.dumps(make())
    monkeypatch.undo()
    text = r"expected a state of version 1, .* got version 7 of sknc 0\.1\.0\. Read it"
    with pytest.raises(ValueError, match=text):
        pickle.loads(fitted)
    assert not pickle.loads(unfitted).__sklearn_is_fitted__()


@each_estimator
@pytest.mark.parametrize(
    "duplicate",
    [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy],
    ids=["pickle", "deepcopy", "copy"],
)
def test_copies_go_on(estimator, data, duplicate):
    X, y = data
    model = clone(estimator).partial_fit(X[:90], y[:90])
    other = duplicate(model)
    np.testing.assert_array_equal(other.class_means_, model.class_means_)
    before = model.class_means_.copy()
    other.partial_fit(X[90:], y[90:])
    np.testing.assert_array_equal(model.class_means_, before)
    assert (model.n_samples_seen_, other.n_samples_seen_) == (90, 200)
    model.partial_fit(X[90:], y[90:])
    np.testing.assert_array_equal(model.class_means_, other.class_means_)
    np.testing.assert_array_equal(model.transform(X), other.transform(X))
    assert model.score(X, y) == other.score(X, y)


def test_named_classes_outlive_a_pickle(data):
    X, y = data
    model = NeuralCollapseAnalyzer().partial_fit(X, y, classes=range(5))
    again = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match=r"labels \[5, 6, 7\] that are not among"):
        again.partial_fit(X, y + 4)
    again.partial_fit(X, y)
    assert again.n_samples_seen_ == 400


def test_pickle_holds_no_buffers():
    rng = np.random.default_rng(0)
    model = NeuralCollapseAnalyzer(covariance=False)
    model.fit(rng.normal(size=(2000, 100)), np.arange(2000) % 3)
    model.report()
    assert len(pickle.dumps(model)) < 20_000


def test_joblib_file(data, tmp_path):
    model = NeuralCollapseAnalyzer().fit(*data)
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    assert again.score(*data).to_dict() == model.score(*data).to_dict()
    # From memory that cannot be written to, too.
    again = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    again.partial_fit(*data)
    assert again.n_samples_seen_ == 400


# Data frames --------------------------------------------------------------------


@each_estimator
def test_feature_names(estimator, data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    series = pandas.Series(y, name="label")
    model = clone(estimator).fit(frame, series)
    assert model.feature_names_in_.tolist() == list("abcdef")
    plain = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(model.class_means_, plain.class_means_)
    assert model.score(frame, series) == plain.score(X, y)
    model.partial_fit(frame, series)
    with pytest.raises(ValueError, match="feature names should match"):
        model.score(frame[list("fedcba")], series)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.transform(X)
    assert not hasattr(model.fit(X, y), "feature_names_in_")


def test_categorical_and_nullable_labels(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    names = np.array(["ant", "bee", "cat", "dog"])[y]
    for labels in (
        pandas.Series(names),
        pandas.Series(names).astype("category"),
        pandas.Series(names, dtype="string"),
    ):
        model = NearestClassCenter().fit(X, labels)
        assert list(model.classes_) == ["ant", "bee", "cat", "dog"]
        np.testing.assert_array_equal(
            model.predict(X), NearestClassCenter().fit(X, names).predict(X)
        )


@each_estimator
def test_polars(estimator, data):
    polars = pytest.importorskip("polars")
    X, y = data
    frame = polars.DataFrame(X, schema=list("abcdef"))
    model = clone(estimator).fit(frame, polars.Series(y))
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert model.score(frame, y) == clone(estimator).fit(X, y).score(X, y)


@each_estimator
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(estimator, data, library):
    module = pytest.importorskip(library)
    model = clone(estimator).set_output(transform=library).fit(*data)
    found = model.transform(data[0])
    assert isinstance(found, module.DataFrame)
    assert list(found.columns) == model.get_feature_names_out().tolist()
    plain = clone(estimator).fit(*data).transform(data[0])
    np.testing.assert_array_equal(found.to_numpy(), plain)


@each_estimator
def test_feature_names_out(estimator, data):
    model = clone(estimator).fit(*data)
    names = model.get_feature_names_out()
    prefix = type(model).__name__.lower()
    assert names.tolist() == [f"{prefix}{i}" for i in range(len(names))]
    assert model.transform(data[0]).shape[1] == len(names)
    assert len(names) == (4 if isinstance(model, NearestClassCenter) else 3)


def test_transform_is_a_projection(data):
    X, y = data
    model = NeuralCollapseAnalyzer().fit(X, y)
    found = model.transform(model.class_means_)
    centered = model.class_means_ - model.global_mean_
    # Distances of the class means survive, and each axis is a direction of theirs.
    np.testing.assert_allclose(found @ found.T, centered @ centered.T, atol=1e-8)
    spread = found.T @ found
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-8)
    assert (np.diff(np.diag(spread)) <= 1e-8).all()


# Metadata routing and weights ---------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
@each_estimator
def test_routed_weights(estimator, data):
    X, y = data
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    model = clone(estimator)
    model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scores = cross_validate(
        model, X, y, cv=FOLDS, params={"sample_weight": weights}, error_score="raise"
    )["test_score"]
    expected = [
        clone(estimator)
        .fit(X[a], y[a], sample_weight=weights[a])
        .score(X[b], y[b], sample_weight=weights[b])
        for a, b in FOLDS.split(X, y)
    ]
    np.testing.assert_allclose(scores, expected, rtol=TIGHT)


@pytest.mark.usefixtures("routing")
def test_routed_weights_through_a_pipeline(data):
    X, y = data
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    model = NeuralCollapseAnalyzer()
    model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    scale = StandardScaler().set_fit_request(sample_weight=False)
    pipe = make_pipeline(scale, model).fit(X, y, sample_weight=weights)
    Z = StandardScaler().fit_transform(X)
    plain = NeuralCollapseAnalyzer().fit(Z, y, sample_weight=weights)
    np.testing.assert_array_equal(pipe[-1].class_means_, plain.class_means_)
    found = pipe.score(X, y, sample_weight=weights)
    assert_same(found, plain.score(Z, y, sample_weight=weights))


@pytest.mark.usefixtures("routing")
def test_weights_that_nobody_asked_for(data):
    X, y = data
    with pytest.raises(ValueError, match=r"sample_weight.* are passed but are not"):
        cross_validate(
            NeuralCollapseAnalyzer(),
            X,
            y,
            params={"sample_weight": np.ones(len(y))},
            error_score="raise",
        )


def test_requests():
    for estimator in ESTIMATORS:
        assert hasattr(estimator, "set_partial_fit_request")
        assert not hasattr(estimator, "set_transform_request")


# Views --------------------------------------------------------------------------


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.count = 0

    def handle_starttag(self, tag, attrs):
        self.count += 1


@each_estimator
def test_html(estimator, data):
    for model in (clone(estimator), clone(estimator).fit(*data)):
        html = model._repr_html_()
        assert type(model).__name__ in html
        tags = _Tags()
        tags.feed(html)
        assert tags.count > 3


def test_html_with_classes_without_samples(data):
    X, y = data
    model = NeuralCollapseAnalyzer().partial_fit(X, y, classes=range(6))
    assert "NeuralCollapseAnalyzer" in model._repr_html_()


def test_views_of_one_class(data):
    one = NeuralCollapseAnalyzer().fit(data[0], np.zeros(len(data[0]), int))
    assert "class_means_" in dir(one)
    assert "NeuralCollapseAnalyzer" in one._repr_html_()


def test_repr():
    assert repr(NeuralCollapseAnalyzer()) == "NeuralCollapseAnalyzer()"
    assert repr(NearestClassCenter("cosine")) == "NearestClassCenter(metric='cosine')"


def test_parameters():
    model = NeuralCollapseAnalyzer(convention="zhu2021", covariance=False)
    assert model.get_params() == {
        "head": None,
        "convention": "zhu2021",
        "metrics": "default",
        "covariance": False,
        "n_jackknife": 0,
    }
    with pytest.raises(TypeError, match="positional argument"):
        NeuralCollapseAnalyzer(None, "default")
    with pytest.raises(ValueError, match="Invalid parameter 'epsilon'"):
        model.set_params(epsilon=1)


def test_covariance_of_the_other_kind(data):
    model = NeuralCollapseAnalyzer(covariance=False).fit(*data)
    with pytest.raises(AttributeError, match="covariance=False does not store: use"):
        _ = model.within_class_covariance_
    assert not hasattr(model, "total_covariance_")


def test_covariances(data):
    X, y = data
    model = NeuralCollapseAnalyzer(convention="frequency").fit(X, y)
    np.testing.assert_allclose(
        model.total_covariance_, np.cov(X.T, bias=True), rtol=LOOSE
    )
    both = model.within_class_covariance_ + model.between_class_covariance_
    np.testing.assert_allclose(both, model.total_covariance_, rtol=LOOSE)
    np.testing.assert_allclose(model.global_mean_, X.mean(axis=0), rtol=LOOSE)
