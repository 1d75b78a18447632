"""``sknc report``, ``merge``, ``compare`` and ``metrics``."""

import csv
import io
import json
import sys
import types
import warnings

import numpy as np
import pytest
import states

import sknc
from sknc import NCReport, NearestClassCenter, NeuralCollapseAnalyzer
from sknc.cli import main
from sknc.metrics import TABLE, select


def pipe(monkeypatch, content=b""):
    """Stand in for standard input and output; return what is written."""
    out = io.TextIOWrapper(io.BytesIO())
    source = types.SimpleNamespace(buffer=io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", source)
    monkeypatch.setattr(sys, "stdout", out)
    return out.buffer


ALL = ("report", "x?.npy", "--labels", "y?.npy")


class TestReport:
    def test_text(self, printed):
        X, y = states.samples()
        assert printed(*ALL) == f"{NeuralCollapseAnalyzer().fit(X, y).report()}\n"

    def test_json(self, printed):
        X, y = states.samples()
        want = NeuralCollapseAnalyzer(
            metrics=["NC1", "nc2_etf"], convention="zhu2021", n_jackknife=5
        ).fit(X, y)
        choices = ("--metrics", "NC1,nc2_etf", "--convention", "zhu2021")
        found = printed("report", "all.npz", *choices, "--jackknife", "5", "--json")
        assert NCReport.from_json(found).to_json() == want.report().to_json()

    def test_two_passes(self, printed):
        X, y = states.samples()
        found = printed("report", "all.npz", "--score", "--rows", "70", "--json")
        want = NeuralCollapseAnalyzer().fit(X, y).score(X, y).to_dict()
        got = NCReport.from_json(found).to_dict()
        assert got["nc4_ncc_accuracy"] > 0.9
        assert got == pytest.approx(want, rel=1e-10)

    def test_without_covariance(self, printed):
        found = printed("report", "all.npz", "--no-covariance", "--json")
        assert "nc1_pinv" not in NCReport.from_json(found)

    def test_held_out(self, printed):
        arguments = ("report", "all.npz", "--held-out", "test.npz")
        document = json.loads(printed(*arguments, "--json"))
        analyzer = NeuralCollapseAnalyzer().fit(*states.samples())
        want = {
            "train": analyzer.report(),
            "held_out": analyzer.score(*states.samples(1)),
        }
        for name, report in want.items():
            found = NCReport.from_json(json.dumps(document[name]))
            assert found.to_dict() == report.to_dict()
        assert want["held_out"].nc4_ncc_accuracy > 0.9
        rows = [*csv.DictReader(io.StringIO(printed(*arguments, "--csv")))]
        values = {(row["samples"], row["metric"]): row["value"] for row in rows}
        assert values["held_out", "nc1_cdnv"] == repr(want["held_out"].nc1_cdnv)
        text = printed(*arguments)
        assert text.startswith("Fitted samples:\nNeural collapse of 300 samples")
        assert "\n\nHeld-out samples:\nNeural collapse of 300 samples" in text

    def test_csv(self, printed):
        rows = [
            *csv.DictReader(io.StringIO(printed(*ALL, "--jackknife", "4", "--csv")))
        ]
        report = NeuralCollapseAnalyzer(n_jackknife=4).fit(*states.samples()).report()
        assert [row["metric"] for row in rows] == report.keys()
        assert [float(row["value"]) for row in rows] == report.values()
        errors = [float(row["standard_error"]) for row in rows]
        assert errors == [*report.standard_error.values()]
        assert rows[0]["group"] == "NC1"
        assert rows[0]["direction"] == "lower"

    def test_html(self, printed, tmp_path):
        page = printed(*ALL, "--html")
        report = NeuralCollapseAnalyzer().fit(*states.samples()).report()
        report.to_html(tmp_path / "report.html")
        assert page == (tmp_path / "report.html").read_text(encoding="utf-8")

    def test_html_is_utf8_whatever_the_terminal_is(self, printed, folder, monkeypatch):
        assert printed(*ALL, "--html", "--output", "page.html") == ""
        out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
        monkeypatch.setattr(sys, "stdout", out)
        assert main([*ALL, "--html"]) == 0
        page = out.buffer.getvalue()
        assert page == (folder / "page.html").read_bytes()
        assert "↓ lower" in page.decode("utf-8")

    def test_labels_that_are_no_characters(self, printed, folder):
        np.savez("odd.npz", features=np.eye(4, 3), labels=["a\ud800", "b"] * 2)
        assert printed("report", "odd.npz", "--html", "--output", "odd.html") == ""
        assert b"a\\ud800" in (folder / "odd.html").read_bytes()

    def test_html_of_two(self, printed, folder):
        arguments = (*ALL, "--held-out", "test.npz", "--html", "--output", "both.html")
        assert printed(*arguments) == ""
        page = (folder / "both.html").read_text(encoding="utf-8")
        assert page.startswith('<!doctype html>\n<html lang="en">')
        for name in ("Fitted samples", "Held-out samples"):
            assert f">{name}</th>" in page
            assert f"{name}: all 4 classes." in page

    def test_output(self, printed, folder):
        assert printed(*ALL, "--json", "--output", "report.json") == ""
        text = (folder / "report.json").read_text()
        assert NCReport.from_json(text).n_samples == 300

    def test_save(self, printed, folder):
        text = printed(*ALL, "--save", "all.sknc")
        assert sknc.load("all.sknc").n_samples_seen_ == 300
        assert printed("report", "all.sknc") == text
        found = printed("report", "all.sknc", "--metrics", "NC2", "--json")
        assert NCReport.from_json(found).keys()[0].startswith("nc2_")
        found = json.loads(
            printed("report", "all.sknc", "--held-out", "test.npz", "--json")
        )
        assert found["held_out"]["n_samples"] == 300

    def test_held_out_of_a_state_of_tensors(self, printed, torch):
        X, y = states.samples()
        tensors = torch.tensor(X), torch.tensor(y)
        NeuralCollapseAnalyzer().fit(*tensors).save("tensors.sknc")
        arguments = ("--held-out", "test.npz", "--save", "same.sknc", "--json")
        found = json.loads(printed("report", "tensors.sknc", *arguments))
        want = NeuralCollapseAnalyzer().fit(X, y).score(*states.samples(1))
        got = NCReport.from_json(json.dumps(found["held_out"])).to_dict()
        assert got == pytest.approx(want.to_dict(), rel=1e-9)
        assert torch.is_tensor(sknc.load("same.sknc").class_means_)

    @pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
    def test_encoding_of_the_output(self, encoding, printed, monkeypatch):
        text = printed(*ALL)
        with pytest.raises(UnicodeEncodeError):
            text.encode(encoding)
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
        monkeypatch.setattr(sys, "stdout", out)
        assert main(ALL) == 0
        assert out.buffer.getvalue() == text.encode(encoding, "replace")

    def test_pipes(self, folder, monkeypatch, capsys):
        out = pipe(monkeypatch)
        assert main([*ALL, "--save", "-", "--output", "report.txt"]) == 0
        content = out.getvalue()
        out = pipe(monkeypatch, content)
        assert main(["report", "-"]) == 0
        assert out.getvalue() == (folder / "report.txt").read_bytes()

    def test_progress_on_a_terminal_only(self, printed, monkeypatch, capsys):
        pytest.importorskip("tqdm")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main([*ALL, "--metrics", "nc2_etf"]) == 0
        found = capsys.readouterr()
        assert "fitting" in found.err
        assert "300" in found.err
        monkeypatch.setitem(sys.modules, "tqdm", None)
        printed(*ALL)

    def test_warnings_are_one_line(self, folder, monkeypatch, capsys):
        def warn(options):
            warnings.warn("a\nb", UserWarning, stacklevel=1)

        monkeypatch.setattr("sknc.cli._merge._run", warn)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert main(["merge", "x", "-o", "y"]) == 0
        assert capsys.readouterr().err == "sknc merge: note: a b\n"


class TestMerge:
    def test_exact(self, printed):
        states = ("part0.sknc", "part1.sknc", "part2.sknc")
        text = printed("merge", *states, "-o", "all.sknc")
        assert text == "3 states of 300 samples merged into all.sknc\n"
        found = sknc.load("all.sknc")
        parts = [sknc.load(name) for name in states]
        want = parts[0].merge(parts[1]).merge(parts[2])
        assert found.report().to_json() == want.report().to_json()
        assert found.report().standard_error

    def test_pipes(self, folder, monkeypatch):
        out = pipe(monkeypatch, (folder / "part0.sknc").read_bytes())
        assert main(["merge", "-", "part1.sknc", "-o", "-"]) == 0
        assert sknc.load(io.BytesIO(out.getvalue())).n_samples_seen_ == 200

    def test_tensors_and_arrays(self, printed, torch):
        X, y = states.samples()
        tensors = torch.tensor(X), torch.tensor(y)
        NeuralCollapseAnalyzer(n_jackknife=3).fit(*tensors).save("tensors.sknc")
        printed("merge", "tensors.sknc", "part0.sknc", "-o", "all.sknc")
        assert isinstance(sknc.load("all.sknc").class_means_, np.ndarray)
        NeuralCollapseAnalyzer(n_jackknife=3).fit(*tensors).save("more.sknc")
        printed("merge", "tensors.sknc", "more.sknc", "-o", "all.sknc")
        assert torch.is_tensor(sknc.load("all.sknc").class_means_)

    def test_what_cannot_be_merged(self, refused):
        NeuralCollapseAnalyzer().fit(*states.samples()).save("plain.sknc")
        NearestClassCenter().fit(*states.samples()).save("centers.sknc")
        found = refused("merge", "part0.sknc", "plain.sknc", "-o", "all.sknc")
        assert found.startswith(
            "plain.sknc cannot be merged with part0.sknc: Cannot merge estimators with "
            "different n_jackknife"
        )
        found = refused("merge", "part0.sknc", "centers.sknc", "-o", "all.sknc")
        assert "expected fitted NeuralCollapseAnalyzer estimators" in found
        found = refused("merge", "part0.sknc", "x0.npy", "-o", "all.sknc")
        assert found.startswith("x0.npy is not a state file of sknc")
        found = refused("merge", "part0.sknc", "none.sknc", "-o", "all.sknc")
        assert found == "none.sknc does not exist: name the file of a state."
        found = refused("merge", "part0.sknc", "-o", "none/all.sknc")
        assert found.startswith("There is no folder ")


class TestCompare:
    def test_states(self, printed):
        first, second = (sknc.load(f"part{i}.sknc").report() for i in (0, 1))
        rows = json.loads(printed("compare", "part0.sknc", "part1.sknc", "--json"))
        assert [row["metric"] for row in rows] == first.keys()
        for row in rows:
            key = row["metric"]
            assert row["first"] == first[key]
            assert row["second"] == second[key]
            assert row["difference"] == second[key] - first[key]
            squares = [r.standard_error[key] ** 2 for r in (first, second)]
            assert row["standard_error"] == pytest.approx(sum(squares) ** 0.5)

    def test_text(self, printed):
        lines = printed("compare", "part0.sknc", "part1.sknc").splitlines()
        assert lines[0] == (
            "part0.sknc: 100 samples, 4 classes, 6 features, convention 'default'"
        )
        assert lines[2].split() == ["part0.sknc", "part1.sknc", "difference"]
        assert lines[3].startswith("nc1_pinv ")
        assert lines[3].count("±") == 3

    def test_reports(self, printed, folder):
        printed("report", "part0.sknc", "--json", "--output", "a.json")
        held_out = ("--held-out", "test.npz", "--metrics", "NC1")
        printed("report", "part1.sknc", *held_out, "--json", "--output", "b.json")
        text = printed("compare", "a.json", "b.json", "--csv")
        rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(text))}
        first, second = (sknc.load(f"part{i}.sknc").report() for i in (0, 1))
        assert float(rows["nc1_cdnv"]["first"]) == first.nc1_cdnv
        assert float(rows["nc1_cdnv"]["second"]) == second.nc1_cdnv
        assert rows["nc2_etf"]["second"] == ""

    def test_held_out(self, printed):
        for i in (0, 1):
            names = (f"part{i}.sknc", "--held-out", "test.npz")
            printed("report", *names, "--json", "--output", f"{i}.json")
        text = printed("compare", "0.json", "1.json", "--held-out", "--json")
        rows = {row["metric"]: row for row in json.loads(text)}
        for i, which in enumerate(("first", "second")):
            want = sknc.load(f"part{i}.sknc").score(*states.samples(1)).nc1_cdnv
            assert rows["nc1_cdnv"][which] == pytest.approx(want, rel=1e-12)

    def test_without_held_out(self, printed, refused):
        printed("report", "part0.sknc", "--json", "--output", "one.json")
        names = ("part0.sknc", "--held-out", "test.npz")
        printed("report", *names, "--json", "--output", "both.json")
        remedy = (
            ". Write it with sknc report --held-out FILES --json, or leave out "
            "--held-out."
        )
        found = refused("compare", "one.json", "both.json", "--held-out", code=2)
        what = "has no report on held-out samples"
        assert found == f"one.json {what}{remedy}"
        found = refused("compare", "both.json", "part1.sknc", "--held-out", code=2)
        what = "is a state, which has no held-out samples"
        assert found == f"part1.sknc {what}{remedy}"

    def test_choices(self, printed):
        options = ("--metrics", "nc1_pinv", "--convention", "han2022")
        printed("report", "part0.sknc", "--json", "--output", "a.json")
        rows = json.loads(
            printed("compare", "part0.sknc", "part1.sknc", *options, "--json")
        )
        assert [row["metric"] for row in rows] == ["nc1_pinv"]
        printed("report", "part0.sknc", *options, "--json", "--output", "b.json")
        text = printed("compare", "a.json", "b.json")
        assert "Their conventions differ, so some values cannot be compared." in text

    def test_refused(self, refused, printed, folder):
        printed("report", "part0.sknc", "--json", "--output", "a.json")
        found = refused("compare", "a.json", "a.json", "--metrics", "all", code=2)
        assert found == "a.json is a report, which is final: leave out --metrics."
        (folder / "b.json").write_text("{}")
        found = refused("compare", "a.json", "b.json")
        assert found.startswith(
            "b.json is neither a state nor a report: expected a file"
        )
        NearestClassCenter().fit(*states.samples()).save("centers.sknc")
        found = refused("compare", "centers.sknc", "a.json")
        assert found.startswith("centers.sknc is the state of a NearestClassCenter")


class TestMetrics:
    def test_text(self, printed):
        lines = printed("metrics").splitlines()
        names = [line.split()[0] for line in lines if line.startswith("  nc1_pinv ")]
        assert names == ["nc1_pinv"]
        assert lines[0].startswith("NC0: ")

    def test_selection(self, printed):
        rows = json.loads(printed("metrics", "NC4", "nc2_etf", "--json"))
        assert [row["key"] for row in rows] == [
            m.key for m in select(["NC4", "nc2_etf"])
        ]
        rows = [*csv.DictReader(io.StringIO(printed("metrics", "--csv")))]
        assert [row["key"] for row in rows] == list(TABLE)
        assert len(json.loads(printed("metrics", "default", "--json"))) < len(TABLE)

    def test_unknown(self, refused):
        assert "Did you mean 'NC2'?" in refused("metrics", "nc2", code=2)
