"""The report: a number, a table, and ways out of Python."""

import copy
import math
import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from tolerances import LOOSE, TIGHT
from toys import around

from sknc import Convention, NCReport, NearestClassCenter, NeuralCollapseAnalyzer
from sknc.metrics import TABLE

HEADLINE = [key for key, metric in TABLE.items() if metric.headline]


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs([40, 90, 60, 50], n_features=5, cluster_std=3.0, random_state=0)
    return X, np.array(["dog", "ant", "cat", "bee"])[y]


@pytest.fixture(scope="module")
def head(data):
    return LogisticRegression(max_iter=500).fit(*data)


@pytest.fixture(scope="module")
def analyzer(data, head):
    return NeuralCollapseAnalyzer(head=head).fit(*data)


@pytest.fixture(scope="module")
def report(analyzer, data):
    return analyzer.score(*data)


@pytest.fixture(scope="module")
def undefined():
    """Report with values that are NaN or infinite."""
    X = np.array([[1.0, 0], [2, 0], [1, 0], [2, 0]])
    return NeuralCollapseAnalyzer(head=np.zeros((2, 2))).fit(X, [0, 0, 1, 1]).report()


# A number -----------------------------------------------------------------------


def test_is_a_float(report):
    assert isinstance(report, float)
    assert float(report) == 1 - report.nc1_within_fraction
    assert 0 < report < 1
    assert report + 1 == float(report) + 1
    assert np.asarray(report).dtype == np.float64
    assert np.asarray(report) == float(report)
    assert sorted([report, 0.0, 1.0])[1] is report
    assert round(report, 3) == round(float(report), 3)
    assert math.isclose(report, float(report))


def test_format(report):
    assert f"{report:.3f}" == f"{float(report):.3f}"
    assert f"{report:>12.4e}" == f"{float(report):>12.4e}"
    assert f"{report}" == str(report) == repr(report)
    assert "%.4f" % report == f"{float(report):.4f}"  # noqa: UP031


def test_equality_and_hash(report, data, analyzer):
    assert report == float(report)
    assert hash(report) == hash(float(report))
    assert report == analyzer.score(*data)


def test_score_without_its_metric(data):
    report = NeuralCollapseAnalyzer(metrics=["nc2_etf"]).fit(*data).report()
    assert report.keys() == ["nc2_etf"]
    whole = NeuralCollapseAnalyzer().fit(*data).report()
    assert float(report) == float(whole)


# Keys and attributes ------------------------------------------------------------


def test_keys(report):
    assert report.keys() == HEADLINE
    assert list(report) == report.keys()
    assert "nc1_pinv" in report
    assert "nc9" not in report
    assert 3 not in report


def test_key_is_attribute(report):
    for key in report.keys():  # noqa: SIM118
        assert report[key] == getattr(report, key)
        assert type(report[key]) is float


def test_values_and_items(report):
    pairs = [(key, report[key]) for key in report]
    assert report.items() == pairs
    assert report.values() == [value for _, value in pairs]
    assert dict(report) == report.to_dict() == dict(pairs)


def test_has_no_length(report):
    # Libraries take what has a length for a collection, not for a score.
    with pytest.raises(TypeError, match="has no len"):
        len(report)


def test_rows_of_a_data_frame(report, analyzer):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([report.to_dict(), analyzer.report().to_dict()])
    assert frame.columns.tolist() == report.keys()
    assert frame["nc1_cdnv"].tolist() == [report.nc1_cdnv] * 2
    assert frame["nc4_mismatch"].isna().tolist() == [False, True]


def is_in_all(metric):
    return metric.group != "NC5" and "class_scatters" not in metric.needs


def test_default_and_all(data, head):
    for choice, keys in (
        ("default", HEADLINE),
        ("all", [k for k, m in TABLE.items() if is_in_all(m)]),
        (["nc2_etf", "nc1_pinv"], ["nc1_pinv", "nc2_etf"]),
        ("nc3_cosine", ["nc3_cosine"]),
    ):
        model = NeuralCollapseAnalyzer(head=head, metrics=choice).fit(*data)
        assert model.score(*data).keys() == keys


def test_report_has_no_decisions(analyzer):
    report = analyzer.report()
    absent = {"nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy"}
    assert set(HEADLINE) - set(report.keys()) == absent


def test_report_equals_score_where_both_have_it(analyzer, report):
    other = analyzer.report()
    for key in other:
        np.testing.assert_allclose(report[key], other[key], rtol=LOOSE, err_msg=key)


def test_missing_keys(data):
    report = NeuralCollapseAnalyzer().fit(*data).report()
    for key, message in (
        ("nc3_cosine", r"no 'nc3_cosine'\. .* linear head: NeuralCollapseAnalyzer\("),
        ("nc9", r"no metric 'nc9'\. sknc\.metrics\.catalogue\(\) lists all, keys\(\)"),
        ("nc1_pnv", r"no metric 'nc1_pnv'\. Did you mean 'nc1_pinv'\? sknc\.metrics"),
    ):
        with pytest.raises(KeyError, match=message):
            report[key]
        with pytest.raises(AttributeError, match=message):
            getattr(report, key)
    assert not hasattr(report, "_repr_latex_")


SAMPLES = r"It is measured on samples: call score\(X, y\) or score_batches\(batches\)\."
HEAD = r"It requires a linear head: NeuralCollapseAnalyzer\(head=\.\.\.\)\."
WITHOUT_SCATTER = (
    r"Without the scatter it is measured on samples: call score\(X, y\) or "
    r"score_batches\(batches\), or fit with covariance=True\."
)


@pytest.mark.parametrize(
    ("options", "method", "key", "message"),
    [
        ({"head": True}, "report", "nc4_mismatch", SAMPLES),
        ({}, "report", "nc4_mismatch", f"{SAMPLES} {HEAD}"),
        ({}, "score", "nc4_mismatch", HEAD),
        ({}, "report", "nc4_ncc_margin", f"metrics=.*{SAMPLES}"),
        (
            {},
            "score",
            "nc4_ncc_margin",
            r"Request it: metrics=\['nc4_ncc_margin', ...\]\.",
        ),
        ({}, "report", "nc4_cosine_margin", f"{SAMPLES} {HEAD}"),
        ({"head": True}, "report", "nc1_correct", SAMPLES),
        ({}, "report", "nc1_correct", f"{SAMPLES} {HEAD}"),
        ({"covariance": False}, "report", "nc1_pinv", WITHOUT_SCATTER),
        (
            {"covariance": False},
            "report",
            "nc1_vci",
            r"scatter: fit with covariance=True\.",
        ),
        ({"convention": Convention(within="class")}, "report", "nc1_pinv", SAMPLES),
        (
            {"head": "weights"},
            "score",
            "nc4_bias_collapse",
            r"bias: head=\(weights, bias\)\.",
        ),
        ({}, "report", "nc4_bias_collapse", HEAD),
        (
            {},
            "report",
            "nc5_neco",
            "out-of-distribution samples: call "
            r"score_ood\(X\)\.",
        ),
        (
            {"metrics": []},
            "report",
            "nc2_etf",
            r"Request it: metrics=\['nc2_etf', ...\]\.",
        ),
    ],
)
def test_what_gives_a_missing_key(data, head, options, method, key, message):
    heads = {True: head, "weights": head.coef_}
    options = {**options, "head": heads.get(options.get("head"))}
    analyzer = NeuralCollapseAnalyzer(**options).fit(*data)
    report = analyzer.report() if method == "report" else analyzer.score(*data)
    assert key not in report
    with pytest.raises(KeyError, match=f'This report has no {key!r}.*{message}"$'):
        report[key]
    again = pickle.loads(pickle.dumps(report))
    with pytest.raises(AttributeError, match=message):
        getattr(again, key)
    assert key not in report.notes  # it was not asked for by name


@pytest.mark.parametrize("metrics", [["nc2_etf", "nc4_mismatch", "nc5_neco"], "NC4"])
def test_notes_of_what_was_asked_for_by_name(data, head, metrics):
    model = NeuralCollapseAnalyzer(head=head, metrics=metrics).fit(*data)
    report = model.report()
    note = "Left out. It is measured on samples: call score(X, y) or"
    assert report.notes["nc4_mismatch"].startswith(note)
    assert "nc4_mismatch" not in model.score(*data).notes
    if "nc5_neco" in metrics:
        assert "call score_ood(X)" in report.notes["nc5_neco"]
    if metrics != "NC4":
        assert "nc2_etf" not in report.notes


def test_read_only(report):
    with pytest.raises(AttributeError, match="read-only: cannot set 'nc1_pinv'"):
        report.nc1_pinv = 0.0
    with pytest.raises(TypeError, match="does not support item assignment"):
        report["nc1_pinv"] = 0.0
    for part in (report.notes, report.standard_error, report.per_class):
        with pytest.raises(TypeError, match="does not support item assignment"):
            part["nc1_pinv"] = 0.0
    values = report.to_dict()
    values["nc1_pinv"] = -1.0
    assert report.nc1_pinv > 0
    keys = report.keys()
    keys.clear()
    assert report.keys()


def test_dir(report):
    assert set(dir(report)) >= {"nc1_pinv", "per_class", "notes", "to_frame", "keys"}


# Content ------------------------------------------------------------------------


def test_content(report, data):
    X, _ = data
    assert (report.n_samples, report.n_classes, report.n_features) == (len(X), 4, 5)
    assert (report.dtype, report.device) == ("float64", "cpu")
    assert report.convention == Convention.preset("default")
    assert report.notes == {}
    single = NeuralCollapseAnalyzer().fit(X.astype(np.float32), data[1]).report()
    assert single.dtype == "float32"


def test_convention(data):
    mine = Convention("mine", between="frequency")
    assert (
        NeuralCollapseAnalyzer(convention=mine).fit(*data).report().convention is mine
    )
    named = NeuralCollapseAnalyzer(convention="zhu2021").fit(*data).report()
    assert named.convention.name == "zhu2021"


def test_per_class(report, data, head):
    X, y = data
    labels = np.unique(y)
    groups = [X[y == label] for label in labels]
    means = np.array([group.mean(axis=0) for group in groups])
    centered = means - means.mean(axis=0)
    content = report.per_class
    assert content["label"].tolist() == labels.tolist()
    np.testing.assert_array_equal(content["count"], [len(group) for group in groups])
    variances = [group.var(axis=0).sum() for group in groups]
    np.testing.assert_allclose(content["variance"], variances, rtol=LOOSE)
    norms = np.linalg.norm(centered, axis=1)
    np.testing.assert_allclose(content["mean_norm"], norms, rtol=LOOSE)
    between = np.linalg.pinv(centered.T @ centered / 4)
    parts = [
        np.trace((group - mean).T @ (group - mean) @ between) / len(X) / 4
        for group, mean in zip(groups, means, strict=True)
    ]
    np.testing.assert_allclose(content["nc1_pinv"], parts, rtol=LOOSE)
    assert content["nc1_pinv"].sum() == pytest.approx(report.nc1_pinv, rel=LOOSE)
    cosines = np.sum(head.coef_ * centered, axis=1)
    cosines /= norms * np.linalg.norm(head.coef_, axis=1)
    np.testing.assert_allclose(content["head_cosine"], cosines, rtol=LOOSE)
    distances = np.linalg.norm(X[:, None, :] - means, axis=2)
    nearest, chosen = labels[distances.argmin(axis=1)], head.predict(X)
    for name, hits in (
        ("ncc_recall", nearest == y),
        ("head_recall", chosen == y),
        ("mismatch", nearest != chosen),
    ):
        expected = [hits[y == label].mean() for label in labels]
        np.testing.assert_allclose(content[name], expected, rtol=TIGHT, err_msg=name)
    assert all(isinstance(column, np.ndarray) for column in content.values())


def test_per_class_of_report(analyzer):
    names = {"label", "count", "variance", "mean_norm", "head_cosine"}
    assert names <= set(analyzer.report().per_class)
    assert not {"ncc_recall", "mismatch"} & set(analyzer.report().per_class)


def test_per_class_with_a_class_missing_from_the_samples(analyzer, data):
    X, y = data
    kept = y != "cat"
    content = analyzer.score(X[kept], y[kept]).per_class
    assert content["label"].tolist() == ["ant", "bee", "cat", "dog"]
    assert content["count"][2] == 0
    for name in ("variance", "ncc_recall", "head_recall", "mismatch"):
        assert np.isnan(content[name]).tolist() == [False, False, True, False], name


def test_rank_and_condition(report, data):
    X, y = data
    means = np.array([X[y == label].mean(axis=0) for label in np.unique(y)])
    values = np.linalg.svd((means - means.mean(axis=0)) / 2, compute_uv=False)
    assert report.rank == 3
    assert report.condition == pytest.approx(values[0] / values[2], rel=LOOSE)


def test_rank_of_means_on_a_line():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(5), 30)
    X = np.outer(y - 2.0, [1.0, 2, 0, 0, 0, 0]) + rng.normal(size=(150, 6)) * 1e-3
    for k in range(5):  # exactly on the line
        X[y == k] -= X[y == k].mean(axis=0) - (k - 2.0) * np.array([1, 2, 0, 0, 0, 0])
    report = NeuralCollapseAnalyzer().fit(X, y).report()
    assert report.rank == 1
    assert report.condition == 1
    assert "span 1 of 4 possible directions" in report.notes["nc1_pinv"]


def test_no_rank_without_nc1_pinv(data):
    report = NeuralCollapseAnalyzer(metrics=["nc2_etf"]).fit(*data).report()
    assert report.rank is None
    assert report.condition is None


def test_notes_give_reasons(undefined):
    for key in undefined:
        if not math.isfinite(undefined[key]):
            assert undefined.notes[key].endswith("."), key
    assert "row of the head's weights is zero" in undefined.notes["nc0_weight_sum"]
    assert "all class means coincide" in undefined.notes["nc2_equinorm"].lower()


def test_notes_of_more_classes_than_a_simplex_has():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 3)), np.arange(300) % 10
    report = NeuralCollapseAnalyzer().fit(X, y).report()
    assert "10 classes have no simplex in 3 dimensions" in report.notes["nc2_etf"]
    floor = float(report.notes["nc2_etf"].rstrip(".").rpartition(" ")[2])
    assert report.nc2_etf >= floor > 0


def test_notes_of_two_classes(data):
    X, y = data
    kept = np.isin(y, ["ant", "dog"])
    report = NeuralCollapseAnalyzer().fit(X[kept], y[kept]).report()
    assert math.isnan(report.nc2_cos_std)
    assert "two classes have one pair" in report.notes["nc2_cos_std"]


SINGLE = "Classes with one sample count with zero variance."
OF_VARIANCE = {"nc1_pinv", "nc1_trace_ratio", "nc1_within_fraction", "nc1_cdnv"}


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("n_jackknife", [0, 5])
def test_notes_of_classes_with_one_sample(data, covariance, n_jackknife):
    X, y = np.r_[data[0], data[0][:1] + 1], np.r_[data[1], ["emu"]]
    model = NeuralCollapseAnalyzer(covariance=covariance, n_jackknife=n_jackknife)
    model.fit(X, y)
    report, scored = model.report(), model.score(X, y)
    noted = {key for key, note in report.notes.items() if SINGLE in note}
    assert noted == OF_VARIANCE - ({"nc1_pinv"} if not covariance else set())
    assert {k for k, note in scored.notes.items() if SINGLE in note} == OF_VARIANCE
    # Distances of other samples to the centers are real.
    for other in (model.score(*data), model.score(X + 0.1, y)):
        assert SINGLE not in " ".join(other.notes.values())
    assert SINGLE not in " ".join(model.fit(*data).report().notes.values())


def test_notes_of_classes_with_one_sample_on_all_metrics(data, head):
    X, y = np.r_[data[0], data[0][:1] + 1], np.r_[data[1], ["emu"]]
    linear = np.r_[head.coef_, head.coef_[:1] + 1], np.r_[head.intercept_, 0]
    model = NeuralCollapseAnalyzer(linear, metrics="all").fit(X, y)
    report = model.score(X, y)
    noted = {key for key, note in report.notes.items() if SINGLE in note}
    want = {key for key, m in TABLE.items() if m.group == "NC1"} | {"spec_within_pr"}
    assert noted == want - {"nc1_vci_adjusted"}
    # The number is that of nc1_within_fraction.
    model = NeuralCollapseAnalyzer(metrics=["nc2_etf"]).fit(X, y)
    assert model.report().notes == {"score": SINGLE}


def test_weights_that_sum_to_one_are_no_single_sample(data):
    X, y = data
    counts = dict(zip(*np.unique(y, return_counts=True), strict=True))
    weights = np.array([1 / counts[label] for label in y])
    assert NeuralCollapseAnalyzer().fit(X, y, weights).report().notes == {}


def test_notes_of_minorities(data):
    X, y = data

    def note(minority, rows, key="imb_minority_ratio"):
        convention = Convention(minority=minority)
        model = NeuralCollapseAnalyzer(convention=convention, metrics="imbalance")
        return model.fit(X[rows], y[rows]).report().notes[key]

    first = np.arange(len(y)) < 0
    for label in np.unique(y):
        first[np.flatnonzero(y == label)[:40]] = True
    for key in ("imb_minority_ratio", "imb_minority_cosine"):
        text = note(0.5, first, key)
        assert text.startswith(
            "Undefined: all counts are equal, so there is no minority class."
        )
        text = note(["cat"], slice(None), key)
        assert "the minority has one class, ['cat'], and so no pair. Choose" in text
    text = note(["cat", "ant", "bee"], slice(None))
    assert "the majority has one class, ['dog'], and so no pair. Choose" in text
    message = (
        r"minority names \['emu'\], which are not classes with samples: expected some "
        r"of \['ant', 'bee', 'cat', 'dog'\]\."
    )
    with pytest.raises(ValueError, match=message):
        note(["emu"], slice(None))


def test_notes_of_a_lost_scatter(data):
    X, y = data
    with_scatter = NeuralCollapseAnalyzer().fit(X[::2], y[::2])
    without = NeuralCollapseAnalyzer(covariance=False).fit(X[1::2], y[1::2])
    report = (with_scatter + without).report()
    assert "nc1_pinv" not in report
    assert report.notes["covariance"] == (
        "Some of the samples were fitted with covariance=False, so the scatter is "
        "missing, and report() lacks nc1_pinv: call score(X, y), or fit all samples "
        "with covariance=True."
    )
    for model in (without + with_scatter, without):  # nobody asked for it
        assert "covariance" not in model.report().notes
    assert "nc1_pinv" in (with_scatter + without).score(X, y)


def test_weights_below_one_are_no_lack_of_samples(data):
    X, y = data
    weights = np.full(len(y), 1e-3)
    weighted = NeuralCollapseAnalyzer().fit(X, y, weights)
    report = weighted.score(X, y, weights)
    assert report.nc1_pinv == pytest.approx(
        NeuralCollapseAnalyzer().fit(X, y).report().nc1_pinv, rel=LOOSE
    )
    assert "nc1_pinv" not in report.notes


# Copies -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate",
    [
        lambda r: pickle.loads(pickle.dumps(r)),
        lambda r: pickle.loads(pickle.dumps(r, protocol=2)),
        copy.copy,
        copy.deepcopy,
    ],
    ids=["pickle", "old pickle", "copy", "deepcopy"],
)
def test_copies(report, duplicate):
    other = duplicate(report)
    assert type(other) is NCReport
    assert float(other) == float(report)
    assert other.to_dict() == report.to_dict()
    assert other.to_json() == report.to_json()
    assert repr(other) == repr(report)
    assert other.convention == report.convention


def test_report_stays_when_the_stream_goes_on(data):
    X, y = data
    analyzer = NeuralCollapseAnalyzer().fit(X[:200], y[:200])
    report = analyzer.report()
    text = report.to_json()
    analyzer.partial_fit(X[200:] + 4, y[200:])
    assert report.to_json() == text
    assert analyzer.report().to_json() != text


def test_accuracies_are_those_of_the_classifier(report, data):
    assert report.nc4_ncc_accuracy == NearestClassCenter().fit(*data).score(*data)


def test_costly_metrics_are_left_out_of_all_with_a_note():
    limits = {key: metric.most_classes for key, metric in TABLE.items()}
    assert limits["gnc2_margin"] == limits["imb_seli_h"] == 5000
    costly = [key for key, most in limits.items() if most == 100]
    assert costly
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((404, 3)), np.arange(404) % 101
    model = NeuralCollapseAnalyzer(metrics="all", covariance="by_class").fit(X, y)
    report = model.report()
    for key in costly:
        assert key not in report
        assert "above 100 classes" in report.notes[key]
    assert {"gnc2_energy_log", "gnc2_margin", "imb_seli_h"} <= set(report)
    model.set_params(metrics=costly[:1])
    assert model.report().keys() == costly[:1]
    few = y < 100
    model.set_params(metrics="all").fit(X[few], y[few])
    assert set(costly) <= set(model.report())


def simple():
    return around(np.random.default_rng(0).standard_normal((4, 6)), 10, 0.3)


def test_remedy_does_not_name_what_is_there():
    item = simple()
    model = NeuralCollapseAnalyzer(item.head).fit(item.X, item.y)
    with pytest.raises(AttributeError) as caught:
        model.score(item.X, item.y).nc1_vci  # noqa: B018
    assert str(caught.value) == (
        "This report has no 'nc1_vci'. Request it: metrics=['nc1_vci', ...]."
    )
    with pytest.raises(AttributeError) as caught:
        model.report().nc5_neco  # noqa: B018
    assert "Request it" not in str(caught.value)
    assert "call score_ood(X)" in str(caught.value)


@pytest.mark.parametrize("head", [np.float64(3), np.array(3.0)])
def test_a_number_is_no_head(head):
    item = simple()
    with pytest.raises(TypeError, match=r"head must be a torch.nn.Linear, a fitted"):
        NeuralCollapseAnalyzer(head).fit(item.X, item.y)
