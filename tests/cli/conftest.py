"""A folder of files, and what commands print there."""

import shutil

import numpy as np
import pytest
import states

from sknc import NeuralCollapseAnalyzer
from sknc.cli import main


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """Return a folder of features, labels and states, to copy."""
    folder = tmp_path_factory.mktemp("original")
    X, y = states.samples()
    for number, part in enumerate(np.split(np.arange(300), 3)):
        np.save(folder / f"x{number}.npy", X[part])
        np.save(folder / f"y{number}.npy", y[part])
        analyzer = NeuralCollapseAnalyzer(n_jackknife=3).fit(X[part], y[part])
        analyzer.save(folder / f"part{number}.sknc")
    np.savez(folder / "all.npz", features=X, labels=y)
    X, y = states.samples(1)
    np.savez(folder / "test.npz", features=X, labels=y)
    return folder


@pytest.fixture
def folder(original, tmp_path, monkeypatch):
    """Work in a folder of features, labels and states."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def printed(capsys, folder):
    """Return a function that runs a command and returns what it printed."""

    def run(*argv):
        assert main(argv) == 0
        found = capsys.readouterr()
        assert not found.err
        return found.out

    return run


@pytest.fixture
def refused(capsys, folder):
    """Return a function that runs a command and returns its one line of error."""

    def run(*argv, code=1):
        with pytest.raises(SystemExit, match=rf"^{code}$"):
            main(argv)
        found = capsys.readouterr()
        assert not found.out
        assert found.err.count("\n") == 1
        assert found.err.startswith(f"sknc {argv[0]}: ")
        return found.err.removeprefix(f"sknc {argv[0]}: ").rstrip("\n")

    return run
