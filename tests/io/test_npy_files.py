"""Features in .npy and .npz files."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from tolerances import CLOSE

from sknc import NeuralCollapseAnalyzer
from sknc.io import open_features

N, D, K = 203, 7, 5


@pytest.fixture(name="X")
def some_features():
    rng = np.random.default_rng(0)
    return rng.normal(3, 1, (N, D)).astype(np.float32)


@pytest.fixture(name="y")
def some_labels():
    return np.random.default_rng(1).integers(K, size=N)


def all_rows(files, rows=50, **where):
    """Return all batches of files, joined."""
    batches = [*files.batches(rows, **where)]
    assert all(len(features) == len(labels) for features, labels in batches)
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def assert_same_state(found, expected):
    """Check that two analyzers hold the same numbers, to the last bit."""
    assert found.n_samples_seen_ == expected.n_samples_seen_
    np.testing.assert_array_equal(found.classes_, expected.classes_)
    for name, values in vars(expected.statistics_.moments).items():
        np.testing.assert_array_equal(
            getattr(found.statistics_.moments, name), values, name
        )


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i8", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_rows_are_those_of_the_array(tmp_path, X, y, dtype, order, suffix):
    stored = np.asarray(np.abs(X), dtype=dtype, order=order)
    path = tmp_path / f"X{suffix}"
    if suffix == ".npy":
        np.save(path, stored)
    else:
        np.savez(path, labels=y, features=stored)
    files = open_features(path, y if suffix == ".npy" else None)
    assert files.shape == (N, D)
    assert files.dtype == np.dtype(dtype).newbyteorder("=")
    for rows in (1, 50, N, N + 1):
        features, labels = all_rows(files, rows)
        assert features.dtype == files.dtype
        np.testing.assert_array_equal(features, stored)
        np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(files.classes, np.arange(K))


def test_compressed_archives_are_streamed(tmp_path, X, y):
    path = tmp_path / "X.npz"
    np.savez_compressed(path, features=X, labels=y)
    files = open_features(path)
    np.testing.assert_array_equal(all_rows(files)[0], X)
    np.testing.assert_array_equal(all_rows(files, start=60, stop=190)[0], X[60:190])
    np.savez_compressed(path, features=np.asfortranarray(X), labels=y)
    with pytest.raises(ValueError, match=r"compressed in column-major order"):
        open_features(path)


def test_numbers_are_those_of_one_fit(tmp_path, X, y):
    np.save(tmp_path / "X.npy", X)
    files = open_features(tmp_path / "X.npy", y)
    expected = NeuralCollapseAnalyzer().fit(X, y)
    assert_same_state(NeuralCollapseAnalyzer().fit_batches(files.batches()), expected)
    cut = [(X[i : i + 50], y[i : i + 50]) for i in range(0, N, 50)]
    in_batches = NeuralCollapseAnalyzer().fit_batches(files.batches(50))
    assert_same_state(in_batches, NeuralCollapseAnalyzer().fit_batches(cut))
    for key, value in expected.report().to_dict().items():
        assert in_batches.report()[key] == pytest.approx(value, rel=CLOSE), key


def written_shards(folder, X, y, edges=(0, 90, 90, 140, N)):
    """Write rows in shards whose numbers have no leading zeros."""
    for i, (start, stop) in enumerate(pairwise(edges)):
        np.save(folder / f"X{8 + i}.npy", X[start:stop])
        np.save(folder / f"y{8 + i}.npy", y[start:stop])


def test_shards_are_one_data_set_in_natural_order(tmp_path, X, y):
    written_shards(tmp_path, X, y)  # X8, X9 (empty), X10 and X11
    pattern, one_file = str(tmp_path / "X*.npy"), tmp_path / "all_labels.npy"
    np.save(one_file, y)
    for labels in (y, list(y), one_file, str(tmp_path / "y?*.npy")):
        files = open_features(pattern, labels)
        assert files.lengths == (90, 0, 50, N - 140)
        assert files.shape == (N, D)
        for found, expected in zip(all_rows(files), (X, y), strict=True):
            np.testing.assert_array_equal(found, expected)
    # A list keeps its order.
    names = [tmp_path / "X10.npy", str(tmp_path / "X8.npy")]
    files = open_features(names, [*y[90:140], *y[:90]])
    np.testing.assert_array_equal(all_rows(files)[0], [*X[90:140], *X[:90]])


def test_a_folder_is_one_data_set(tmp_path, X, y):
    for name, values in (("X", X), ("y", y)):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(11):
            np.save(folder / f"{i}.npy", values[i::11])
    (tmp_path / "X" / ".hidden.npy").write_bytes(b"")
    (tmp_path / "X" / "README.md").write_text("About")
    files = open_features(tmp_path / "X", tmp_path / "y")
    order = np.concatenate([np.arange(N)[i::11] for i in range(11)])
    np.testing.assert_array_equal(all_rows(files)[0], X[order])
    np.testing.assert_array_equal(all_rows(files)[1], y[order])


def test_batches_end_with_a_file(tmp_path, X, y):
    written_shards(tmp_path, X, y)
    files = open_features(str(tmp_path / "X*.npy"), y)
    lengths = [len(labels) for _, labels in files.batches(60)]
    assert lengths == [60, 30, 50, 60, 3]


def test_reading_can_go_on_after_any_batch(tmp_path, X, y):
    written_shards(tmp_path, X, y)
    files = open_features(str(tmp_path / "X*.npy"), y)
    whole, read = [*files.batches(32)], 0
    for number, (features, _) in enumerate(whole):
        rest = [*files.batches(32, start=read)]
        assert len(rest) == len(whole) - number
        for (found, _), (expected, _) in zip(rest, whole[number:], strict=True):
            np.testing.assert_array_equal(found, expected)
        read += len(features)
    assert [*files.batches(start=N)] == []
    parts = [all_rows(files, start=a, stop=b)[0] for a, b in ((0, 77), (77, N))]
    np.testing.assert_array_equal(np.concatenate(parts), X)


def test_labels_may_be_text(tmp_path, X, y):
    names = np.array(["ant", "bee", "cat", "dog", "eel"])[y]
    np.savez(tmp_path / "X.npz", X=X, y=names)
    files = open_features(tmp_path / "X.npz")
    assert [*files.classes] == ["ant", "bee", "cat", "dog", "eel"]
    found = NeuralCollapseAnalyzer().fit_batches(files.batches(20))
    assert [*found.classes_] == [*files.classes]
    # A list of text is no list of paths.
    assert [*open_features(tmp_path / "X.npz", [*names]).classes] == [*files.classes]


def test_arrays_are_found_by_name(tmp_path, X, y):
    path = tmp_path / "all.npz"
    np.savez(path, X=X, logits=X[:, :5] + 1, fine=y, coarse=y // 2)
    files = open_features(path, key="logits", label_key="coarse")
    np.testing.assert_array_equal(all_rows(files)[0], X[:, :5] + 1)
    np.testing.assert_array_equal(all_rows(files)[1], y // 2)
    assert open_features(path).shape == (N, D)  # X is a usual name
    in_other_file = open_features(path, path, label_key="fine")
    np.testing.assert_array_equal(all_rows(in_other_file)[1], y)


def test_files_can_be_pickled_and_shown(tmp_path, X, y):
    written_shards(tmp_path, X, y)
    files = open_features(str(tmp_path / "X*.npy"), str(tmp_path / "y*.npy"))
    again = pickle.loads(pickle.dumps(files))
    np.testing.assert_array_equal(all_rows(again)[0], X)
    first = tmp_path / "X8.npy"
    assert repr(files) == f"<4 files from {first}: ({N}, {D}), float32>"
    without = open_features(first)
    assert repr(without) == f"<{first}: (90, {D}), float32, no labels>"
