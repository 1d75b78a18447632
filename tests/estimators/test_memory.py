"""Memory beyond the state stays small, however the features are stored."""

import pickle
import tracemalloc

import numpy as np
import pytest
from tolerances import SINGLE

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

N, D, K = 18_000, 256, 10
FEW = N // 2  # more than any block
# Bytes that peaks may grow by from FEW to N rows: labels, indices of classes and the
# like, but not one byte an element.
MOST = (N - FEW) * D // 4


def stored_float16(X, folder):
    return X.astype(np.float16)


def stored_int8(X, folder):
    return X.astype(np.int8)


def stored_bool(X, folder):
    return X > 0


def stored_big_endian(X, folder):
    return X.astype(">f2")


def stored_strided(X, folder):
    return np.repeat(X, 2, axis=1)[::-1, ::2][::-1]


def stored_columns(X, folder):
    return np.concatenate([X, X[:, :8]], axis=1)[:, :D]


def stored_memory_map(X, folder):
    np.save(folder / "X.npy", X.astype(np.float16))
    return np.load(folder / "X.npy", mmap_mode="r")


SOME = [stored_float16, stored_int8, stored_columns]
STORED = [
    *SOME,
    stored_bool,
    stored_big_endian,
    stored_strided,
    stored_memory_map,
]


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    y = rng.integers(K, size=N)
    means = 20 * rng.standard_normal((K, D), dtype=np.float32)
    X = 5 * rng.standard_normal((N, D), dtype=np.float32)
    X += means[y]
    return X, y


@pytest.fixture(params=STORED, ids=lambda make: make.__name__.removeprefix("stored_"))
def stored(request, samples, tmp_path):
    """Return features as they are stored, and their labels."""
    X, y = samples
    return request.param(X, tmp_path), y


some = pytest.mark.parametrize(
    "stored", SOME, indirect=True, ids=["float16", "int8", "columns"]
)


def growth(function, *arguments):
    """Return how much more memory all rows take at the peak than a few."""
    few = [array[:FEW] for array in arguments]
    function(*few)  # what is computed once, and memory that is kept
    return _peak(function, arguments) - _peak(function, few)


def _peak(function, arguments):
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_analyzer_takes_blocks(stored, method):
    X, y = stored
    analyzer = NeuralCollapseAnalyzer(covariance=False).fit(X[:256], y[:256])
    assert growth(getattr(analyzer, method), X, y) < MOST


@some
@pytest.mark.parametrize("method", ["fit", "score"])
def test_groups_take_blocks(stored, method):
    X, y = stored
    analyzer = NeuralCollapseAnalyzer(covariance=False, n_jackknife=2)
    analyzer.fit(X[:256], y[:256])
    # Groups are of random size, and with them their last blocks.
    assert growth(getattr(analyzer, method), X, y) < 4 * MOST


@some
@pytest.mark.parametrize("method", ["transform", "score_ood"])
def test_coordinates_take_blocks(stored, method):
    X, y = stored
    analyzer = NeuralCollapseAnalyzer().fit(X[:256], y[:256])
    results = (N - FEW) * 8 * {"transform": K - 1}.get(method, 2)
    assert growth(getattr(analyzer, method), X) < MOST + results


@some
@pytest.mark.parametrize("method", ["predict", "decision_function", "transform"])
def test_classifier_takes_blocks(stored, method):
    X, y = stored
    model = NearestClassCenter().fit(X[:256], y[:256])
    results = (N - FEW) * 8 * (1 if method == "predict" else K)
    assert growth(getattr(model, method), X) < MOST + results


@some
def test_agreement_takes_blocks(stored):
    X, y = stored
    model = NearestClassCenter().fit(X[:256], y[:256])
    assert growth(lambda X, y: model.agreement(X, np.eye(K, D), y), X, y) < MOST


def test_blocks_have_the_numbers_of_a_copy(stored):
    X, y = (array[:5000] for array in stored)
    copy = np.array(X, dtype=X.dtype if X.dtype.kind == "f" else float)
    copy = copy.astype(copy.dtype.newbyteorder("="))
    found, expected = (NeuralCollapseAnalyzer().fit(each, y) for each in (X, copy))
    for name in ("counts", "anchors", "sums", "squares", "scatter"):
        values = [getattr(a.statistics_.moments, name) for a in (found, expected)]
        np.testing.assert_allclose(*values, rtol=1e-5 if X.dtype == ">f2" else 0)
    assert found.report() == pytest.approx(expected.report(), rel=SINGLE)
    scores = [a.score(each, y) for a, each in ((found, X), (expected, copy))]
    assert scores[0].to_dict() == pytest.approx(scores[1].to_dict(), rel=SINGLE)


def test_not_finite_is_found_in_the_last_block(stored):
    X, y = stored
    if X.dtype.kind != "f":
        pytest.skip("integers are finite")
    for value, text in ((np.nan, "1 NaN and 0 inf"), (-np.inf, "0 NaN and 1 inf")):
        bad = np.concatenate([X, X[:, ::-1]], axis=1)[:, :D]  # of columns
        bad[-1, -1] = value
        analyzer = NeuralCollapseAnalyzer(covariance=False).fit(X[:256], y[:256])
        before = pickle.dumps(analyzer)
        with pytest.raises(ValueError, match=text):
            analyzer.partial_fit(bad, y)
        assert pickle.dumps(analyzer) == before
