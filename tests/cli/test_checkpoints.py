"""Reports that are killed and started again end as if they had not been."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sknc
from sknc.cli import main
from sknc.cli._checkpoint import described

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture
def data(tmp_path):
    """Return the arguments that name four files of features, and their labels."""
    rng = np.random.default_rng(0)
    for number in range(4):
        y = rng.integers(6, size=250)
        X = rng.normal(size=(6, 8))[y] + rng.normal(size=(250, 8)) + 30
        np.save(tmp_path / f"x{number}.npy", X.astype(np.float32))
        np.save(tmp_path / f"y{number}.npy", np.array([f"class {k}" for k in y]))
    features, labels = str(tmp_path / "x?.npy"), str(tmp_path / "y?.npy")
    return [features, "--labels", labels, "--rows", "30", "--jackknife", "3", "--json"]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs ``sknc report``, perhaps for a while only."""
    server = subprocess.Popen(
        [sys.executable, str(SUPPORT / "command_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )

    def run(argv, **options):
        order = {"argv": ["report", *argv], "output": str(tmp_path / "log"), **options}
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    with server:
        yield run
        server.stdin.close()


@pytest.mark.slow  # below, one that ends in an error goes on
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment(data, run, tmp_path):
    n_kills = 100
    whole = tmp_path / "whole.json"
    assert run([*data, "--output", str(whole)])[0] == 0
    (tmp_path / "states").mkdir()
    state, output = tmp_path / "states" / "run.sknc", tmp_path / "resumed.json"
    resumable = [*data, "--checkpoint", str(state), "--checkpoint-every", "0"]
    resumable += ["--output", str(output)]
    chance, n_killed, seen = random.Random(0), 0, set()
    code, longest = run(resumable)
    assert (code, output.read_text()) == (0, whole.read_text())
    for _ in range(10 * n_kills):
        state.unlink()
        output.unlink()
        code, _ = run(resumable, kill_after=chance.uniform(0, longest))
        n_killed += code < 0
        code, _ = run(resumable)
        seen.add((tmp_path / "log").read_text())
        assert (code, output.read_text()) == (0, whole.read_text())
        assert [path.name for path in state.parent.iterdir()] == ["run.sknc"]
        if n_killed == n_kills:
            break
    assert n_killed == n_kills
    assert len(seen) > n_kills // 10  # they were not all killed at the same place


def replace(path, array):
    """Save another array of the same shape, so that the file looks as before."""
    before = path.stat()
    np.save(path, array)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class TestCheckpoint:
    def report(self, *argv, capsys):
        """Return what a command prints, on standard output and error."""
        assert main(["report", *argv]) == 0
        return capsys.readouterr()

    def refused(self, *argv, capsys):
        """Return the one line of a command that fails."""
        with pytest.raises(SystemExit, match=r"^1$"):
            main(["report", *argv])
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    def test_goes_on_after_an_error(self, data, tmp_path, capsys):
        whole = self.report(*data, capsys=capsys).out
        broken, state = tmp_path / "x2.npy", tmp_path / "run.sknc"
        good = np.load(broken)
        np.save(broken, np.where(good == good[40, 0], np.nan, good))
        data += ["--checkpoint", str(state), "--checkpoint-every", "0"]
        text = self.refused(*data, capsys=capsys)
        assert text.startswith("sknc report: Input X contains NaN or infinity")
        assert text.endswith("This was in rows 530 to 559, from 0.\n")
        replace(broken, good)
        resumed = self.report(*data, capsys=capsys)
        assert resumed.err == "sknc report: resumes after 530 of 1000 rows.\n"
        assert resumed.out == whole
        again = self.report(*data, capsys=capsys)
        assert again.err == "sknc report: resumes after 1000 of 1000 rows.\n"
        assert again.out == whole

    def test_other_choices_of_what_to_report(self, data, tmp_path, capsys):
        data += ["--checkpoint", str(tmp_path / "run.sknc")]
        self.report(*data, capsys=capsys)
        head = tmp_path / "head.npy"
        np.save(head, np.eye(6, 8))
        choices = ["--metrics", "NC3", "--convention", "zhu2021", "--head", str(head)]
        report = sknc.NCReport.from_json(
            self.report(*data, *choices, capsys=capsys).out
        )
        assert report.convention.name == "zhu2021"
        assert "nc3_self_duality" in report

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (["--rows", "31"], "or to another --rows"),
            (["--key", "other"], "belongs to other files"),
            (["--no-covariance"], "was made with covariance=True"),
            (["--jackknife", "4"], "was made with n_jackknife=3"),
        ],
    )
    def test_other_options(self, change, text, data, tmp_path, capsys):
        data += ["--checkpoint", str(tmp_path / "run.sknc")]
        self.report(*data, capsys=capsys)
        error = self.refused(*data, *change, capsys=capsys)
        assert text in error
        assert error.endswith("Name another file, or delete it to start over.\n")

    @pytest.mark.parametrize("name", ["x1.npy", "y1.npy"])
    def test_files_that_changed(self, name, data, tmp_path, capsys):
        state, changed = tmp_path / "run.sknc", tmp_path / name
        data += ["--checkpoint", str(state)]
        self.report(*data, capsys=capsys)
        after = changed.stat().st_mtime_ns + 1_000_000_000
        os.utime(changed, ns=(after, after))
        assert self.refused(*data, capsys=capsys) == (
            f"sknc report: The checkpoint {state} belongs to other files, to files "
            "that have changed since, or to another --rows. Name another file, or "
            "delete it to start over.\n"
        )

    def test_files_of_the_same_name(self, tmp_path, capsys):
        y, state = np.arange(20) % 2, str(tmp_path / "run.sknc")
        paths = [tmp_path / name / "train.npz" for name in ("first", "second")]
        for seed, path in enumerate(paths):
            path.parent.mkdir()
            X = np.random.default_rng(seed).normal(size=(20, 3))
            np.savez(path, features=X, labels=y)
            os.utime(path, ns=(0, 0))
        self.report(str(paths[0]), "--checkpoint", state, capsys=capsys)
        error = self.refused(str(paths[1]), "--checkpoint", state, capsys=capsys)
        assert "belongs to other files" in error
        again = self.report(str(paths[0]), "--checkpoint", state, capsys=capsys)
        assert again.err == "sknc report: resumes after 20 of 20 rows.\n"

    def test_folders_of_a_format(self, tmp_path):
        part = tmp_path / "a.zarr" / "c" / "0"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"123")
        before = described(tmp_path / "a.zarr")
        assert before == described(tmp_path / "a.zarr" / ".." / "a.zarr")
        part.write_bytes(b"1234")
        assert described(tmp_path / "a.zarr") != before

    def test_something_else(self, data, tmp_path, capsys):
        state = tmp_path / "run.sknc"
        self.report(*data, "--save", str(state), capsys=capsys)
        error = self.refused(*data, "--checkpoint", str(state), capsys=capsys)
        assert (
            "run.sknc is not a state of sknc report --checkpoint. Name another file"
            in error
        )
        state.write_bytes(state.read_bytes()[:-3])
        error = self.refused(*data, "--checkpoint", str(state), capsys=capsys)
        assert "run.sknc is truncated or damaged: its end is missing." in error

    def test_what_a_killed_run_left_is_removed(self, data, tmp_path, capsys):
        (tmp_path / "states").mkdir()
        state = tmp_path / "states" / "run.sknc"
        for name in (".run.sknc.0123456789ab.part", ".other.sknc.0123456789ab.part"):
            (state.parent / name).write_bytes(b"half a state")
        self.report(*data, "--checkpoint", str(state), capsys=capsys)
        left = sorted(path.name for path in state.parent.iterdir())
        assert left == [".other.sknc.0123456789ab.part", "run.sknc"]
