"""The command line and the demonstration that it runs."""

import re
import subprocess
import sys
import time

import numpy as np
import pytest

import sknc
from sknc.cli import main
from sknc.cli.demo import (
    DemoSettings,
    conclusion,
    format_table,
    run_demo,
    train_and_measure,
)
from sknc.metrics import TABLE
from sknc.plotting import CollapseTrajectoryDisplay


@pytest.fixture
def libraries():
    """Skip where the demonstration cannot run."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("tqdm")
    pytest.importorskip("matplotlib").use("Agg")
    return torch


class TestArguments:
    def test_version(self, capsys):
        with pytest.raises(SystemExit, match=r"^0$"):
            main(["--version"])
        assert capsys.readouterr().out == f"sknc {sknc.__version__}\n"

    @pytest.mark.parametrize("argv", [[], ["nothing"], ["demo", "--epochs", "many"]])
    def test_usage(self, argv, capsys):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(argv)
        assert "usage: sknc" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--epochs", "0", "epochs must be at least 1, got 0."),
            ("--seed", "-1", "seed must be at least 0, got -1."),
        ],
    )
    def test_settings(self, option, value, message, capsys):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["demo", option, value])
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["figure", "figure.docx"])
    def test_format_of_the_figure(self, name, libraries, tmp_path, capsys):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["demo", "--output", str(tmp_path / name)])
        assert "file name must end in one of" in capsys.readouterr().err

    def test_folder_of_the_figure(self, libraries, tmp_path, capsys):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["demo", "--output", str(tmp_path / "none" / "figure.png")])
        assert "does not exist. Create it." in capsys.readouterr().err

    @pytest.mark.parametrize("device", ["abacus", "meta", "cuda:99"])
    def test_device(self, device, libraries, tmp_path, capsys):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["demo", "--device", device, "--output", str(tmp_path / "a.png")])
        assert f"got '{device}'." in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["torch", "matplotlib", "tqdm"])
    def test_missing_library(self, name, monkeypatch, tmp_path, capsys):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(SystemExit, match=r"^1$"):
            main(["demo", "--output", str(tmp_path / "figure.png")])
        assert capsys.readouterr().err == (
            "sknc demo requires torch, matplotlib and tqdm, from the extra 'demo': "
            "in a clone of sknc, run pip install '.[demo]'.\n"
        )

    def test_missing_library_in_python(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "tqdm", None)
        match = r"^sknc demo requires torch, matplotlib and tqdm, from"
        with pytest.raises(ImportError, match=match):
            run_demo(DemoSettings(), tmp_path / "figure.png")


class TestDemo:
    def test_table_and_figure(self, libraries, tmp_path, capsys):
        path = tmp_path / "figure.png"
        assert main(["demo", "--epochs", "4", "--output", str(path)]) == 0
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        starts = ["nc0_", "nc1_", "nc2_", "nc2_", "nc3_", "nc4_", "nc4_head_"]
        assert lines[0].split() == starts
        assert [line.split()[0] for line in lines[1:6]] == ["epoch", *"1234"]
        assert lines[-3].startswith("All but nc4_head_accuracy are 0 at collapse.")
        assert lines[-1] == f"Figure saved to {path}"
        assert "4/4" in printed.err
        assert path.read_bytes().startswith(b"\x89PNG")

    def test_global_state_is_left_alone(self, libraries):
        torch = libraries
        state, threads = torch.random.get_rng_state(), torch.get_num_threads()
        train_and_measure(DemoSettings(epochs=1))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert torch.get_num_threads() == threads

    def test_seed_decides(self, libraries):
        runs = [train_and_measure(DemoSettings(epochs=2, seed=s)) for s in (0, 0, 1)]
        values = [run.trajectory.train["nc1_pinv"] for run in runs]
        np.testing.assert_array_equal(values[0], values[1])
        assert np.all(values[0] != values[2])

    @pytest.mark.slow
    def test_as_a_module(self, libraries, tmp_path):
        command = [sys.executable, "-W", "error", "-m", "sknc", "demo", "--epochs", "1"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert [path.name for path in tmp_path.iterdir()] == [
            "neural_collapse_demo.png"
        ]

    @pytest.mark.parametrize("epochs", [1, 2, 5, 300])
    def test_measured_epochs(self, epochs):
        measured = DemoSettings(epochs=epochs).measured_epochs()
        assert measured[0] == 1
        assert measured[-1] == epochs
        assert measured == sorted(set(measured))

    def test_table_does_not_round_accuracy_up(self):
        report = {key: [0.9963] for key in TABLE}
        text = format_table(CollapseTrajectoryDisplay([1], report, report))
        assert text.split()[-1] == "0.9963"

    def test_table_is_aligned_under_the_keys(self):
        values = {key: [0.25, 0.5] for key in TABLE}
        display = CollapseTrajectoryDisplay([1, 300], values, values)
        starts, names, *rows = format_table(display).splitlines()
        points = {tuple(i for i, x in enumerate(row) if x == ".") for row in rows}
        assert len(points) == 1
        # The two lines of the heading make up keys.
        ends = [match.end() for match in re.finditer(r"\S+", names)]
        words = dict(zip(ends, names.split(), strict=True))
        above = {match.end(): match.group() for match in re.finditer(r"\S+", starts)}
        assert {start + words[end] for end, start in above.items()} <= set(TABLE)
        assert [words[end] for end in ends if end not in above] == [
            "epoch",
            *["held-out"] * 3,
        ]

    @pytest.mark.parametrize(
        ("accuracy", "within", "text"),
        [
            ([0.5, 0.9, 0.99], [3, 2, 1], "train for more --epochs."),
            ([0.5, 0.9, 1.0], [3, 2, 1], "train for more --epochs."),
            (
                [0.5, 1.0, 1.0],
                [3, 2, 1],
                "There were no training errors from epoch 5 on.\nFrom then to epoch 9 "
                "nc1_pinv went from 2.0000 to 1.0000: the features kept collapsing.",
            ),
            ([0.5, 1.0, 1.0], [3, 1, 2], "went from 1.0000 to 2.0000."),
        ],
    )
    def test_conclusion(self, accuracy, within, text):
        columns = {"nc4_head_accuracy": accuracy, "nc1_pinv": within}
        found = conclusion(CollapseTrajectoryDisplay([1, 5, 9], columns))
        assert found.startswith("All but nc4_head_accuracy are 0 at collapse. ")
        assert found.endswith(text)

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_default_settings_collapse(self, libraries, seed, tmp_path):
        start = time.perf_counter()
        run = run_demo(DemoSettings(seed=seed), tmp_path / "figure.png")
        train = run.trajectory.train
        assert train["nc1_pinv"][0] >= 100 * train["nc1_pinv"][-1]
        assert train["nc3_self_duality"][-1] < 0.15
        assert train["nc4_mismatch"][-1] == 0
        assert train["nc4_head_accuracy"][-1] == 1
        assert time.perf_counter() - start < 60
