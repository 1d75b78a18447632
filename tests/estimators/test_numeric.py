"""What is no array of real numbers is refused, with what to do about it."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sknc import NearestClassCenter, NeuralCollapseAnalyzer, nc_scorer

N = 15
Y = np.repeat([0, 1, 2], 5)
X = np.random.default_rng(0).normal(size=(N, 3)) + Y[:, None]
DAY = np.datetime64("2020-01-01")
AN_ARRAY = "X must be an array of shape (n_samples, n_features), got "
DAYS = "for example to days with (X - X.min()) / np.timedelta64(1, 'D')."


def archive():
    file = io.BytesIO()
    np.savez(file, features=X, labels=Y)
    file.seek(0)
    return np.load(file)


FEATURES = [
    (lambda: None, AN_ARRAY + "None."),
    (lambda: "X.npy", "'X.npy'. Load it first, for example with np.load(path, mmap_m"),
    (lambda: Path("X.npy"), "X.npy'). Load it first, for example with np.load(path, "),
    (archive, "keys: features, labels. Pass one of its arrays, such as archive['fea"),
    (lambda: {"a": 1}, AN_ARRAY + "{'a': 1}."),
    (lambda: {1.0, 2.0}, AN_ARRAY + "{1.0, 2.0}."),
    (lambda: (row for row in X), AN_ARRAY + "<generator"),
    (lambda: np.ndarray, AN_ARRAY + "<class 'numpy.ndarray'>."),
    (lambda: np.full(X.shape, DAY), "X must be real numbers, got datetime64[D]. "),
    (lambda: np.full(X.shape, DAY - DAY), "got timedelta64[D]. Convert them to num"),
    (lambda: [[DAY] * 3] * N, DAYS),
    (lambda: X + 1j, "Complex data not supported: X must be real numbers, got comple"),
    (lambda: (X + 1j).tolist(), "np.hstack([X.real, X.imag])"),
    (lambda: X.astype(str), "got <U32. Convert them with X.astype(float) if they are"),
    (lambda: np.ma.masked_array(X, X > 1), "Drop their rows: X[~X.mask.any(axis=1)]"),
]
A_NUMBER = "sample_weight must be one real number per row of X, got "
WEIGHTS = [
    (lambda: "balanced", "compute_sample_weight('balanced', y)."),
    (lambda: {0: 1.0, 1: 2.0}, "{0: 1.0, 1: 2.0}. Compute them first, for example "),
    (lambda: np.ones(N) + 1j, "array([1.+1.j, "),
    (lambda: np.full(N, DAY), "array(['2020-01-01', "),
    (lambda: np.full(N, "0.5"), "array(['0.5', "),
    (lambda: np.full(N, "0.5", object), "array(['0.5', "),
    (lambda: ["1"] * N, "['1', '1', "),
    (lambda: {1.0}, "{1.0}."),
    (lambda: [[1.0], [1.0, 2.0]], "[[1.0], [1.0, 2.0]]."),
    (object, "<object object"),
]


def refused(text):
    return pytest.raises(ValueError, match=re.escape(text))


@pytest.mark.parametrize(("make", "text"), FEATURES)
def test_features(make, text):
    analyzer = NeuralCollapseAnalyzer().fit(X, Y)
    classifier = NearestClassCenter().fit(X, Y)
    for call in (analyzer.fit, analyzer.partial_fit, analyzer.score):
        with refused(text):
            call(make(), Y)
    for call in (analyzer.transform, classifier.predict, classifier.transform):
        with refused(text):
            call(make())


@pytest.mark.parametrize(("make", "text"), WEIGHTS)
def test_weights(make, text):
    analyzer = NeuralCollapseAnalyzer().fit(X, Y)
    for call in (analyzer.fit, analyzer.score, NearestClassCenter().fit(X, Y).score):
        with refused(A_NUMBER) as error:
            call(X, Y, make())
        assert text in str(error.value)


def test_times_in_data_frames():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    for library, dtype in ((pandas, "datetime64"), (polars, "Date")):
        days = library.Series([DAY.item()] * N)
        if library is pandas:
            days = library.to_datetime(days)
        frame = library.DataFrame({"a": X[:, 0], "when": days})
        text = rf"got {dtype}\S* in column 'when'\. Convert"
        with pytest.raises(ValueError, match=text):
            NeuralCollapseAnalyzer().fit(frame, Y)


def test_objects_of_numbers_are_weights():
    counts = np.arange(1, N + 1)
    expected = NeuralCollapseAnalyzer().fit(X, Y, counts).report().to_dict()
    for weights in (counts.astype(object), counts.tolist(), counts.astype(np.uint8)):
        assert (
            NeuralCollapseAnalyzer().fit(X, Y, weights).report().to_dict() == expected
        )


def test_too_many_features_for_a_scatter(monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr("sknc.estimators._fitting.stream.Accumulator", fail)
    wide = np.zeros((4, 300_000), np.float32)
    text = r"The scatter of 300000 features needs 720 GB, .* or covariance=False"
    with pytest.raises(MemoryError, match=text):
        NeuralCollapseAnalyzer().fit(wide, [0, 0, 1, 1])
    with pytest.raises(MemoryError, match=r"^Unable to allocate$"):
        NearestClassCenter().fit(wide, [0, 0, 1, 1])


def test_scorer_of_what_is_no_estimator():
    with pytest.raises(TypeError, match=r"nc_scorer expected .* got int, whose"):
        nc_scorer(5, X, Y)


def test_lists_of_unequal_length():
    text = r"X must be rows of equal length, got \[\[1, 2\], \[3\]\]\. Pad or drop"
    with pytest.raises(ValueError, match=text):
        NeuralCollapseAnalyzer().fit([[1, 2], [3]], [0, 1])


def test_objects_that_are_no_numbers():
    text = "X must be real numbers, got objects: could not convert string to float"
    with pytest.raises(ValueError, match=text):
        NeuralCollapseAnalyzer().fit(np.full((2, 2), "a", object), [0, 1])


def test_statistics_of_another_kind():
    text = r"statistics must be ClassStatistics, got 5\. Pass analyzer\.statistics_\."
    with pytest.raises(ValueError, match=text):
        NearestClassCenter.from_statistics(5)


HEAD = X[:3].copy()


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (HEAD + 1j, "The head's weights must be real numbers, got array([["),
        (HEAD.astype(str), "The head's weights must be real numbers, got array([['"),
        (np.full(HEAD.shape, DAY), "weights must be real numbers, got array([['2020-"),
        (np.full(HEAD.shape, "1", object), "weights must be real numbers, got array("),
        ((HEAD, "abc"), "The head's bias must be real numbers, got 'abc'."),
        ((HEAD, np.ones(3) + 1j), "The head's bias must be real numbers, got array([1"),
    ],
)
def test_heads(head, text):
    with refused(text):
        NeuralCollapseAnalyzer(head=head).fit(X, Y)
    analyzer = NeuralCollapseAnalyzer().fit(X, Y).set_params(head=head)
    for call in (analyzer.report, lambda: analyzer.score(X, Y)):
        with refused(text):
            call()
    with refused(text):
        NearestClassCenter().fit(X, Y).agreement(X, head)


def test_sparse_coefficients_are_a_head():
    head = LogisticRegression().fit(X, Y)
    expected = NeuralCollapseAnalyzer(head=head).fit(X, Y).score(X, Y).to_dict()
    found = NeuralCollapseAnalyzer(head=head.sparsify()).fit(X, Y).score(X, Y)
    assert found.to_dict() == expected
