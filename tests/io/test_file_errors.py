"""What is wrong with files is said in one line, with what to do."""

import re

import numpy as np
import pytest

from sknc.io import open_features


class Anything:
    """An object that only pickle can write."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files of five rows in the working folder."""
    monkeypatch.chdir(tmp_path)
    X, y = np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    np.save("features.npy", X)
    np.save("labels.npy", y)
    np.save("short.npy", y[:4])
    np.save("wide.npy", np.ones((5, 3)))
    np.save("half.npy", X.astype(np.float16))
    np.save("maps.npy", np.ones((5, 2, 4, 4)))
    np.save("tokens.npy", np.ones((5, 3, 2)))
    np.save("empty.npy", X[:0])
    np.save("complex.npy", X + 1j)
    np.save("objects.npy", np.array([Anything()] * 5), allow_pickle=True)
    np.savez("two.npz", a=X, b=X[:, :1], c=y)
    np.savez("mixed.npz", X=X, labels=y, target=y)
    np.save("table.npy", np.array([[Anything(), 1]] * 5), allow_pickle=True)
    np.savez("objects.npz", X=X, labels=np.array([Anything()] * 5))
    np.save("bytes.npy", y.astype("S1"))
    np.savez("bytes.npz", X=X, labels=y.astype("S1"))
    np.savez("nothing.npz")
    (tmp_path / "notes.txt").write_text("About")
    (tmp_path / "text.npy").write_text("not an array, but long enough for a header")
    whole = (tmp_path / "features.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-1])
    (tmp_path / "header.npy").write_bytes(whole[:20])
    archive = (tmp_path / "two.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(archive[:-30])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes.txt").write_text("About")
    (tmp_path / "void").mkdir()
    (tmp_path / "folder.npy").mkdir()
    return tmp_path


ONE_OF_EACH = "expected one label per row."
DAMAGED = "It may be damaged, truncated or misnamed. Write it again."
OBJECTS = (
    "are Python objects, which are not loaded because doing so could run code. Save"
)

CASES = [
    # Paths
    (
        "feature.npy",
        None,
        {},
        "paths: no file feature.npy. Did you mean 'features.npy'?",
    ),
    (
        "other/x.npy",
        None,
        {},
        "paths: no file other/x.npy, because there is no folder other.",
    ),
    ("zzz", None, {}, "paths: no file zzz. Check the path."),
    (
        "features.npy",
        "label.npy",
        {},
        "labels: no file label.npy. Did you mean 'labels.npy'?",
    ),
    ("*.npq", None, {}, "paths: no file matches *.npq. Patterns are those of a shell."),
    (
        "*.txt",
        None,
        {},
        "paths: nothing that *.txt matches has a known suffix (.npy, .npz",
    ),
    (
        "notes.txt",
        None,
        {},
        "notes.txt has the suffix '.txt'. Known formats: .npy, .npz",
    ),
    ("sub", None, {}, "The folder sub has no file of a known format (.npy, .npz"),
    ("void", None, {}, "): nothing."),
    (
        [],
        None,
        {},
        "paths must be a path, a glob pattern, a folder, or a list of these with "
        "at least one item, got [].",
    ),
    (
        3,
        None,
        {},
        "paths must be a path, a glob pattern, a folder, or a list of these, got 3.",
    ),
    (
        [3],
        None,
        {},
        "paths must be a path, a glob pattern, a folder, or a list of these, got [3].",
    ),
    # Labels
    (
        "features.npy",
        "short.npy",
        {},
        f"short.npy has 4 labels for 5 rows of features: {ONE_OF_EACH}",
    ),
    (
        ["features.npy"] * 2,
        ["labels.npy", "short.npy"],
        {},
        f"short.npy has 4 labels for 5 rows of features.npy: {ONE_OF_EACH}",
    ),
    (
        ["features.npy"] * 3,
        ["labels.npy"] * 2,
        {},
        "Expected one label file for all feature files or one for each, got 2 for 3.",
    ),
    (
        "features.npy",
        [0, 1],
        {},
        f"labels= has 2 labels for 5 rows of features: {ONE_OF_EACH}",
    ),
    (
        "features.npy",
        [[0], [1]],
        {},
        "labels must be an array of labels, or paths of files of labels, got "
        "[[0], [1]].",
    ),
    (
        "features.npy",
        "features.npy",
        {},
        "The labels in features.npy must have one axis, one label for each row; "
        "got shape (5, 2). y.ravel() or y.argmax(1).",
    ),
    (
        ["mixed.npz", "two.npz"],
        None,
        {"key": "a"},
        "mixed.npz has no array key='a', but 'X' (5, 2), 'labels' (5,), 'target' (5,).",
    ),
    # Arrays
    (
        "labels.npy",
        None,
        {},
        "The features in labels.npy must have two axes, a row for each sample; "
        "got shape (5,). Pass labels as labels=.",
    ),
    (
        "tokens.npy",
        None,
        {},
        "got shape (5, 3, 2). Stack the samples: X.reshape(-1, X.shape[-1]), with "
        "one label per row.",
    ),
    (
        "maps.npy",
        None,
        {},
        "got shape (5, 2, 4, 4). Pool or flatten maps first: X.mean(axis=(2, 3)) "
        "or X.reshape(len(X), -1).",
    ),
    (
        "complex.npy",
        None,
        {},
        "The features in complex.npy must be real numbers, got complex128.",
    ),
    (
        "two.npz",
        None,
        {},
        "two.npz has several arrays, 'a' (5, 2), 'b' (5, 1), 'c' (5,). Name the"
        " one to read, as in key='a'.",
    ),
    (
        "two.npz",
        None,
        {"key": "d"},
        "two.npz has no array key='d', but 'a' (5, 2), 'b' (5, 1), 'c' (5,).",
    ),
    (
        "mixed.npz",
        None,
        {},
        "mixed.npz has several arrays, 'X' (5, 2), 'labels' (5,), 'target' "
        "(5,). Name the one to read, as in label_key='labels'.",
    ),
    ("nothing.npz", None, {}, "nothing.npz has no arrays."),
    (
        "table.npy",
        None,
        {},
        f"The features in table.npy {OBJECTS} X.astype(np.float32) instead.",
    ),
    (
        "features.npy",
        "objects.npy",
        {},
        f"The labels in objects.npy {OBJECTS} y.astype(str) instead.",
    ),
    (
        "objects.npz",
        None,
        {},
        f"The labels in objects.npz ('labels') {OBJECTS} y.astype(str) instead.",
    ),
    (
        "features.npy",
        "bytes.npy",
        {},
        "The labels in bytes.npy are bytes, expected numbers or text. Save "
        "y.astype(str) instead.",
    ),
    (
        "bytes.npz",
        None,
        {},
        "The labels in bytes.npz ('labels') are bytes, expected numbers or text. Save "
        "y.astype(str) instead.",
    ),
    # Shards
    (
        ["features.npy", "wide.npy"],
        None,
        {},
        "Files of one data set must agree: wide.npy has 3 as its features in a "
        "row, features.npy has 2. Convert them, or open them separately.",
    ),
    (
        ["features.npy", "half.npy"],
        None,
        {},
        "half.npy has float16 as its dtype, features.npy has float64.",
    ),
    (
        ["empty.npy", "empty.npy"],
        None,
        {},
        "There are no rows in empty.npy, empty.npy.",
    ),
    # Damage
    (
        "folder.npy",
        None,
        {},
        f"folder.npy cannot be read as a .npy file: Is a directory. {DAMAGED}",
    ),
    ("text.npy", None, {}, "text.npy cannot be read as a .npy file: "),
    ("text.npy", None, {}, DAMAGED),
    (
        "cut.npy",
        None,
        {},
        "cut.npy cannot be read as a .npy file: it has 207 bytes, but its header "
        "promises 208. "
        f"{DAMAGED}",
    ),
    ("header.npy", None, {}, "header.npy cannot be read as a .npy file: "),
    (
        "cut.npz",
        None,
        {},
        f"cut.npz cannot be read as a .npz file: File is not a zip file. {DAMAGED}",
    ),
]


@pytest.mark.parametrize(("paths", "labels", "options", "message"), CASES)
def test_messages(folder, paths, labels, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)) as e:
        open_features(paths, labels, **options)
    assert "\n" not in str(e.value)


def test_features_without_labels_have_a_shape_but_no_batches(folder):
    files = open_features("features.npy")
    assert files.shape == (5, 2)
    message = re.escape(
        "There are no labels in features.npy. Pass labels= to open_features, an array "
        "or a path, or pass the name of an array in this file as label_key=."
    )
    for read in (files.batches, lambda: files.classes):
        with pytest.raises(ValueError, match=message):
            read()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "rows must be a positive integer, got 0."),
        ({"rows": 2.5}, "rows must be a positive integer, got 2.5."),
        ({"start": 6}, "start must be a row from 0 to 5, got 6."),
        ({"stop": -1}, "stop must be a row from 0 to 5, got -1."),
    ],
)
def test_rows_out_of_range(folder, arguments, message):
    files = open_features("features.npy", "labels.npy")
    with pytest.raises(ValueError, match=re.escape(message)):
        files.batches(**arguments)


def test_only_some_files_have_labels(folder):
    np.savez("with.npz", X=np.ones((2, 2)), y=[0, 1])
    np.savez("without.npz", X=np.ones((2, 2)))
    message = "without.npz has no labels, but other files do. Add labels to this file."
    with pytest.raises(ValueError, match=re.escape(message)):
        open_features(["with.npz", "without.npz"])


def test_damaged_compressed_rows(folder):
    X = np.random.default_rng(0).random((500, 20))
    np.savez_compressed("X.npz", features=X, labels=np.arange(500) % 2)
    data = bytearray((folder / "X.npz").read_bytes())
    data[3000:3010] = bytes(10)
    (folder / "X.npz").write_bytes(data)
    files = open_features("X.npz")
    with pytest.raises(ValueError, match=r"X\.npz cannot be read as a \.npz file: "):
        [*files.batches(100)]


class TestOrderOfLabels:
    @pytest.fixture
    def save(self, tmp_path, monkeypatch):
        """Return a function that saves three files, and returns their names."""
        monkeypatch.chdir(tmp_path)

        def save(names, array):
            for name in names:
                np.save(name, array)
            return names

        return save

    @pytest.mark.parametrize(
        ("features", "labels"),
        [
            (["x1.npy", "x10.npy", "x2.npy"], ["y1.npy", "y2.npy", "y10.npy"]),
            (["x8_1.npy", "x8_10.npy", "x8_2.npy"], ["y1.npy", "y02.npy", "y10.npy"]),
        ],
    )
    def test_numbers_in_another_order(self, features, labels, save):
        save(features, np.eye(2))
        save(labels, np.arange(2))
        with pytest.raises(ValueError, match=r"^Label files") as error:
            open_features(features, labels)
        assert str(error.value) == (
            "Label files are in a different order than feature files: "
            f"{labels[1]} would belong to {features[1]}. Quote the pattern, so that "
            "the shell does not expand it, or give both in the same order."
        )
        assert open_features(features, sorted(labels, key=lambda n: n[1:].lstrip("0")))

    @pytest.mark.parametrize(
        ("features", "labels"),
        [
            (["xa.npy", "xb.npy"], ["yb.npy", "ya.npy"]),
            (["x1.npy", "x2.npy"], ["y4.npy", "y3.npy"]),
            (["x1.npy", "x2.npy"], ["y.npy", "y1.npy"]),
        ],
    )
    def test_names_that_tell_nothing(self, features, labels, save):
        save(features, np.eye(2))
        save(labels, np.arange(2))
        assert open_features(features, labels).shape == (4, 2)
