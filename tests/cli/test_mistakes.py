"""What is wrong with a command is said in one line, with what to do."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest

from sknc import NeuralCollapseAnalyzer
from sknc.cli import main

# A wrong path, labels of another length, and a head that is transposed.
FILES_THAT_DO_NOT_FIT = {
    "x9.npy --labels y0.npy": (
        "paths: no file x9.npy. Did you mean 'x2.npy' or 'x1.npy' or 'x0.npy'?"
    ),
    "x0.npy --labels short.npy": (
        "short.npy has 99 labels for 100 rows of features: expected one label per row."
    ),
    "x0.npy --labels y0.npy --head head.npy": (
        "The head in head.npy has weights (6, 4), transposed: expected 6 features in "
        "each row. Run again with --transpose-head."
    ),
}


@pytest.fixture
def do_not_fit(folder):
    """Save the files that do not fit."""
    np.save("head.npy", np.ones((6, 4)))
    np.save("short.npy", np.load("y0.npy")[:99])


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            (("--metrics", "nc7"), "--metrics must be"),
            (("--convention", "zhu"), "--convention must be a Convention or one of"),
            (("--rows", "0"), "--rows must be at least 1, got 0."),
            (("--rows", "many"), "argument --rows: invalid int value: 'many' (usage: "),
            (("--jackknife", "1"), "--jackknife must be at least 2, got 1."),
            (("--checkpoint-every", "-1"), "--checkpoint-every must be at least 0"),
            (("--save", "-"), "--save - takes standard output: name a file for the"),
            (
                ("--save", "a", "--checkpoint", "a"),
                "--save and --checkpoint are",
            ),
            (
                ("--bias", "b.npy", "--head-key", "fc"),
                "--bias and --head-key without --head: add it, or leave this out.",
            ),
            (
                ("--transpose-head",),
                "--transpose-head without --head: add it, or leave this out.",
            ),
            (
                ("--held-out-labels", "y0.npy"),
                "--held-out-labels without --held-out: add it, or leave this out.",
            ),
            (("--json", "--csv"), "argument --csv: not allowed with argument --json"),
        ],
    )
    def test_options(self, options, text, refused):
        assert refused("report", "all.npz", *options, code=2).startswith(text)

    def test_options_of_features(self, refused):
        found = refused("report", "part0.sknc", "--labels", "y0.npy", "--score", code=2)
        assert found == (
            "part0.sknc is a state, not features: leave out --labels and --score."
        )

    def test_keys(self, refused, printed):
        keys = ("--key", "features", "--label-key", "labels")
        assert refused("report", "part0.sknc", *keys, code=2) == (
            "part0.sknc is a state, not features: leave out --key and --label-key."
        )
        printed("report", "part0.sknc", *keys, "--held-out", "test.npz")

    def test_labels(self, refused):
        assert refused("report", "x0.npy") == (
            "There are no labels in x0.npy. Name the label file with --labels, or the "
            "array of labels in this file with --label-key."
        )
        np.savez("two.npz", a=np.eye(6), b=np.eye(6), labels=np.arange(6))
        assert "Name the one to read, as in --key " in refused("report", "two.npz")

    def test_not_finite(self, refused):
        X = np.load("x1.npy")
        X[3, 2] = np.inf
        np.save("x1.npy", X)
        found = refused("report", "x?.npy", "--labels", "y?.npy")
        assert found.startswith("Input X contains NaN or infinity")
        assert found.endswith("This was in rows 100 to 199, from 0.")

    def test_errors_of_labels(self, refused, monkeypatch):
        def fail(*_):
            raise TypeError("No such labels.")

        monkeypatch.setattr(NeuralCollapseAnalyzer, "score_batches", fail)
        assert refused("report", "all.npz", "--score") == "No such labels."
        monkeypatch.setattr(NeuralCollapseAnalyzer, "partial_fit", fail)
        found = refused("report", "all.npz")
        assert found == "No such labels. This was in rows 0 to 299, from 0."

    def test_byte_labels(self, refused):
        X, y = np.load("x0.npy"), np.load("y0.npy")
        np.savez("bytes.npz", features=X, labels=y.astype("S1"))
        assert refused("report", "bytes.npz") == (
            "The labels in bytes.npz ('labels') are bytes, expected numbers or text. "
            "Save y.astype(str) instead."
        )

    @pytest.mark.parametrize("line", FILES_THAT_DO_NOT_FIT)
    def test_files_that_do_not_fit(self, line, do_not_fit, refused):
        assert refused("report", *line.split()) == FILES_THAT_DO_NOT_FIT[line]

    @pytest.mark.usefixtures("do_not_fit")
    def test_as_a_module(self, monkeypatch, capsys):
        line, text = next(iter(FILES_THAT_DO_NOT_FIT.items()))
        monkeypatch.setattr(sys, "argv", ["sknc", "report", *line.split()])
        with pytest.raises(SystemExit, match=r"^1$"):
            runpy.run_module("sknc", run_name="__main__")
        assert capsys.readouterr() == ("", f"sknc report: {text}\n")
        monkeypatch.setattr(sys, "argv", ["sknc", "metrics"])
        with pytest.raises(SystemExit, match=r"^0$"):
            runpy.run_module("sknc", run_name="__main__")
        assert "nc1_pinv" in capsys.readouterr().out

    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes")
    def test_nobody_reads_the_pipe(self, monkeypatch, capsys):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert main(["metrics"]) == 0
        assert not capsys.readouterr().err

    @pytest.mark.slow
    @pytest.mark.usefixtures("do_not_fit")
    @pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
    def test_from_a_shell(self):
        command = f"'{sys.executable}' -W error -m sknc"
        wanted = {
            f"report {line}": f"sknc report: {text}"
            for line, text in FILES_THAT_DO_NOT_FIT.items()
        }
        wanted["metrics | true"] = ""  # which reads nothing
        running = [
            subprocess.Popen(
                f"{command} {line}", shell=True, text=True, stdout=-1, stderr=-1
            )
            for line in wanted
        ]
        for process, text in zip(running, wanted.values(), strict=True):
            found = process.communicate()
            assert found == ("", f"{text}\n" if text else "")
            assert process.returncode == (1 if text else 0)
