"""State files of earlier versions, how files are written, and damaged ones."""

import io
import os
import random
import threading
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import states
from sklearn.exceptions import NotFittedError
from tolerances import LOOSE, TIGHT

import sknc
from sknc import NeuralCollapseAnalyzer

GOLDEN = Path(__file__).parent / "golden"


def load(name):
    """Return what is in a file of an earlier version."""
    return sknc.load(GOLDEN / f"{name}_1.sknc")


def assert_near(estimator, fresh):
    """Compare sums that other processors may round otherwise."""
    found, want = estimator.statistics_, fresh.statistics_
    assert found.classes.tolist() == want.classes.tolist()
    for name in ("counts", "class_means", "class_variances", "within_scatter"):
        values = getattr(found, name), getattr(want, name)
        if values[1] is not None:
            np.testing.assert_allclose(*values, rtol=TIGHT, atol=TIGHT)


class TestGolden:
    """Files of earlier versions. They are never written again."""

    def test_sizes(self):
        sizes = {path.name: path.stat().st_size for path in GOLDEN.glob("*.sknc")}
        assert sorted(sizes) == ["dates_1.sknc", "strings_1.sknc", "tensors_1.sknc"]
        assert max(sizes.values()) < 20_000

    def test_strings(self):
        found, fresh = (
            sknc.load(GOLDEN / "strings_1.sknc"),
            states.analyzer_of_strings(),
        )
        assert found.classes_.tolist() == ["ant", "bee", "zebra"]
        assert found.class_count_.tolist() == [10, 9, 10]
        assert found.metrics == ["NC1", "nc2_equinorm", "NC3"]
        assert found.convention == "papyan2020"
        assert_near(found, fresh)
        report, want = found.report(), fresh.report()
        assert report.to_dict() == pytest.approx(want.to_dict(), rel=1e-11)
        errors = dict(want.standard_error)
        assert len(errors) > 5
        assert dict(report.standard_error) == pytest.approx(errors, rel=LOOSE)
        assert states.accumulate(found, [(fresh.class_means_, fresh.classes_, None)])

    def test_dates(self):
        found = load("dates")
        assert found.classes_.astype(str).tolist() == ["2001-02-03", "2004-05-06"]
        assert found.class_prior_.tolist() == [0.75, 0.25]
        assert_near(found, states.centers_of_dates())

    def test_tensors(self, torch):
        found = load("tensors")
        assert found.class_means_.dtype == torch.float64
        assert found.head.bias.tolist() == [0, 1, 2]
        assert_near(found, states.analyzer_of_tensors(torch))

    def test_tensors_as_numpy(self):
        found = sknc.load(GOLDEN / "tensors_1.sknc", place="numpy")
        assert found.class_means_[0].tolist() == pytest.approx(
            [9.625, 2.125, 2, -0.375]
        )
        if find_spec("torch") is None:
            assert isinstance(load("tensors").class_means_, np.ndarray)


class TestWriting:
    def test_file_is_replaced(self, tmp_path):
        path, analyzer = tmp_path / "state.sknc", states.analyzer_of_strings()
        path.write_text("before")
        path.chmod(0o640)
        analyzer.save(str(path))
        assert path.read_bytes() == states.stored(analyzer)
        assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o640
        assert [item.name for item in tmp_path.iterdir()] == ["state.sknc"]

    def test_link_is_followed(self, tmp_path):
        (tmp_path / "real").mkdir()
        link = tmp_path / "link.sknc"
        link.symlink_to(tmp_path / "real" / "state.sknc")
        states.centers_of_dates().save(link)
        assert link.is_symlink()
        assert sknc.load(tmp_path / "real" / "state.sknc").n_samples_seen_ == 24

    def test_failure_leaves_the_earlier_file(self, tmp_path, monkeypatch):
        path = tmp_path / "state.sknc"
        states.centers_of_dates().save(path)
        before = path.read_bytes()
        monkeypatch.setattr(os, "fsync", lambda descriptor: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            states.analyzer_of_strings().save(path)
        assert path.read_bytes() == before
        assert [item.name for item in tmp_path.iterdir()] == ["state.sknc"]

    def test_not_fitted(self, tmp_path):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            NeuralCollapseAnalyzer().save(tmp_path / "state.sknc")
        with pytest.raises(NotFittedError, match="not fitted yet"):
            NeuralCollapseAnalyzer().to("cpu")
        assert not list(tmp_path.iterdir())

    def test_parameter_set_after_fit(self, tmp_path):
        analyzer = states.analyzer_of_strings().set_params(metrics="nc7")
        with pytest.raises(ValueError, match=r"^metrics must be"):
            analyzer.save(tmp_path / "state.sknc")
        assert not list(tmp_path.iterdir())

    def test_no_folder(self, tmp_path):
        match = r"^There is no folder .*none for the state a\.sknc\. Create it first"
        with pytest.raises(FileNotFoundError, match=match):
            states.centers_of_dates().save(tmp_path / "none" / "a.sknc")
        match = r"is a folder\. Name a file in it, such as .*/state\.sknc\.$"
        with pytest.raises(IsADirectoryError, match=match):
            states.centers_of_dates().save(tmp_path)

    @pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs /dev/null")
    def test_no_regular_file(self):
        match = "^/dev/null is not a regular file, so it cannot be replaced"
        with pytest.raises(ValueError, match=match):
            states.centers_of_dates().save("/dev/null")

    def test_while_others_accumulate(self):
        parts = states.batches(50, 4, np.float64, n_batches=40)
        analyzer = states.accumulate(NeuralCollapseAnalyzer(n_jackknife=2), parts[:1])
        worker = threading.Thread(target=states.accumulate, args=(analyzer, parts[1:]))
        worker.start()
        files = [states.stored(analyzer) for _ in range(10)]
        worker.join()
        counts = [sknc.load(io.BytesIO(file)).n_samples_seen_ for file in files]
        assert all(count % 50 == 0 for count in counts)
        assert analyzer.n_samples_seen_ == 2000


class TestErrors:
    def test_no_file(self, tmp_path):
        match = r"^There is no file .*a\.sknc\. Name a file written by save\(path\)\.$"
        with pytest.raises(FileNotFoundError, match=match):
            sknc.load(tmp_path / "a.sknc")
        with pytest.raises(IsADirectoryError, match=r"is a folder\. Name a file in it"):
            sknc.load(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"text\n", b"PK\3\4" + bytes(200)])
    def test_something_else(self, content, tmp_path):
        path = tmp_path / "a.sknc"
        path.write_bytes(content)
        match = rf"a\.sknc is not a state file of sknc, but a file of {len(content)} b"
        with pytest.raises(ValueError, match=match):
            sknc.load(path)

    def test_archive_of_numpy(self, tmp_path):
        np.savez(tmp_path / "a.npz", features=np.eye(3))
        with pytest.raises(ValueError, match=r"a\.npz is not a state file of sknc"):
            sknc.load(tmp_path / "a.npz")

    def test_cut_off(self):
        content = states.stored(states.centers_of_dates())
        with pytest.raises(ValueError, match=r"^The file is truncated or damaged"):
            sknc.load(io.BytesIO(content[:-10]))

    def test_flipped(self):
        content = bytearray(states.stored(states.centers_of_dates()))
        content[700] ^= 1
        match = r"^The file is damaged: its checksum does not match\. Restore"
        with pytest.raises(ValueError, match=match):
            sknc.load(io.BytesIO(content))


def damaged(content, chance):
    """Return a file in which bytes were flipped, cut, lost, repeated or blanked."""
    while True:
        start = chance.randrange(len(content))
        end = min(len(content), start + chance.choice((1, 1, 8, 64, 700)))
        kind = chance.randrange(5)
        if kind == 0:
            byte = content[start] ^ chance.randrange(1, 256)
            found = content[:start] + bytes([byte]) + content[start + 1 :]
        elif kind == 1:
            found = content[:start]
        elif kind == 2:
            found = content[:start] + content[end:]
        elif kind == 3:
            found = content[:end] + content[start:]
        else:
            found = content[:start] + bytes(end - start) + content[end:]
        if found != content:
            return found


@pytest.mark.parametrize(
    "n_files", [60, pytest.param(2000, marks=pytest.mark.slow, id="2000")]
)
def test_every_damage_is_a_clear_error(n_files):
    contents = [path.read_bytes() for path in sorted(GOLDEN.glob("*.sknc"))]
    wide = states.accumulate(NeuralCollapseAnalyzer(), states.batches(9, 40, "f4"))
    contents.append(states.stored(wide))
    chance, told = random.Random(20), []
    for number in range(n_files):
        file = io.BytesIO(damaged(contents[number % len(contents)], chance))
        with pytest.raises(ValueError, match=r"^The file is ") as caught:
            sknc.load(file)
        told.append(str(caught.value))
    assert len(told) == n_files
    assert not [text for text in told if "\n" in text or len(text) > 200]
