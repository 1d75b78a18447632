"""How a report is stored and shown: JSON and back, data frames, text and HTML."""

import contextlib
import datetime
import json
import math
import sys
from collections.abc import Mapping
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from sknc import Convention, NCReport, NeuralCollapseAnalyzer
from sknc.metrics import TABLE
from sknc.metrics._catalogue.properties import PROPERTIES

PARTS = [
    *("n_samples", "n_classes", "n_features", "weighted", "dtype", "device"),
    *("rank", "condition", "notes", "standard_error", "quantiles", "convention"),
]


@pytest.fixture(scope="module")
def data():
    X, y = make_blobs([40, 90, 60, 50], n_features=5, cluster_std=3.0, random_state=0)
    return X, np.array(["dog", "ant", "cat", "bee"])[y]


@pytest.fixture(scope="module")
def head(data):
    return LogisticRegression(max_iter=500).fit(*data)


@pytest.fixture(scope="module")
def report(data, head):
    return NeuralCollapseAnalyzer(head=head).fit(*data).score(*data)


@pytest.fixture(scope="module")
def everything(data, head):
    """Report with errors, quantiles, weights and notes of every kind."""
    X, y = data
    model = NeuralCollapseAnalyzer(head, metrics="all", n_jackknife=3)
    return model.fit(X, y).score(X, y, np.linspace(0.1, 2, len(y)))


@pytest.fixture(scope="module")
def undefined():
    """Report with values that are NaN or infinite."""
    X = np.array([[1.0, 0], [2, 0], [1, 0], [2, 0]])
    return NeuralCollapseAnalyzer(head=np.zeros((2, 2))).fit(X, [0, 0, 1, 1]).report()


@pytest.fixture(scope="module")
def crowded():
    """Report of more classes than a simplex has: one note for several metrics."""
    X, y = np.random.default_rng(0).normal(size=(300, 3)), np.arange(300) % 10
    return NeuralCollapseAnalyzer(metrics=["NC2"]).fit(X, y).report()


def labelled(labels, **options):
    """Return the report of two classes of given labels."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = NeuralCollapseAnalyzer(**options)
    return model.fit(X, np.asarray(labels)[np.arange(20) % 2]).report()


# JSON -----------------------------------------------------------------------------


def strict(text):
    def refuse(constant):
        msg = f"{constant} is not a JSON"
        raise ValueError(msg)

    return json.loads(text, parse_constant=refuse)


def assert_same(one, other):
    """Compare all that two reports hold, to the last digit and dtype."""
    assert type(other) is NCReport
    np.testing.assert_equal(float(other), float(one))
    np.testing.assert_equal(other.to_dict(), one.to_dict())
    for name in PARTS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert type(mine) is type(theirs), name
        if isinstance(mine, Mapping):  # with NaN in it, perhaps
            mine, theirs = dict(mine), dict(theirs)
        np.testing.assert_equal(theirs, mine, name)
    assert other.per_class.keys() == one.per_class.keys()
    for name, column in one.per_class.items():
        np.testing.assert_array_equal(other.per_class[name], column, name, strict=True)
    assert repr(other) == repr(one)
    for key in TABLE.keys() - set(one):
        assert message_of_missing(one, key) == message_of_missing(other, key)


def message_of_missing(report, key):
    """Return what a report says of a metric that it does not have."""
    with pytest.raises(KeyError) as caught:
        report[key]
    return str(caught.value)


def round_trip(report):
    """Write, check that it is JSON to any reader, and read."""
    text = report.to_json()
    strict(text)
    again = NCReport.from_json(text)
    assert again.to_json() == text
    return again


@pytest.mark.parametrize("name", ["report", "everything", "undefined", "crowded"])
def test_json_and_back(name, request):
    one = request.getfixturevalue(name)
    assert_same(one, round_trip(one))


def test_json_and_back_of_infinite_values(undefined):
    assert undefined.nc1_trace_ratio == math.inf
    found = strict(undefined.to_json())
    assert found["metrics"]["nc1_trace_ratio"] == "Infinity"
    assert found["metrics"]["nc2_etf"] is None
    X = np.repeat(np.eye(3, 4), 2, axis=0)
    y = np.repeat(np.arange(3), 2)
    lowest = NeuralCollapseAnalyzer(metrics=["nc1_fuzziness"]).fit(X, y).report()
    assert lowest.nc1_fuzziness == -math.inf
    assert round_trip(lowest).nc1_fuzziness == -math.inf


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 1]),
        np.array([-3, 7], np.int8),
        np.array([1, 2**63 + 5], np.uint64),
        np.array([2**60 + 1, 2**60 + 2]),
        np.array([True, False]),
        np.array([1.0, 2.0]),
        np.array(["größer", 'a"\\']),
        np.array(["1999-12-31", "2020-01-01"], "M8[D]"),
        np.array(["2020-01-01T00:00:00.123456789", "2020-01-02"], "M8[ns]"),
        np.array([1, 10**15], "m8[ns]"),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_json_and_back_of_labels(labels):
    one = labelled(labels)
    assert_same(one, round_trip(one))


@pytest.mark.parametrize("metrics", [[], ["nc2_etf"], "NC4", np.array(["nc1_pinv"])])
def test_json_and_back_of_few_metrics(metrics):
    one = labelled(["a", "b"], metrics=metrics)
    assert_same(one, round_trip(one))


@pytest.mark.parametrize(
    "options",
    [
        {"minority": np.array([0, 1])[:2]},
        {"minority": np.float64(0.25)},
        {"minority": (np.str_("a"), True, 1.5)},
        {"weight_decay": np.float32(0.1)},
        {"divide_by_classes": np.bool_(False)},
        {"minority": (np.datetime64("2020-01-01"), np.timedelta64(3, "s"))},
        {"name": 'a "name"\n', "center": "none", "rank": "full"},
    ],
)
def test_json_and_back_of_conventions(options):
    one = labelled([0, 1], convention=Convention(**options))
    again = round_trip(one)
    assert again.convention == one.convention
    assert again.to_dict() == one.to_dict()


def test_json_refuses_labels_without_a_form():
    convention = Convention(minority=(datetime.date(2020, 1, 1),))
    one = labelled([0, 1], convention=convention)
    with pytest.raises(TypeError, match="date is not JSON serializable"):
        one.to_json()


def test_json_of_a_report(report, undefined):
    found = strict(report.to_json())
    assert found["schema_version"] == 1
    assert found["score"] == float(report)
    assert found["metrics"] == report.to_dict()
    assert found["per_class"]["label"] == ["ant", "bee", "cat", "dog"]
    assert set(found["per_class"]) == set(report.per_class)
    assert found["convention"]["name"] == "default"
    assert (found["n_samples"], found["n_classes"], found["n_features"]) == (240, 4, 5)
    assert (found["dtype"], found["device"], found["rank"]) == ("float64", "cpu", 3)
    assert found["condition"] == report.condition
    assert strict(undefined.to_json())["notes"] == undefined.notes


def test_options_of_json(report):
    assert "\n  " in report.to_json(indent=2)
    assert report.to_json(allow_nan=True) == report.to_json()
    assert NCReport.from_json(report.to_json(sort_keys=True).encode()) == report


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ({"score": 1}, TypeError, r"got dict\. Read a file first: Path\(file\)"),
        ("", ValueError, r"got text that is not JSON \(Expecting value"),
        ('{"schema_version": 1', ValueError, "got text that is not JSON"),
        ("[" * 100_000, ValueError, "got text that is not JSON"),
        ("[1, 2]", ValueError, r'other JSON: an object with "schema_version"'),
        ("0.5", ValueError, "got other JSON"),
        ('{"score": 1}', ValueError, "got other JSON"),
        (
            '{"schema_version": 2, "sknc_version": "9.0"}',
            ValueError,
            r"reads schema version 1, got version 2, written by sknc 9\.0\. Read it",
        ),
        ('{"schema_version": 1}', ValueError, "'n_samples' cannot be read.*missing"),
    ],
)
def test_not_the_json_of_a_report(text, kind, message):
    with pytest.raises(kind, match=message):
        NCReport.from_json(text)


WRONG = [None, True, -1, 0.5, "x", [], [1], {}, {"x": 1}, {"nc1_pinv": "x"}, [{}]]


def test_every_part_may_be_damaged(everything):
    whole = json.loads(everything.to_json())
    accepted = set()
    for name in whole.keys() - {"schema_version", "sknc_version"}:
        rest = {key: value for key, value in whole.items() if key != name}
        with pytest.raises(ValueError, match=f"damaged: '{name}' cannot be read"):
            NCReport.from_json(json.dumps(rest))
        for wrong in WRONG:
            with contextlib.suppress(ValueError):
                NCReport.from_json(json.dumps({**rest, name: wrong}))
                accepted.add((name, repr(wrong)))
    # Values that a whole report may have there.
    empty = {(name, "{}") for name in ("metrics", "standard_error", "per_class")}
    empty |= {("quantiles", "{}"), ("notes", "{}"), ("inputs", "[]")}
    words = {("dtype", "'x'"), ("device", "'x'"), ("weighted", "True")}
    words |= {("inputs", "['x']"), ("requested", "[]"), ("notes", "{'nc1_pinv': 'x'}")}
    numbers = {(n, x) for n in ("score", "condition") for x in ("None", "-1", "0.5")}
    assert accepted <= empty | words | numbers | {("rank", "None")}


@pytest.mark.parametrize(
    ("part", "column", "wrong"),
    [
        ("per_class", "label", ["ant", "bee", "cat"]),
        ("per_class", "label", ["ant", "bee", "cat", "elephant"]),
        ("per_class", "label", [1, 2, 3, 4]),
        ("per_class", "count", [1, 2, "many", 4]),
        ("per_class_dtype", "count", "object"),
        ("per_class_dtype", "variance", "int64"),
    ],
)
def test_columns_may_be_damaged(report, part, column, wrong):
    whole = json.loads(report.to_json())
    whole[part][column] = wrong
    with pytest.raises(ValueError, match="damaged: 'per_class' cannot be read"):
        NCReport.from_json(json.dumps(whole))


def test_json_of_a_metric_from_another_version(report):
    whole = json.loads(report.to_json())
    whole["metrics"]["nc9_new"] = 1.0
    with pytest.raises(ValueError, match=r"sknc .* has no metrics \['nc9_new'\]"):
        NCReport.from_json(json.dumps(whole))


# Data frames ----------------------------------------------------------------------

COLUMNS = ["metric", "value", "standard_error", "group", "direction", "note"]


@pytest.mark.parametrize("backend", ["pandas", "polars"])
class TestFrame:
    @pytest.fixture(autouse=True)
    def libraries(self, backend):
        pytest.importorskip("narwhals")
        self.library = pytest.importorskip(backend)

    def test_columns(self, report, backend):
        frame = report.to_frame(backend=backend)
        assert isinstance(frame, self.library.DataFrame)
        assert list(frame.columns) == COLUMNS
        assert list(frame["metric"]) == report.keys()
        assert list(frame["value"]) == report.values()
        assert np.isnan(list(frame["standard_error"])).all()
        assert list(frame["group"])[:2] == ["NC0", "NC1"]
        assert set(frame["direction"]) == {"lower", "none"}

    def test_errors(self, everything, backend):
        frame = everything.to_frame(backend)
        found = dict(zip(frame["metric"], frame["standard_error"], strict=True))
        np.testing.assert_equal(found, dict(everything.standard_error))
        assert 0 < found["nc1_pinv"] < everything.nc1_pinv

    def test_notes(self, undefined, backend):
        frame = undefined.to_frame(backend)
        notes = dict(zip(frame["metric"], frame["note"], strict=True))
        assert {k: v for k, v in notes.items() if v} == {
            k: v for k, v in undefined.notes.items() if k in undefined
        }

    def test_without_metrics(self, backend):
        frame = labelled([0, 1], metrics=[]).to_frame(backend)
        assert list(frame.columns) == COLUMNS
        assert len(frame) == 0


def test_to_frame_without_the_library(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    text = (
        "requires narwhals and pandas, from the extra 'frame': in a clone of sknc, "
        r"run pip install '\.\[frame\]'\."
    )
    with pytest.raises(ImportError, match=text):
        report.to_frame()


# Text -----------------------------------------------------------------------------


def test_text(report):
    lines = repr(report).splitlines()
    assert lines[0] == (
        "Neural collapse of 240 samples, 4 classes, 5 features (float64 on cpu), "
        "convention 'default'"
    )
    rows = [line for line in lines if line.split()[0] in TABLE]
    assert [line.split()[0] for line in rows] == report.keys()
    for key, line in zip(report, rows, strict=True):
        assert f"{report[key]:.6g}" in line
    assert lines[-2].split()[-1] == f"{float(report):.6g}"
    assert lines[-1] == f"  class means: rank 3, condition {report.condition:.3g}"
    assert all(line == line.rstrip() for line in lines)


def test_text_is_grouped_by_property(everything):
    lines = repr(everything).splitlines()
    place, seen = None, []
    for line in lines:
        if line.split(":")[0] in PROPERTIES:
            place = line.split(":")[0]
            assert line == f"{place}: {PROPERTIES[place]}"
            seen.append(place)
        elif (key := line.split()[0]) in TABLE:
            assert TABLE[key].group == place, key
    assert seen == [group for group in PROPERTIES if group != "NC5"]
    # Those of the default come first in their group.
    firsts = [TABLE[key].headline for key in everything if TABLE[key].group == "NC1"]
    assert firsts == sorted(firsts, reverse=True)


def test_text_says_weighted(everything, report, data):
    assert "of 240 samples (weighted), 4 classes" in repr(everything)
    assert everything.weighted
    assert not report.weighted
    X, y = data
    of_weights = NeuralCollapseAnalyzer().fit(X, y, np.ones(len(y)))
    for one in (of_weights.report(), of_weights.score(X, y)):
        assert "(weighted)" in repr(one)
        assert "(weighted)" in one._repr_html_()


def test_text_has_errors(everything):
    error = everything.standard_error["nc1_cdnv"]
    line = next(x for x in repr(everything).splitlines() if "nc1_cdnv " in x)
    assert f"{everything.nc1_cdnv:.6g}" in line
    assert f"± {error:.2g}" in line


@pytest.mark.parametrize("show", [repr, NCReport._repr_html_], ids=["text", "html"])
def test_each_note_is_shown_once(crowded, undefined, everything, show):
    for one in (crowded, undefined, everything):
        shown = show(one)
        for note in one.notes.values():
            plain = note.replace("'", "&#x27;") if show is not repr else note
            assert shown.count(plain) == 1, note


def test_notes_are_numbered(crowded):
    text = repr(crowded)
    note = "10 classes have no simplex in 3 dimensions: zero cannot be reached."
    keys = [key for key, found in crowded.notes.items() if found == note]
    assert len(keys) > 2
    number = text.split(note)[0].rsplit("[", 1)[1].split("]")[0]
    marked = [x.split()[0] for x in text.splitlines() if x.endswith(f" [{number}]")]
    assert marked == keys


def test_notes_on_missing_metrics_name_them_together(data, head):
    report = NeuralCollapseAnalyzer(head, metrics="NC4").fit(*data).report()
    text = (
        "nc4_mismatch, nc4_ncc_accuracy, nc4_head_accuracy, nc4_cosine_margin, "
        "nc4_ncc_margin: Left out. It is measured on samples: call score(X, y) or"
    )
    assert text in repr(report)


def test_text_of_undefined_values(undefined):
    assert undefined.notes["nc2_etf"] in repr(undefined)
    assert "nan" in repr(undefined)


def test_text_without_metrics():
    lines = repr(labelled([0, 1], metrics=[])).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("  score (1 - nc1_within_fraction)")


def test_text_of_unobserved_classes(data):
    X, y = data
    model = NeuralCollapseAnalyzer()
    model.partial_fit(X, y, classes=["ant", "bee", "cat", "cow", "dog"])
    text = "classes: 1 class has no samples and was skipped."
    assert text in repr(model.report())
    model = NeuralCollapseAnalyzer()
    model.partial_fit(X, y, classes=["ant", "bee", "cat", "cow", "dog", "emu"])
    text = "classes: 2 classes have no samples and were skipped."
    assert text in repr(model.report())


# HTML -----------------------------------------------------------------------------


class _Table(HTMLParser):
    """Reads the cells of a table, row by row, and checks that tags match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_html(report, undefined, crowded):
    for one in (report, undefined, crowded):
        table = _Table(one._repr_html_()).rows
        assert table[0] == ["metric", "value", "more collapsed", "note"]
        cells = {row[0]: row for row in table if row[0] in one}
        assert list(cells) == one.keys()
        for key, row in cells.items():
            assert row[1] == f"{one[key]:.6g}"
            lower = TABLE[key].lower_is_collapsed
            assert row[2] == {True: "↓ lower", False: "↑ higher", None: ""}[lower]
        assert [f"score (1 - nc1_within_fraction) {float(one):.6g}"] in table
        headings = {key: [f"{key}: {text}"] for key, text in PROPERTIES.items()}
        groups = {TABLE[key].group for key in one}
        assert [row for row in table if row in headings.values()] == [
            headings[group] for group in PROPERTIES if group in groups
        ]


def test_html_has_errors(everything):
    table = _Table(everything._repr_html_()).rows
    assert table[0][:3] == ["metric", "value", "standard error"]
    errors = {row[0]: row[2] for row in table if row[0] in everything}
    assert errors == {
        key: f"{everything.standard_error[key]:.2g}" for key in everything
    }


def test_html_is_escaped(data):
    convention = Convention("<script>alert(1)</script>")
    report = NeuralCollapseAnalyzer(convention=convention).fit(*data).report()
    assert "<script>" not in report._repr_html_()
