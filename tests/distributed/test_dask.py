"""Dask arrays and data frames against arrays in memory."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from sknc import NCReport, NearestClassCenter, NeuralCollapseAnalyzer

dask = pytest.importorskip("dask", reason="needs the extra 'dask'")
da = pytest.importorskip("dask.array", reason="needs the extra 'dask'")
import dask_cluster  # noqa: E402
from dask_cluster import HEAD, WEIGHTS, D, K, N, X, Y  # noqa: E402

from sknc.distributed import fit, score  # noqa: E402


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def check_equal(found, expected):
    """Compare two reports."""
    assert found.n_samples == expected.n_samples
    assert found.to_dict().keys() == expected.to_dict().keys()
    assert len(found.to_dict()) > 5
    assert found.to_dict() == pytest.approx(
        expected.to_dict(), rel=1e-10, abs=1e-10, nan_ok=True
    )


@pytest.mark.parametrize("options", [{}, {"covariance": False}, {"metrics": "all"}])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_arrays_equal_one_fit(options, weights):
    analyzer = NeuralCollapseAnalyzer(HEAD, **options)
    one = NeuralCollapseAnalyzer(HEAD, **options).fit(X, Y, weights)
    blocks = da.from_array(X, chunks=(130, 5))
    labels = da.from_array(Y, chunks=200)
    merged = fit(analyzer, blocks, labels, weights)
    assert not analyzer.__sklearn_is_fitted__()
    assert merged.head is HEAD
    assert merged.classes_.tolist() == list(range(K))
    check_equal(merged.report(), one.report())
    check_equal(
        score(merged, blocks, labels, weights), one.score(X, Y, sample_weight=weights)
    )


def frame_of(labels, sizes=(500, 0, 250, 450)):
    """Return a data frame whose partitions have these sizes."""
    pandas = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe", reason="needs the extra 'dask'")
    frame = pandas.DataFrame(X, columns=[f"f{i}" for i in range(D)])
    frame["label"], frame["weight"] = labels, WEIGHTS
    ends = np.cumsum(sizes)
    starts = ends - np.array(sizes)
    parts = [frame.iloc[a:b] for a, b in zip(starts, ends, strict=True)]
    return dd.from_map(lambda part: part, parts, meta=frame.iloc[:0])


def test_data_frames_equal_one_fit():
    names = np.array(["ant", "bee", "cat", "dog", "elk", "fox"])[Y]
    frame = frame_of(names)
    features = frame.drop(columns=["label", "weight"])
    merged = fit(NeuralCollapseAnalyzer(), features, frame["label"], frame["weight"])
    one = NeuralCollapseAnalyzer().fit(X, names, WEIGHTS)
    check_equal(merged.report(), one.report())
    assert merged.classes_.tolist() == one.classes_.tolist()
    assert merged.feature_names_in_.tolist() == list(features.columns)
    check_equal(
        score(merged, features, frame["label"], frame["weight"]),
        one.score(X, names, WEIGHTS),
    )
    rows = features.to_dask_array()  # nobody knows how many rows are in a block
    check_equal(
        fit(NeuralCollapseAnalyzer(), rows, frame["label"], frame["weight"]).report(),
        one.report(),
    )


NAMES = np.array(["ant", "bee", "cat", "dog", "elk", "fox"])[Y]


def of_pandas(dtype):
    """Return names in a series whose index is not 0 ... N - 1."""
    pandas = pytest.importorskip("pandas")
    return pandas.Series(NAMES, index=np.arange(N)[::-1] + 0.5, dtype=dtype)


@pytest.mark.parametrize(
    "labels",
    [
        lambda: NAMES,
        lambda: NAMES.astype(object),
        lambda: NAMES.tolist(),
        lambda: of_pandas(None),
        lambda: of_pandas(object),
        lambda: of_pandas("string"),
        lambda: of_pandas("category"),
        lambda: of_pandas("category").to_frame(),
        lambda: da.from_array(NAMES.astype(object), chunks=500),
    ],
    ids=[
        *("array", "objects", "list", "series", "series of objects"),
        *("strings", "categories", "frame", "dask array of objects"),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_text_labels(labels):
    blocks, labels = da.from_array(X, chunks=(130, 5)), labels()
    merged = fit(NeuralCollapseAnalyzer(), blocks, labels)
    one = NeuralCollapseAnalyzer().fit(X, NAMES)
    assert merged.classes_.tolist() == one.classes_.tolist()
    check_equal(merged.report(), one.report())
    check_equal(score(merged, blocks, labels), one.score(X, NAMES))


def test_text_labels_beside_a_data_frame():
    pandas = pytest.importorskip("pandas")
    features = frame_of(Y, (N,)).drop(columns=["label", "weight"])
    one = NeuralCollapseAnalyzer().fit(X, NAMES)
    for dtype in (None, object, "category"):
        labels = pandas.Series(NAMES, dtype=dtype)
        merged = fit(NeuralCollapseAnalyzer(), features, labels)
        check_equal(merged.report(), one.report())
        with pytest.raises(ValueError, match="have partitions with different indices"):
            fit(NeuralCollapseAnalyzer(), features, labels[::-1])


@pytest.mark.parametrize("weight", [2.0, np.float64(2), da.from_array(np.array(2.0))])
def test_one_weight_of_all_samples(weight):
    blocks = da.from_array(X, chunks=(130, D))
    merged = fit(NeuralCollapseAnalyzer(), blocks, Y, weight)
    one = NeuralCollapseAnalyzer().fit(X, Y, 2.0)
    assert merged.class_count_.tolist() == one.class_count_.tolist()
    assert merged.class_count_.sum() == 2 * N
    check_equal(score(merged, blocks, Y, weight), one.score(X, Y, 2.0))
    with pytest.raises(ValueError, match=r"^y should be a 1d array, got .* shape \(\)"):
        fit(NeuralCollapseAnalyzer(), blocks, weight)


def test_nearest_class_center():
    blocks = da.from_array(X, chunks=(130, D))
    merged = fit(NearestClassCenter(), blocks, Y)
    one = NearestClassCenter().fit(X, Y)
    np.testing.assert_array_equal(merged.predict(X), one.predict(X))
    np.testing.assert_allclose(merged.class_means_, one.class_means_, rtol=1e-12)


def test_classes_that_are_named():
    blocks = da.from_array(X, chunks=(300, D))
    merged = fit(NeuralCollapseAnalyzer(), blocks, Y, classes=range(9))
    assert len(merged.classes_) == 9
    with pytest.raises(ValueError, match="9"):
        merged.partial_fit(X, Y + 9)


def test_graphs_hold_the_head_once_and_states_without_it(monkeypatch):
    from sknc.distributed import dask as module

    head = np.ones((K, 20_000))
    wide = da.ones((N, 20_000), chunks=(50, 20_000))
    graphs = []
    monkeypatch.setattr(module, "_computed", lambda d: graphs.append(d) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(NeuralCollapseAnalyzer(head, covariance=False), wide, Y)
    size = len(pickle.dumps(dict(graphs[0].dask)))
    assert head.nbytes < size < 1.5 * head.nbytes
    state = module._fitted(
        NeuralCollapseAnalyzer(head, covariance=False),
        np.ones((2, 20_000)),
        np.arange(2),
        None,
        range(K),
    )
    assert state.head is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            lambda: (NeuralCollapseAnalyzer(), X, Y),
            TypeError,
            r"^fit expected X as a dask array or data frame with two dimensions, got "
            r"array.*\. For data in memory, use analyzer\.fit\.$",
        ),
        (
            lambda: (None, da.from_array(X), Y),
            TypeError,
            r"^fit expected a NeuralCollapseAnalyzer or NearestClassCenter, got None\.",
        ),
        (
            lambda: (NeuralCollapseAnalyzer(), da.from_array(X), Y[1:]),
            ValueError,
            r"^X has 1200 rows, but y has 1199\.$",
        ),
        (
            lambda: (NeuralCollapseAnalyzer(), da.from_array(X[:0]), Y[:0]),
            ValueError,
            r"^fit got an X without rows: expected at least one sample\.$",
        ),
        (
            lambda: (NeuralCollapseAnalyzer(), frame_of(Y).drop(columns="label"), Y),
            ValueError,
            r"^X has 4 blocks, but y has 1, and the numbers of rows in them are "
            r"unknown\. Use the same blocks for both, or call "
            r"compute_chunk_sizes\(\)\.$",
        ),
        (
            lambda: (
                NeuralCollapseAnalyzer(),
                frame_of(Y)[["f0", "f1"]],
                frame_of(Y, (500, 0, 251, 449))["label"],
            ),
            ValueError,
            r"^X and y or sample_weight have partitions with different indices\. Take "
            r"them from the same data frame\.$",
        ),
        (
            lambda: (NeuralCollapseAnalyzer(), da.from_array(X) * np.nan, Y),
            ValueError,
            "NaN",
        ),
    ],
)
def test_errors_of_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        fit(*arguments())


def test_errors_of_score():
    blocks = da.from_array(X, chunks=(300, D))
    with pytest.raises(TypeError, match=r"^score expected a NeuralCollapseAnalyzer, "):
        score(NearestClassCenter().fit(X, Y), blocks, Y)
    with pytest.raises(ValueError, match="not fitted"):
        score(NeuralCollapseAnalyzer(), blocks, Y)
    analyzer = NeuralCollapseAnalyzer().fit(X, Y)
    with pytest.raises(ValueError, match="without fitted samples"):
        score(analyzer, blocks, Y + 1)
    with pytest.raises(ValueError, match="without samples"):
        score(analyzer, blocks[:0], Y[:0])


# A cluster ------------------------------------------------------------------------


@pytest.mark.engines
def test_a_killed_worker_changes_nothing(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    done = subprocess.run(
        [sys.executable, dask_cluster.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    one = NeuralCollapseAnalyzer(HEAD).fit(X, Y)
    for work, expected in (("fit", one.report()), ("score", one.score(X, Y))):
        found = json.loads((tmp_path / f"{work}.json").read_text())
        check_equal(NCReport.from_json(found["report"]), expected)
        # In the middle: not all blocks had begun, and some were made twice.
        assert found["begun"] < dask_cluster.N_BLOCKS < len(found["made_by"])
        assert found["killed"] in found["made_by"]
        assert len(set(found["made_by"])) >= 4
