"""Files are summed by one process or several, to the same numbers."""

import re
from itertools import pairwise

import joblib
import numpy as np
import pytest

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.io import fit_files, fitting, open_features

N, D, K = 600, 5, 4


@pytest.fixture(name="data")
def some_data(tmp_path):
    """Features and labels in shards of the working folder, and in memory."""
    rng = np.random.default_rng(0)
    y = rng.integers(K, size=N)
    X = 3 * rng.normal(size=(K, D))[y] + rng.normal(size=(N, D))
    for i, (start, stop) in enumerate(pairwise((0, 100, 350, 500, N))):
        np.savez(
            tmp_path / f"shard{i}.npz", features=X[start:stop], labels=y[start:stop]
        )
    return tmp_path, X, y


@pytest.fixture
def two_parts(monkeypatch):
    """Let the calling process do the work of two."""
    calls = []

    class Alone:
        def __init__(self, n_jobs, return_as):
            assert (n_jobs, return_as) == (2, "generator")

        def __call__(self, jobs):
            for function, arguments, options in jobs:
                calls.append(arguments[2])
                yield function(*arguments, **options)

    monkeypatch.setattr(fitting, "Parallel", Alone)
    return calls


def assert_same_numbers(found, expected, rel=1e-10):
    assert found.n_samples_seen_ == expected.n_samples_seen_
    report = found.report()
    for key, value in expected.report().to_dict().items():
        assert report[key] == pytest.approx(value, rel=rel), key


def test_one_process_fits_as_fit_batches_does(data):
    folder, X, y = data
    analyzer = NeuralCollapseAnalyzer()
    assert fit_files(analyzer, folder, rows=64) is analyzer
    batches = open_features(folder).batches(64)
    assert_same_numbers(analyzer, NeuralCollapseAnalyzer().fit_batches(batches), rel=0)
    assert_same_numbers(analyzer, NeuralCollapseAnalyzer().fit(X, y))


def test_what_was_fitted_is_forgotten(data, two_parts):
    folder, X, y = data
    for n_jobs in (1, 2):
        analyzer = NeuralCollapseAnalyzer().fit(X[:50] + 1, y[:50])
        fit_files(analyzer, folder, n_jobs=n_jobs)
        assert_same_numbers(analyzer, NeuralCollapseAnalyzer().fit(X, y))


def test_parts_are_merged_in_order(data, two_parts):
    folder, *_ = data
    found = fit_files(NeuralCollapseAnalyzer(), folder, rows=64, n_jobs=2)
    assert two_parts == [(0, 292), (292, N)]  # three batches of the second file
    parts = [
        NeuralCollapseAnalyzer().fit_batches(open_features(folder).batches(64, **part))
        for part in ({"stop": 292}, {"start": 292})
    ]
    assert_same_numbers(found, parts[0].merge(parts[1]), rel=0)


def test_large_files_are_cut_into_more_parts(data, two_parts, monkeypatch):
    folder, *_ = data
    monkeypatch.setattr(fitting, "_PART_BYTES", N * D * 8 // 8)
    fit_files(NeuralCollapseAnalyzer(), folder, rows=8, n_jobs=2)
    assert len(two_parts) == 8
    monkeypatch.setattr(fitting, "_PART_BYTES", 1)
    two_parts.clear()
    fit_files(NeuralCollapseAnalyzer(), folder, rows=8, n_jobs=2)
    assert len(two_parts) == 16


@pytest.mark.parametrize(
    ("lengths", "n_parts", "rows", "edges"),
    [
        ([100] * 4, 2, 10, [0, 200, 400]),
        ([100] * 4, 3, 10, [0, 130, 260, 400]),
        ([100] * 4, 4, 10, [0, 100, 200, 300, 400]),
        ([95, 105], 2, 10, [0, 95, 200]),
        ([1000], 4, 100, [0, 200, 500, 700, 1000]),
        ([0, 5, 0], 8, 10, [0, 5]),
        ([30, 1000], 2, 100, [0, 430, 1030]),
    ],
)
def test_parts_end_with_files_or_batches(lengths, n_parts, rows, edges):
    assert fitting.part_edges(lengths, n_parts, rows) == edges


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_two_workers(data, backend):
    folder, X, y = data
    analyzer = NeuralCollapseAnalyzer(head=np.ones((K, D)), n_jackknife=2)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = fit_files(analyzer, open_features(folder), rows=64)
    assert found is analyzer
    assert_same_numbers(found, NeuralCollapseAnalyzer(analyzer.head).fit(X, y))
    assert found.report().standard_error["nc1_pinv"] > 0


def test_other_estimators_and_classes(data, two_parts):
    folder, X, y = data
    for n_jobs in (1, 2):
        found = fit_files(NearestClassCenter(), folder, n_jobs=n_jobs, classes=range(6))
        assert [*found.classes_] == [*range(6)]
        assert found.predict(X[:9]) == pytest.approx(
            NearestClassCenter().fit(X, y).predict(X[:9])
        )


def test_bad_rows_are_named_and_the_estimator_stays(data, two_parts):
    folder, X, y = data
    analyzer = NeuralCollapseAnalyzer().fit(X[:50], y[:50])
    before = analyzer.statistics_
    bad = X[350:500].copy()
    bad[70, 2] = np.nan
    np.savez(folder / "shard2.npz", features=bad, labels=y[350:500])
    for n_jobs in (1, 2):
        message = rf"NaN.* These were rows 64 to 127 of .*{re.escape('shard2.npz')}\.$"
        with pytest.raises(ValueError, match=message):
            fit_files(analyzer, folder, rows=64, n_jobs=n_jobs)
    assert analyzer.statistics_ is before


def test_options_of_paths_do_not_go_with_opened_files(data):
    files = open_features(data[0])
    with pytest.raises(ValueError, match=r"labels=, key= and label_key= belong to pa"):
        fit_files(NeuralCollapseAnalyzer(), files, labels=data[2])


def test_progress(data, two_parts, capsys):
    pytest.importorskip("tqdm")
    for n_jobs in (1, 2):
        fit_files(NeuralCollapseAnalyzer(), data[0], progress=True, n_jobs=n_jobs)
        assert "600/600" in capsys.readouterr().err
    with pytest.raises(ValueError, match="progress must be True or False, got 1"):
        fit_files(NeuralCollapseAnalyzer(), data[0], progress=1)


def test_places_of_rows(data):
    files = open_features(data[0])
    found = [files.place_of(row) for row in (0, 99, 100, 349, 350, N - 1)]
    assert [path.name[5] for path, _ in found] == [*"001123"]
    assert [row for _, row in found] == [0, 99, 0, 249, 0, 99]
    with pytest.raises(ValueError, match=r"row must be 0 to 599, got 600\."):
        files.place_of(N)
