"""State files that somebody made to do harm, with the right checksum."""

import hashlib
import io
import json
import os
import random
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import states
from tables import each

import sknc

GOLDEN = Path(__file__).parent / "golden"
DATES = states.everything(sknc.load(GOLDEN / "dates_1.sknc"))


def sealed(content):
    """Return a file with the checksum of its bytes."""
    return content[:-64] + hashlib.sha256(content[:-64]).hexdigest().encode()


def rewritten(content, header=None, compression=zipfile.ZIP_STORED, **arrays):
    """Return a file with other fields in its header, and other arrays or bytes."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", compression) as new,
    ):
        for name in dict.fromkeys([*old.namelist(), *arrays]):
            value = arrays[name] if name in arrays else old.read(name)
            if isinstance(value, np.ndarray):
                file = io.BytesIO()
                np.save(file, value)
                value = file.getvalue()
            if name == "header.json" and isinstance(header, dict):
                value = json.dumps(json.loads(value) | header)
            elif name == "header.json" and header is not None:
                value = header
            new.writestr(name, value)
        new.comment = old.comment
    return sealed(out.getvalue())


def lying(shape, descr="<f8"):
    """Return an array's bytes that promise more than there is."""
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + bytes(64)


CENTERS = ("0/classes", "0/counts", "0/anchors", "0/sums", "0/squares", "0/order")


class TestMadeToDoHarm:
    @pytest.fixture
    def content(self):
        return (GOLDEN / "dates_1.sknc").read_bytes()

    def refused(self, content):
        """Return the error of a file, which must cost no memory."""
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"^The file ") as caught:
                sknc.load(io.BytesIO(content))
            assert tracemalloc.get_traced_memory()[1] < 20e6
        finally:
            tracemalloc.stop()
        return str(caught.value)

    def test_rewriting_changes_nothing(self, content):
        found = sknc.load(io.BytesIO(rewritten(content)))
        assert states.everything(found) == states.everything(
            sknc.load(GOLDEN / "dates_1.sknc")
        )

    def test_later_version(self, content):
        header = {"sknc_state": 2, "sknc_version": "7.0"}
        assert self.refused(rewritten(content, header)) == (
            f"The file has format 2, written by sknc 7.0, but sknc {sknc.__version__} "
            "reads formats up to 1. Install a later sknc."
        )

    @each(
        "header",
        [
            b"{",
            b"[]",
            b"{}",
            b"[" * 100_000,
            b'{"sknc_state": ' + b"9" * 5000 + b"}",
            b"\xff",
            b" " * (1 << 21),
            {"sknc_state": True},
            {"sknc_state": "1"},
            {"sknc_state": 0},
            {"estimator": "os.system"},
            {"estimator": ["x"]},
            {"parameters": []},
            {"parameters": {"metric": "far"}},
            {"parameters": {"head": "x", "spam": 1}},
            {"n_groups": 10**12},
            {"n_groups": 3},
            {"n_groups": -1},
            {"groups": []},
            {"groups": [0, 0, 0, 1]},
            {"groups": [-1]},
            {"groups": ["0"]},
            {"n_features": 5},
            {"n_samples": 25},
            {"n_samples": None},
            {"classes_fixed": 1},
            {"library": None},
        ],
    )
    def test_header(self, content, header):
        if header == {"groups": [0, 0, 0, 1]}:
            assert "groups" in self.refused(rewritten(content, header))
        elif header == {"n_groups": 3}:  # of which two have no rows
            assert sknc.load(io.BytesIO(rewritten(content, header))).n_samples_seen_
        else:
            self.refused(rewritten(content, header))

    @each("name", CENTERS)
    @each(
        "promise",
        [
            lying((10**12,)),
            lying((2**62, 4)),
            lying((2**62, 2**62)),
            lying((-1, 4)),
            lying((8,), "|O"),
            lying((8,), [("a", "<f8")]),
            lying((8,), "|V8"),
            lying((10**9,), "<U0"),
            b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
            b"\x93NUMPY\x03\x00",
            b"",
            b"no array",
        ],
    )
    def test_arrays_that_promise_more(self, content, name, promise):
        self.refused(rewritten(content, **{f"{name}.npy": promise}))

    @each(
        ("name", "array"),
        [
            ("0/classes", np.array([1, 1])),
            ("0/classes", np.array([2, 1])),
            ("0/classes", np.array([0.0, np.nan])),
            ("0/classes", np.arange(3)),
            ("0/counts", np.array([12, -12])),
            ("0/counts", np.array([12.0, np.nan])),
            ("0/counts", np.array([12, 13])),
            ("0/anchors", np.zeros((2, 4), np.float16)),
            ("0/anchors", np.zeros((2, 0))),
            ("0/sums", np.zeros((2, 5))),
            ("0/scatter", np.zeros(9)),
            ("0/n_samples", np.array(-1)),
            ("0/n_samples", np.array([24])),
            ("0/input_dtype", np.array("complex")),
            ("0/order", np.array([0, 0])),
            ("0/order", np.array([0, 5])),
            ("0/room", np.array([10**12, 0])),
            ("0/room", np.array([2, -1])),
            ("0/room", np.array([1, 0])),
            ("0/waiting_rows", np.zeros((4, 5))),
            ("0/waiting_rows", np.zeros(())),
            ("0/waiting_index", np.full(24, 2)),
            ("0/waiting_index", np.full(24, -1)),
            ("0/waiting_squares", np.zeros(23)),
            ("priors", np.array([1.0, -1.0])),
            ("feature_names", np.array(["a"])),
            ("feature_names", np.arange(4)),
        ],
    )
    def test_arrays_that_contradict(self, content, name, array):
        message = self.refused(rewritten(content, **{f"{name}.npy": array}))
        assert message.endswith("Create it again.")

    @pytest.mark.parametrize(
        ("name", "array"),
        [
            ("places", np.array([0, 0, 1])),
            ("places", np.array([0, 1, 3])),
            ("places", np.array([-1, 0, 1])),
            ("places", np.array(0)),
            ("samples", np.array([1, 2, 0])),
            ("counts", np.array([1.0, 2.0])),
            ("counts", np.array([1.0, 2.0, -3.0])),
            ("means", np.zeros((3, 5))),
            ("s", np.zeros((3, 9))),
            ("s", np.zeros(3)),
        ],
    )
    def test_scatters_that_contradict(self, name, array):
        X, y = states.whole_numbers(), np.arange(24) % 3
        analyzer = sknc.NeuralCollapseAnalyzer(covariance="by_class").fit(X, y)
        name = f"0/class_scatter{'s' if name == 's' else f'_{name}'}.npy"
        self.refused(rewritten(states.stored(analyzer), **{name: array}))

    def test_room_for_rows_is_bounded(self, content):
        room = np.array([2, 10**15])
        found = sknc.load(io.BytesIO(rewritten(content, **{"0/room.npy": room})))
        assert states.everything(found) == states.everything(
            sknc.load(GOLDEN / "dates_1.sknc")
        )

    def test_missing_arrays(self, content):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
        for name in names[1:]:
            file = rewritten(content).replace(name.encode(), b"x" * len(name))
            if "priors" in name:
                continue  # uniform ones, then
            assert self.refused(sealed(file)).startswith(
                "The file is not a valid state of sknc:"
            )

    def test_label_of_a_convention_that_promises_more(self):
        content = (GOLDEN / "strings_1.sknc").read_bytes()
        label = {"dtype": "<U500000000", "value": "a"}
        parameters = {"convention": {"minority": [label]}, "n_jackknife": 3}
        found = self.refused(rewritten(content, {"parameters": parameters}))
        assert "no label is written with the dtype <U500000000" in found

    def test_compressed(self, content):
        bomb = np.zeros(10_000_000)
        file = rewritten(content, compression=zipfile.ZIP_DEFLATED, **{"x.npy": bomb})
        assert len(file) < 100_000
        assert "its parts are compressed" in self.refused(file)

    def test_code_is_not_run(self, content, tmp_path):
        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "harm"),)

        file = io.BytesIO()
        np.save(file, np.array([Harm()], dtype=object), allow_pickle=True)
        for name in ("0/classes.npy", "header.json", "0/sums.npy"):
            self.refused(rewritten(content, **{name: file.getvalue()}))
        assert not list(tmp_path.iterdir())

    def test_flipped_bytes_under_a_right_checksum(self):
        contents = [path.read_bytes() for path in sorted(GOLDEN.glob("*.sknc"))]
        chance, n_refused = random.Random(0), 0
        for number in range(120):
            content = bytearray(contents[number % 3])
            content[chance.randrange(len(content) - 64)] ^= chance.randrange(1, 256)
            try:
                sknc.load(io.BytesIO(sealed(bytes(content))))
            except ValueError:  # otherwise another number, of which nobody can tell
                n_refused += 1
        assert n_refused > 20
