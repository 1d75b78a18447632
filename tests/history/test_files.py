"""Files of histories: nothing that was appended is lost, nothing foreign is touched."""

import contextlib
import errno
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import interrupts
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sknc.history
from sknc import Convention, NCHistory, NeuralCollapseAnalyzer


def make_report(seed=0, **options):
    """Return a small report."""
    options = {"metrics": ["nc1_cdnv", "nc2_equinorm"], **options}
    rng = np.random.default_rng(seed)
    y = np.array(["a", "b"] * 4)
    return NeuralCollapseAnalyzer(**options).fit(rng.normal(size=(8, 3)), y).report()


def texts(history):
    """Return everything in a history, to the last bit."""
    return [
        (
            entry.step,
            type(entry.step),
            *(
                None if r is None else r.to_json()
                for r in (entry.train, entry.held_out)
            ),
        )
        for entry in history
    ]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history.jsonl"


@pytest.fixture
def filled(path):
    """A file of three steps."""
    history = NCHistory(path)
    for step in (1, 2, 3):
        history.append(step, make_report(step), make_report(step + 10))
    return path


class TestRoundTrip:
    def test_every_kind_of_report(self, path):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(40, 5)), np.arange(40) % 4
        full = NeuralCollapseAnalyzer(
            np.eye(4, 5),
            metrics="all",
            n_jackknife=4,
            convention=Convention(minority=("b", "c")),
        )
        names = np.array(["a", "b", "c", "ü\n\u2028"])[y]
        times = np.array(["2020-01-01", "2021-01-01"], "M8[D]")[y % 2]
        undefined = np.where(y[:, None] < 9, 1.0, X)  # all means coincide
        history = NCHistory(path)
        history.append(-1, NeuralCollapseAnalyzer().fit(X, times).report())
        history.append(0.1, full.fit(X, names).score(X, names))
        history.append(2**62, held_out=full.report())
        history.append(1e300, NeuralCollapseAnalyzer().fit(undefined, y).report())
        assert texts(NCHistory.load(path)) == texts(history)
        assert np.isnan(NCHistory.load(path)[-1].train.nc2_equiangular)
        assert path.read_bytes().count(b"\n") == 4
        assert path.read_bytes().isascii()

    def test_save(self, path, filled, tmp_path):
        history = NCHistory.load(filled)
        target = tmp_path / "copy.jsonl"
        history[:2].save(target)
        assert texts(NCHistory.load(target)) == texts(history)[:2]
        with pytest.raises(FileExistsError, match=r"copy.jsonl exists: choose another"):
            history.save(target)

    def test_resume(self, filled):
        before = texts(NCHistory.load(filled))
        resumed = NCHistory(filled)
        resumed.append(4, make_report())
        resumed.append(5, held_out=make_report())
        assert texts(NCHistory(str(filled)))[:3] == before
        assert NCHistory(filled).steps.tolist() == [1, 2, 3, 4, 5]

    def test_rewind(self, filled):
        before = filled.read_bytes()
        resumed = NCHistory(filled)
        resumed.rewind(1)
        assert filled.read_bytes() == before.splitlines(keepends=True)[0]
        resumed.append(2, make_report(2), make_report(12))
        resumed.append(3, make_report(3), make_report(13))
        assert filled.read_bytes() == before
        resumed.rewind(0)
        assert filled.read_bytes() == b""
        resumed.append(0, make_report())
        assert NCHistory(filled).steps.tolist() == [0]

    def test_reading_writes_nothing(self, filled):
        filled.write_bytes(filled.read_bytes()[:-9])
        before = filled.read_bytes(), filled.stat().st_mtime_ns
        with pytest.warns(UserWarning, match="is truncated"):
            NCHistory.load(filled)
        assert (filled.read_bytes(), filled.stat().st_mtime_ns) == before
        assert not (filled.parent / "other").exists()
        NCHistory(filled.parent / "other")
        assert not (filled.parent / "other").exists()

    def test_empty_file(self, path):
        path.touch()
        history = NCHistory.load(path)
        history.append(1, make_report())
        assert len(NCHistory(path)) == 1

    def test_line_feed_is_missing(self, filled):
        before = filled.read_bytes()
        filled.write_bytes(before[:-1])
        history = NCHistory(filled)  # without a warning: nothing is lost
        assert len(history) == 3
        history.append(4, make_report())
        assert filled.read_bytes().startswith(before)
        assert NCHistory(filled).steps.tolist() == [1, 2, 3, 4]
        history.rewind(3)
        history.append(5, make_report())
        assert NCHistory(filled).steps.tolist() == [1, 2, 3, 5]

    def test_line_ends_of_windows(self, filled):
        before = texts(NCHistory(filled))
        filled.write_bytes(filled.read_bytes().replace(b"\n", b"\r\n"))
        history = NCHistory(filled)
        assert texts(history) == before
        history.append(4, make_report())
        assert len(NCHistory(filled)) == 4


class TestPaths:
    def test_program_changes_its_folder(self, tmp_path, monkeypatch):
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path)
        history = NCHistory("history.jsonl")
        monkeypatch.chdir(tmp_path / "other")
        history.append(1, make_report())
        history.append(2, make_report())
        assert len(NCHistory(tmp_path / "history.jsonl")) == 2

    def test_no_folder(self, tmp_path):
        match = (
            r"^There is no folder .*missing for the history a.jsonl\. Create it first"
        )
        for call in (NCHistory, NCHistory().save):
            with pytest.raises(FileNotFoundError, match=match):
                call(tmp_path / "missing" / "a.jsonl")

    def test_folder(self, tmp_path):
        match = "is a folder. Name a file in it, such as .*/history.jsonl"
        with pytest.raises(IsADirectoryError, match=match):
            NCHistory(tmp_path)

    def test_load_nothing(self, path):
        match = r"^There is no file .*history.jsonl\. NCHistory\(path\) starts a new"
        with pytest.raises(FileNotFoundError, match=match):
            NCHistory.load(path)

    def test_file_is_gone(self, filled):
        history = NCHistory(filled)
        filled.unlink()
        with pytest.raises(
            FileNotFoundError, match="is missing: it was moved or deleted"
        ):
            history.append(4, make_report())
        history.save(filled)
        assert texts(NCHistory(filled)) == texts(history)


class TestCutOff:
    def test_every_place(self, filled):
        """Wherever the last line ends, the others are read, and it is replaced."""
        whole = filled.read_bytes()
        expected = texts(NCHistory(filled))
        start = whole[:-1].rindex(b"\n") + 1
        lengths = {*range(start + 1, len(whole), 101), *range(start + 1, start + 30, 3)}
        assert len(lengths) > 25
        for length in sorted({*lengths, len(whole) - 2}):
            filled.write_bytes(whole[:length])
            with pytest.warns(UserWarning, match=r"line 3, the last, is truncated, .*"):
                history = NCHistory(filled)
            assert texts(history) == expected[:2]
            history.append(3, make_report(3), make_report(13))
            assert filled.read_bytes() == whole

    def test_zeros_where_the_file_system_had_no_time(self, filled):
        whole = filled.read_bytes()
        start = whole[:-1].rindex(b"\n") + 1
        for kept in (0, 5, 300):
            filled.write_bytes(whole[: start + kept].ljust(start + 4096, b"\0"))
            with pytest.warns(UserWarning, match="line 3, the last, is truncated"):
                history = NCHistory(filled)
            history.append(3, make_report(3), make_report(13))
            assert filled.read_bytes() == whole

    def test_warning_names_the_line_of_the_caller(self, filled):
        filled.write_bytes(filled.read_bytes()[:-9])
        with pytest.warns(UserWarning, match="is truncated") as caught:
            NCHistory(filled)
        assert caught[0].filename == __file__

    def test_first_line(self, filled):
        filled.write_bytes(filled.read_bytes()[:100])
        with pytest.warns(UserWarning, match="line 1, the last, is truncated"):
            history = NCHistory(filled)
        assert len(history) == 0
        history.append(0, make_report())
        assert NCHistory(filled).steps.tolist() == [0]

    @pytest.mark.parametrize("text", [b"A note", b"\x80\x04model", b"{}", b'{"a": 1'])
    def test_another_file_is_not_overwritten(self, path, text):
        path.write_bytes(text)
        match = (
            r"line 1 cannot be read: .* If it is not a history of sknc, choose another"
        )
        with pytest.raises(ValueError, match=match):
            NCHistory(path)
        assert path.read_bytes() == text


def spoiled(line, old, new):
    assert old in line
    return line.replace(old, new, 1)


class TestDamaged:
    @pytest.mark.parametrize(
        ("damage", "what"),
        [
            (lambda line: b"", "it is not JSON"),
            (lambda line: line[:-10], "it is not JSON"),
            (lambda line: b"\xff" + line, "it is not JSON"),
            (lambda line: b"\xef\xbb\xbf" + line, "it is not JSON"),
            (lambda line: line + line, r"it is not JSON \(Extra data"),
            (lambda line: b"\0" * len(line), "it is not JSON"),
            (lambda line: b"[" * 100_000, "it is not JSON"),
            (lambda line: b"[1, 2]", 'it is not an object with "sknc_history"'),
            (lambda line: b"null", 'it is not an object with "sknc_history"'),
            (lambda line: line.replace(b'"step"', b'"stop"'), r"it lacks \['step'\]"),
            (
                lambda line: spoiled(line, b'"sknc_history": 1', b'"sknc_history": 2'),
                "it has format version 2, but this version of sknc reads version 1",
            ),
            (
                lambda line: spoiled(line, b'"step": 2', b'"step": 1'),
                "its step 1 does not come after step 1",
            ),
            (
                lambda line: spoiled(line, b'"step": 2', b'"step": NaN'),
                "step must be a finite number",
            ),
            (
                lambda line: spoiled(line, b'"step": 2', b'"step": 1e999'),
                "step must be a finite number",
            ),
            (
                lambda line: spoiled(line, b'"step": 2', b'"step": ' + b"9" * 5000),
                "",
            ),
            (
                lambda line: spoiled(line, b'"step": 2', b'"step": "2"'),
                "step must be a finite number, .*, got '2'",
            ),
            (
                lambda line: (
                    b'{"sknc_history": 1, "step": 2, "train": null, "held_out": null}'
                ),
                "it has no report",
            ),
            (
                lambda line: (
                    b'{"sknc_history": 1, "step": 2, "train": 3, "held_out": null}'
                ),
                "NCReport.from_json expected the text",
            ),
            (
                lambda line: spoiled(line, b'"n_samples": 8', b'"n_samples": -8'),
                "'n_samples' cannot be read",
            ),
        ],
    )
    def test_earlier_line_is_named(self, filled, damage, what):
        lines = filled.read_bytes().splitlines()
        lines[1] = damage(lines[1])
        filled.write_bytes(b"\n".join(lines) + b"\n")
        before = filled.read_bytes()
        match = (
            rf"(?s)^.*history.jsonl: line 2 cannot be read: .*{what}.*Restore the file "
            r"from a copy, or delete that line to continue without its reports\.$"
        )
        with pytest.raises(ValueError, match=match):
            NCHistory(filled)
        assert filled.read_bytes() == before

    @pytest.mark.parametrize("end", [b"\n", b""])
    def test_last_line_that_is_whole(self, filled, end):
        """Only what a killed run leaves is dropped: damage is for the user to see."""
        lines = filled.read_bytes().splitlines()
        lines[2] = spoiled(lines[2], b'"step": 3', b'"step": 2')
        filled.write_bytes(b"\n".join(lines) + end)
        with pytest.raises(ValueError, match="line 3 cannot be read: its step 2 does"):
            NCHistory(filled)

    @given(
        place=st.floats(0, 1, exclude_max=True),
        new=st.binary(min_size=0, max_size=3),
        removed=st.integers(0, 3),
    )
    def test_any_bytes(self, tmp_path, place, new, removed):
        """Other bytes make another file that can be read, or an error with the line."""
        path = tmp_path / "history.jsonl"
        path.unlink(missing_ok=True)
        history = NCHistory(path)
        for step in (1, 2):
            history.append(step, make_report(step))
        data = path.read_bytes()
        at = int(place * len(data))
        path.write_bytes(data[:at] + new + data[at + removed :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # cut off: see above
            with contextlib.suppress(ValueError):
                assert len(NCHistory(path)) <= 5
                return
            with pytest.raises(ValueError, match=r"history.jsonl: line \d cannot be"):
                NCHistory(path)


class TestWriting:
    def test_line_is_stored_before_append_returns(self, filled, monkeypatch):
        calls = []
        for name in ("write", "fsync"):
            inner = getattr(os, name)
            monkeypatch.setattr(
                os, name, lambda *a, n=name, f=inner: (calls.append(n), f(*a))[1]
            )
        NCHistory(filled).append(4, make_report())
        assert calls == ["write", "fsync"]

    @pytest.mark.parametrize("n_written", [0, 40])
    def test_disk_is_full(self, filled, monkeypatch, n_written):
        before = filled.read_bytes()
        history = NCHistory(filled)
        write, calls = os.write, []

        def fail(descriptor, text):
            calls.append(text)
            if n_written and len(calls) == 1:
                return write(descriptor, text[:n_written])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            with pytest.raises(OSError, match="No space left"):
                history.append(4, make_report())
        assert len(history) == 3
        assert filled.read_bytes() == before
        history.append(4, make_report(4))
        assert texts(NCHistory(filled)) == texts(history)

    def test_writes_in_parts(self, path, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda d, text: write(d, text[:7]))
        history = NCHistory(path)
        history.append(1, make_report())
        history.append(2, make_report(2))
        assert texts(NCHistory(path)) == texts(history)

    def test_interrupted_anywhere(self, filled):
        """Wherever Ctrl-C comes, what was not appended can be appended again."""
        before = filled.read_bytes()
        files = (str(Path(sknc.history.__file__).parent),)
        report, held_out = make_report(), make_report(1)

        def interrupted(place):
            filled.write_bytes(before)
            history = NCHistory(filled)
            lines = interrupts.run(
                lambda: history.append(4, report, held_out), place, files
            )
            return history, lines

        _, lines = interrupted(0)
        assert len(lines) > 40
        for place in range(1, len(lines) + 1):
            history, _ = interrupted(place)
            if len(history) == 3:
                history.append(4, report, held_out)
            history.append(5, report)
            assert history.steps.tolist() == [1, 2, 3, 4, 5]
            assert filled.read_bytes().startswith(before)
            assert texts(NCHistory(filled)) == texts(history)

    def test_two_writers(self, filled):
        first, second = NCHistory(filled), NCHistory(filled)
        first.append(4, make_report())
        match = (
            r"history.jsonl has \d+ bytes, but this history left it with \d+: .*append "
            r"on one rank only.*open it again: NCHistory\('.*history.jsonl'\)\.$"
        )
        for call in (lambda: second.append(4, make_report()), lambda: second.rewind(1)):
            with pytest.raises(RuntimeError, match=match):
                call()
        assert len(second) == 3
        assert texts(NCHistory(filled)) == texts(first)

    def test_two_writers_of_a_new_file(self, path):
        first, second = NCHistory(path), NCHistory(path)
        first.append(1, make_report())
        with pytest.raises(RuntimeError, match="something else has written to it"):
            second.append(1, make_report())

    @pytest.mark.slow
    def test_two_writers_in_processes(self, path):
        """Of processes that append at the same time, one has its line in the file."""
        pytest.importorskip("fcntl")
        children = [start(path, 1, wait=True) for _ in range(2)]
        for child in children:
            assert child.stdout.readline() == b"ready\n"
        for child in children:
            child.stdin.write(b"\n")
            child.stdin.flush()
        outputs = [child.communicate(timeout=60) for child in children]
        assert sorted(child.returncode for child in children) == [0, 1]
        assert sum(b"something else has written" in err for _, err in outputs) == 1
        assert NCHistory(path).steps.tolist() == [0]

    def test_waits_for_another_writer(self, filled):
        fcntl = pytest.importorskip("fcntl")
        history, report = NCHistory(filled), make_report()
        thread = threading.Thread(target=lambda: history.append(4, report))
        with filled.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
            assert len(history) == 3
        thread.join(60)
        assert NCHistory(filled).steps.tolist() == [1, 2, 3, 4]

    def test_pickled_copy_goes_on(self, filled):
        copy = pickle.loads(pickle.dumps(NCHistory(filled)))
        copy.append(4, make_report())
        assert NCHistory(filled).steps.tolist() == [1, 2, 3, 4]


# Killed runs ------------------------------------------------------------------------

CHILD = """
import os, sys, time, numpy
from sknc import NCHistory, NeuralCollapseAnalyzer

path, n_steps, wait = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True"
write = os.write


def slow_write(descriptor, text):
    time.sleep(1e-4)
    return write(descriptor, text[:50])


os.write = slow_write  # most kills come within a line
history = NCHistory(path)
X, y = numpy.eye(8), [0, 1] * 4
report = NeuralCollapseAnalyzer(metrics=["nc1_cdnv"]).fit(X, y).report()
print("ready", flush=True)
if wait:
    sys.stdin.readline()
first = int(history.steps[-1]) + 1 if len(history) else 0
for step in range(first, first + n_steps):
    history.append(step, report)
    print(step, flush=True)
"""


def start(path, n_steps, *, wait=False):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, path, str(n_steps), str(wait)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def kill_after(child, seconds):
    """Kill a child some time after it began to append; return what it said."""
    assert child.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    lines = child.stdout.read().split(b"\n")
    child.communicate(timeout=60)
    return [int(line) for line in lines[:-1]]  # the last may be cut off


def check_killed_runs(path, n_rounds):
    """Kill runs that each go on where the last was killed."""
    rng, steps, n_cut = random.Random(0), [], 0
    for _ in range(n_rounds):
        said = steps + kill_after(start(path, 10**6), rng.uniform(0, 0.1))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps = NCHistory(path).steps.tolist()
        n_cut += any("is truncated" in str(item.message) for item in caught)
        assert steps == list(range(len(steps)))
        # Whatever was said to be appended is there, and at most one step more.
        assert said == list(range(len(said)))
        assert len(steps) - len(said) in (0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        history = NCHistory(path)
    history.append(len(history), make_report())
    assert texts(NCHistory(path)) == texts(history)  # without a warning
    assert len({entry.train.to_json() for entry in history[:-1]}) == 1
    return n_cut


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
class TestKilled:
    @pytest.mark.slow
    def test_few(self, path):
        check_killed_runs(path, 3)

    @pytest.mark.slow
    def test_many(self, path):
        assert check_killed_runs(path, 25) > 5  # within a line
