"""The essential metrics, and the verdict in words."""

import re
from pathlib import Path

import numpy as np
import pytest
from toys import around, collapsed, simplex, toy

from sknc import NCReport, NeuralCollapseAnalyzer
from sknc.metrics import select
from sknc.report._rendering.verdict import BOUNDS

KEYS = ["nc1_within_fraction", "nc2_etf", "nc3_self_duality", "nc4_mismatch"]
PAGE = Path(__file__).parents[2] / "docs" / "verdict.md"


def report_of(spread, head_noise=0.0):
    means = 3 * simplex(5, 8)
    item = around(means, 60, spread, 3, head_noise=head_noise)
    return item.report(metrics="essential")


def test_essential_metrics():
    assert [metric.key for metric in select("essential")] == KEYS == list(BOUNDS)
    assert list(report_of(0.1)) == KEYS


@pytest.mark.skipif(not PAGE.exists(), reason="needs the repository")
def test_page_states_the_thresholds():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert {key: (float(a), float(b)) for key, a, b in rows} == BOUNDS


def test_exact_collapse():
    text = collapsed().report(metrics="essential").summary()
    first, *lines = text.splitlines()
    assert first.endswith(": collapsed, the worst of NC1, NC2, NC3, NC4")
    assert len(lines) == 4
    assert all(" collapsed (collapsed up to" in line for line in lines)


@pytest.mark.parametrize(
    ("spread", "verdict"),
    [(0.03, "collapsed"), (0.4, "partly collapsed"), (2.0, "not collapsed")],
)
def test_verdict_follows_the_spread(spread, verdict):
    first = report_of(spread).summary().splitlines()[0]
    assert re.search(r": ([a-z ]+), the worst of", first)[1] == verdict


def test_the_worst_counts():
    report = report_of(0.03, head_noise=3.0)
    assert report.nc1_within_fraction < 0.01
    assert report.nc3_self_duality > 0.6
    assert ": not collapsed, the worst of" in report.summary()
    assert re.search("nc1_within_fraction .* collapsed", report.summary())


def test_values_on_a_threshold_are_still_within():
    report = report_of(0.4)
    document = report.to_json()
    for value, word in ((0.01, "collapsed"), (0.2, "partly collapsed"),
                        (0.2000001, "not collapsed")):  # fmt: skip
        changed = re.sub(
            r'"nc1_within_fraction": [\d.e-]+', f'"nc1_within_fraction": {value}',
            document, count=1,
        )  # fmt: skip
        line = NCReport.from_json(changed).summary().splitlines()[1]
        assert line.split(maxsplit=2)[2].startswith(f"{word} (")


def test_what_is_missing_is_named():
    item = toy("random_balanced")
    report = NeuralCollapseAnalyzer(metrics=["nc2_etf"]).fit(item.X, item.y).report()
    first, *lines = report.summary().splitlines()
    assert first.endswith(", by NC2 alone")
    assert any("Request it: metrics=['nc1_within_fraction'" in line for line in lines)
    assert any("It requires a linear head" in line for line in lines)
    nothing = NeuralCollapseAnalyzer(metrics=["NC3"]).fit(item.X, item.y).report()
    assert ": nothing to judge by" in nothing.summary()


def test_undefined_values_are_not_judged():
    X = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    report = NeuralCollapseAnalyzer().fit(X, [0, 0, 1, 1]).report()
    line = report.summary().splitlines()[2]
    assert "nc2_etf" in line
    assert "all class means coincide" in line


def test_more_classes_than_a_simplex_has_room_for():
    corners = np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    y = np.repeat(np.arange(4), 3)
    report = NeuralCollapseAnalyzer(metrics="essential").fit(corners[y], y).report()
    assert report.nc2_etf > 0.6
    assert ": collapsed, the worst of NC1, NC2" in report.summary()


def test_squared_duality_has_squared_bounds():
    item = toy("long_tailed")
    lines = []
    for convention in ("default", "han2022"):
        analyzer = NeuralCollapseAnalyzer(
            item.head, metrics="essential", convention=convention
        )
        report = analyzer.fit(item.X, item.y).report()
        (line,) = re.findall(r"^  nc3_self_duality .*$", report.summary(), re.M)
        lines.append(line)
    assert "(collapsed up to 0.2, partly up to 0.6)" in lines[0]
    assert "(collapsed up to 0.04, partly up to 0.36)" in lines[1]
    grades = [re.search(r"(\w+ )?collapsed", line)[0] for line in lines]
    assert grades[0] == grades[1]


def test_samples_without_spread_are_not_judged_by_it():
    X = np.random.default_rng(0).standard_normal((10, 5000))
    analyzer = NeuralCollapseAnalyzer(metrics="essential", covariance=False)
    text = analyzer.fit(X, range(10)).report().summary()
    assert "collapsed, by NC2 alone\n" in text
    note = "Classes with one sample count with zero variance."
    assert re.search(rf"^  nc1_within_fraction +– +{note}$", text, re.M)


def test_bounds_allow_for_what_cannot_be_reached():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 40
    X = rng.standard_normal((40, 4))[y] + 0.01 * rng.standard_normal((400, 4))
    text = NeuralCollapseAnalyzer(metrics="essential").fit(X, y).report().summary()
    least = re.search(r"nc2_etf .*\(collapsed up to ([\d.]+),", text)[1]
    floor = np.sqrt(2 - 2 * np.sqrt(4 / 39))
    assert float(least) == pytest.approx(floor + 0.15, abs=5e-3)  # as shown
