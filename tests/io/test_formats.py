"""Every format gives the numbers of arrays in memory."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from feature_files import NPY, WAYS, stored_values, table

from sknc import NeuralCollapseAnalyzer
from sknc.io import open_features
from sknc.io._formats import FORMATS, sliced

N, D, K = 500, 12, 6
every_way = pytest.mark.parametrize("way", WAYS, ids=str)


@pytest.fixture(name="X")
def some_features():
    return np.random.default_rng(0).normal(3, 1, (N, D)).astype(np.float32)


@pytest.fixture(name="y")
def some_labels():
    return np.random.default_rng(1).integers(K, size=N)


def moments(analyzer):
    return vars(analyzer.statistics_.moments)


def test_every_suffix_is_written_by_a_test():
    tested = {"." + way.name.rpartition(".")[2] for way in WAYS} | {".npy"}
    assert tested == set(FORMATS)


@every_way
def test_numbers_are_those_of_arrays(tmp_path, X, y, way):
    files = open_features(way.to(tmp_path, X, y))
    stored = stored_values(way, X)
    assert (files.shape, files.dtype) == ((N, D), np.float32)
    np.testing.assert_array_equal(files.classes, np.arange(K))
    # To the last bit in the same batches; to rounding in one.
    in_files = NeuralCollapseAnalyzer().fit_batches(files.batches(64))
    cut = [(stored[i : i + 64], y[i : i + 64]) for i in range(0, N, 64)]
    for name, values in moments(NeuralCollapseAnalyzer().fit_batches(cut)).items():
        np.testing.assert_array_equal(moments(in_files)[name], values, name)
    report = in_files.report()
    for key, value in (
        NeuralCollapseAnalyzer().fit(stored, y).report().to_dict().items()
    ):
        assert report[key] == pytest.approx(value, rel=1e-10), key


@every_way
def test_rows_in_the_middle(tmp_path, X, y, way):
    files = open_features(way.to(tmp_path, X, y))
    stored = stored_values(way, X)
    for start, stop in ((0, 1), (130, 131), (77, 400), (N - 1, N)):
        found = [*files.batches(100, start=start, stop=stop)]
        features, labels = (np.concatenate(part) for part in zip(*found, strict=True))
        np.testing.assert_array_equal(features, stored[start:stop])
        np.testing.assert_array_equal(labels, y[start:stop])


@every_way
def test_shards(tmp_path, X, y, way):
    for i in range(3):
        folder = tmp_path / str(i)
        folder.mkdir()
        way.to(folder, X[i::3], y[i::3])
    files = open_features([tmp_path / str(i) / way.name for i in range(3)])
    found = np.concatenate([features for features, _ in files.batches(90)])
    order = np.concatenate([np.arange(N)[i::3] for i in range(3)])
    np.testing.assert_array_equal(found, stored_values(way, X)[order])


@pytest.mark.parametrize("way", [w for w in WAYS if "bfl" not in w.name], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "bool"])
def test_dtypes(tmp_path, X, y, way, dtype):
    X = (X if dtype != "bool" else X > 3).astype(dtype)
    files = open_features(way.to(tmp_path, X, y))
    assert files.dtype == dtype
    found = np.concatenate([features for features, _ in files.batches(200)])
    np.testing.assert_array_equal(found, X)


@every_way
def test_damaged_files_are_named(tmp_path, X, y, way):
    path = way.to(tmp_path, X, y)
    if path.is_dir():
        path = path / "zarr.json"
    data = path.read_bytes()
    for damaged in (data[: len(data) // 2], b"", b"no such format " * 20):
        path.write_bytes(damaged)
        name = re.escape(way.name)
        message = rf"{name} (cannot be read as a \.\w+ file: \w|is truncated, or)"
        with pytest.raises(ValueError, match=message) as error:
            open_features(tmp_path / way.name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("way", [way for way in WAYS if way.libraries], ids=str)
def test_missing_libraries_are_named(tmp_path, X, y, way, monkeypatch):
    path = way.to(tmp_path, X, y)
    library = way.libraries[-1].partition(".")[0]
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    extra = "torch" if library == "torch" else "io"
    message = rf"requires {library}, from the extra '{extra}': .* '\.\[{extra}\]'\."
    with pytest.raises(ImportError, match=message):
        [*open_features(path).batches()]


def n_maps(name):
    """Return how many maps of a file this process has, or skip."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except FileNotFoundError:
        pytest.skip("needs /proc/self/maps")
    return sum(line.endswith(name) for line in lines)


@pytest.mark.parametrize("way", [NPY, *WAYS], ids=str)
def test_maps_are_given_back(tmp_path, X, y, way):
    # Or pages of a file would stay in memory after they are read.
    path = way.to(tmp_path, X, y)
    name = f"{tmp_path.name}/{way.name}"
    for start in (0, 200):
        for features, _ in open_features(path, y).batches(50, start=start):
            assert len(features) == 50
            assert n_maps(name) <= 2
            if way is NPY:
                assert n_maps(name) > 0
        del features
        assert n_maps(name) == 0


# Details of single formats ----------------------------------------------------


def test_a_tensor_alone(tmp_path, X, y, torch):
    torch.save(torch.from_numpy(X), tmp_path / "X.pt")
    torch.save(torch.from_numpy(y), tmp_path / "y.pt")
    ((features, labels),) = open_features(
        tmp_path / "X.pt", tmp_path / "y.pt"
    ).batches()
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(labels, y)


def test_pickles_and_old_files_of_torch_are_refused(tmp_path, X, torch):
    path = tmp_path / "X.pt"
    torch.save({"features": torch.from_numpy(X), "run": Anything()}, path)
    with pytest.raises(
        ValueError, match=r"X\.pt contains Python objects, which are not"
    ):
        open_features(path)
    torch.save(torch.from_numpy(X), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"X\.pt is truncated, or in torch's old"):
        open_features(path)
    torch.save({"features": torch.from_numpy(X).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(ValueError, match=r"must be real numbers, got \|V1"):
        open_features(path)


class Anything:
    """What only pickle can write."""


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_text_and_dictionaries_of_arrow(tmp_path, X, y, suffix):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = np.array(["ant", "bee", "cat", "dog", "eel", "fox"])[y]
    found = table(pa, X, names)
    found = found.append_column("coded", pa.array(names).dictionary_encode())
    found = found.append_column("when", pa.array(y, pa.timestamp("s")))
    found = found.append_column("alone", pa.array([None] + [1.0] * (N - 1)))
    path = tmp_path / f"X{suffix}"
    if suffix == ".parquet":
        parquet.write_table(found, path, row_group_size=150)
    else:
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_file(file, found.schema) as writer,
        ):
            writer.write_table(found, 150)
    for key in (None, "coded"):
        files = open_features(path, label_key=key)
        labels = np.concatenate([labels for _, labels in files.batches(80)])
        np.testing.assert_array_equal(labels, names)
    with pytest.raises(
        ValueError, match=r"Column 'alone' of .*X\.\w+ has missing values"
    ):
        [*open_features(path, label_key="alone").batches()]
    with pytest.raises(ValueError, match=r"no array label_key='when', but 'features'"):
        open_features(path, label_key="when")


def test_lists_of_several_lengths(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "X.parquet"
    parquet.write_table(
        pa.table({"features": [[1.0, 2.0], [1.0]], "labels": [0, 1]}), path
    )
    with pytest.raises(
        ValueError, match=r"'features' of .* the same length, got 2 and 1\."
    ):
        [*open_features(path).batches()]


def test_tensors_of_arrow(tmp_path, X, y):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    features = pa.FixedShapeTensorArray.from_numpy_ndarray(X)
    path = tmp_path / "X.parquet"
    parquet.write_table(pa.table({"features": features, "labels": y}), path)
    files = open_features(path)
    assert files.shape == (N, D)
    np.testing.assert_array_equal(next(files.batches(N))[0], X)


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_groups_and_text(tmp_path, X, y, suffix):
    library = pytest.importorskip("h5py" if suffix == ".h5" else "zarr")
    path, names = tmp_path / f"X{suffix}", np.array([f"class {k}" for k in y])
    if suffix == ".h5":
        with library.File(path, "w") as file:
            file["train/features"] = X
            file["train/labels"] = names.astype(object)
    else:
        group = library.create_group(str(path)).create_group("train")
        group.create_array("features", data=X)
        group.create_array("labels", data=y)
    files = open_features(path, key="train/features", label_key="train/labels")
    ((features, labels),) = files.batches(N)
    np.testing.assert_array_equal(features, X)
    np.testing.assert_array_equal(labels, names if suffix == ".h5" else y)


def test_a_zarr_array_alone(tmp_path, X, y):
    zarr = pytest.importorskip("zarr")
    zarr.save_array(str(tmp_path / "X.zarr"), X)
    zarr.save_array(str(tmp_path / "y.zarr"), y)
    files = open_features(tmp_path / "X.zarr", tmp_path / "y.zarr")
    np.testing.assert_array_equal(next(files.batches(N))[0], X)


def test_a_folder_that_is_no_zarr_array(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "X.zarr").mkdir()
    with pytest.raises(
        ValueError, match=r"X\.zarr cannot be read as a \.zarr file: No"
    ):
        open_features(tmp_path / "X.zarr")


def test_files_that_are_gone(tmp_path, X, y):
    np.save(tmp_path / "X.npy", X)
    files = open_features(tmp_path / "X.npy", y)
    (tmp_path / "X.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"X\.npy"):
        [*files.batches()]


def test_whole_chunks_are_read(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    X = np.arange(2000.0).reshape(1000, 2)
    with h5py.File(tmp_path / "X.h5", "w") as file:
        file.create_dataset("features", data=X, chunks=(300, 2))
    files = open_features(tmp_path / "X.h5", np.zeros(1000))
    array = files.arrays[0]
    assert [len(p) for p in array.pieces(100, 1000, 200)] == [200, 300, 300, 100]
    assert [len(features) for features, _ in files.batches(200, start=100)] == (
        [200, 200, 200, 200, 100]
    )
    # Unless they are large.
    monkeypatch.setattr(sliced, "_MOST_BYTES", 16 * 299)
    assert [len(p) for p in array.pieces(0, 1000, 250)] == [250] * 4
