"""Files to write are checked before work is done for them."""

import os
import shutil

import numpy as np
import pytest

import sknc
from sknc.cli import main

SHARDS = ("report", "x?.npy", "--labels", "y?.npy")


@pytest.fixture
def unread(monkeypatch):
    """Fail if a command begins to read features or a state."""

    def fail(*_):
        raise AssertionError

    for name in ("_report.open_files", "_report._of_state", "_compare._report"):
        monkeypatch.setattr(f"sknc.cli.{name}", fail)


class TestReport:
    @pytest.mark.parametrize(
        ("option", "path"),
        [
            ("--output", "all.npz"),
            ("--output", "./test.npz"),
            ("--checkpoint", "head.bin"),
            ("--save", "head.bin"),
        ],
    )
    def test_inputs(self, option, path, folder, refused, unread):
        shutil.copy("x0.npy", "head.bin")
        before = (folder / path).read_bytes()
        reads = ("all.npz", "--held-out", "test.npz", "--head", "head.bin")
        found = refused("report", *reads, option, path, code=2)
        assert found == (
            f"{option} {path.removeprefix('./')} would overwrite an input file. "
            "Name another file."
        )
        assert (folder / path).read_bytes() == before

    def test_labels_and_states(self, folder, refused, unread):
        found = refused(*SHARDS, "--output", "y2.npy", code=2)
        assert found.startswith("--output y2.npy would overwrite an input file")
        (folder / "link.txt").symlink_to("x1.npy")
        found = refused(*SHARDS, "--output", "link.txt", code=2)
        assert found.startswith("--output link.txt would overwrite an input file")
        held_out = ("--held-out", "x0.npy", "--held-out-labels", "y0.npy")
        found = refused("report", "all.npz", *held_out, "--output", "y0.npy", code=2)
        assert found.startswith("--output y0.npy would overwrite an input file")
        found = refused("report", "part0.sknc", "--output", "part0.sknc", code=2)
        assert found.startswith("--output part0.sknc would overwrite an input file")

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("--save", "--checkpoint"),
            ("--save", "--output"),
            ("--checkpoint", "--output"),
        ],
    )
    def test_one_file_for_two(self, first, second, refused, unread):
        targets = (first, "./a.sknc", second, "a.sknc")
        found = refused("report", "all.npz", *targets, code=2)
        assert (
            found
            == f"{first} and {second} are the same file. Name two different files."
        )

    @pytest.mark.parametrize("option", ["--save", "--checkpoint"])
    def test_suffix_of_features(self, option, refused, unread):
        assert refused("report", "all.npz", option, "new.npz", code=2) == (
            f"{option} new.npz writes a state, but .npz is a suffix of feature files. "
            "Use new.sknc."
        )

    @pytest.mark.parametrize("option", ["--save", "--checkpoint", "--output"])
    def test_folders(self, option, folder, refused, unread):
        what = "output" if option == "--output" else "state"
        assert refused("report", "all.npz", option, "none/a.sknc") == (
            f"There is no folder {folder / 'none'} for the {what} a.sknc. Create it "
            "first, with Path(path).parent.mkdir(parents=True)."
        )
        (folder / "there").mkdir()
        found = refused("report", "all.npz", option, "there")
        assert found.startswith(f"{folder / 'there'} is a folder. Name a file in it")

    @pytest.mark.skipif(os.name == "nt", reason="needs a device")
    def test_devices(self, refused, unread):
        assert refused("report", "all.npz", "--output", "/dev/null") == (
            "/dev/null is not a regular file, so it cannot be replaced. Use another "
            "path."
        )

    @pytest.mark.parametrize("option", ["--save", "--checkpoint", "--output"])
    def test_folders_of_others(self, option, folder, refused, unread, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: path != folder)
        assert refused("report", "all.npz", option, "a.sknc") == (
            f"The folder {folder} is not writable. Use another folder."
        )

    def test_held_out_files_are_found_first(self, refused, unread):
        found = refused("report", "all.npz", "--held-out", "none.npz", "--save", "a")
        assert found.startswith("paths: no file none.npz")

    @pytest.mark.parametrize("output", ["-", "report.txt"])
    def test_failure_on_held_out_samples(self, output, folder, printed, capsys):
        report = printed("report", "all.npz")
        np.savez("bad.npz", features=np.full((4, 6), np.nan), labels=np.arange(4) % 2)
        with pytest.raises(SystemExit, match=r"^1$"):
            main(["report", "all.npz", "--held-out", "bad.npz", "--output", output])
        found = capsys.readouterr()
        text = found.out if output == "-" else (folder / output).read_text()
        assert text == report
        assert found.err.startswith("sknc report: Input X contains NaN or infinity")
        assert found.err.count("\n") == 1


def test_compare(refused, unread):
    found = refused("compare", "part0.sknc", "b.json", "--output", "b.json", code=2)
    assert found == "--output b.json would overwrite an input file. Name another file."


class TestMerge:
    @pytest.mark.parametrize(
        ("first", "second"), [("part0.sknc", "./part0.sknc"), ("-", "-")]
    )
    def test_one_state_twice(self, first, second, refused):
        found = refused("merge", first, second, "-o", "all.sknc", code=2)
        assert found == (
            f"{second} is named twice, so its samples would count twice. Name each "
            "state once."
        )

    def test_output_among_the_states(self, folder, refused):
        states = ("part0.sknc", "part1.sknc")
        found = refused("merge", *states, "-o", "./part1.sknc", code=2)
        assert found == (
            "--output part1.sknc would overwrite an input file. Name another file."
        )
        assert sknc.load("part1.sknc").n_samples_seen_ == 100

    def test_suffix_of_features(self, refused):
        found = refused("merge", "part0.sknc", "-o", "all.npz", code=2)
        assert found.startswith("--output all.npz writes a state, but .npz is a suffix")
