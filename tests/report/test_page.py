"""Reports as pages: what is in the file, checked without a browser."""

import base64
import hashlib
import itertools
import math
import re
from html.parser import HTMLParser

import numpy as np
import pages
import pytest
from pages import HOSTILE

from sknc import (
    Convention,
    LayerwiseReport,
    NCReport,
    NeuralCollapseAnalyzer,
    NeuralRegressionCollapse,
)
from sknc.metrics import TABLE
from sknc.metrics._catalogue.regression_table import REGRESSION_TABLE
from sknc.report._rendering import report_page
from sknc.report._rendering.page.document import resource
from sknc.report._rendering.page.figures import Series, dot_plot
from sknc.report._rendering.page.markup import joined, tag, with_code, with_links
from sknc.report._rendering.page.scales import decades, scale_of
from sknc.report._rendering.page.sortable import MOST_ROWS

VOID = {"meta", "link"}
REPORTS = {
    "hostile": pages.hostile_report,
    "crowded": pages.crowded_report,
    "regression": pages.regression_report,
    "layers": pages.layers_report,
}


class Page(HTMLParser):
    """Reads a page; raises if a tag is not closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.tags, self.words = text, [], [], []
        self.rows, self.content = [], {}
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, name, attrs):
        self.tags.append((name, dict(attrs)))
        if name not in VOID:
            self.open.append(name)
        if name == "tr":
            self.rows.append([])
        if name in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not self.open:
            return
        if self.open[-1] in ("style", "script"):
            self.content[self.open[-1]] = data
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, name):
        return [attrs for found, attrs in self.tags if found == name]

    @property
    def shown(self):
        return " ".join(" ".join(self.words).split())


def page_of(report, folder, **options):
    path = folder / "report.html"
    report.to_html(path, **options)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Return the page of each kind of report."""
    made = {
        name: page_of(make(), tmp_path_factory.mktemp(name))
        for name, make in REPORTS.items()
    }
    return made.__getitem__


# Any page -------------------------------------------------------------------------


@pytest.mark.parametrize("name", REPORTS)
class TestAnyPage:
    def test_is_one_file(self, read, name):
        page = read(name)
        for tag_name, attrs in page.tags:
            for key, value in attrs.items():
                assert not key.startswith("on"), (tag_name, key)
                assert key not in ("src", "srcset", "style", "action"), (tag_name, key)
                if key == "href" and tag_name != "a":
                    assert value.startswith(("#", "data:")), value
        assert "@import" not in page.content["style"]
        assert "url(" not in page.content["style"]

    def test_policy_allows_its_own_parts_alone(self, read, name):
        page = read(name)
        (policy,) = (
            attrs["content"]
            for attrs in page.all("meta")
            if attrs.get("http-equiv") == "Content-Security-Policy"
        )
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        for rule, part in (("style-src", "style"), ("script-src", "script")):
            digest = hashlib.sha256(page.content[part].encode()).digest()
            assert rules.pop(rule) == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert rules.pop("img-src") == "data:"
        assert set(rules) == {"default-src", "base-uri", "form-action"}
        assert set(rules.values()) == {"'none'"}

    def test_is_accessible(self, read, name):
        page = read(name)
        assert page.all("html") == [{"lang": "en"}]
        levels = [int(t[1]) for t, _ in page.tags if re.fullmatch(r"h[1-6]", t)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
        assert len(page.all("table")) == len(page.all("caption")) > 0
        assert all("scope" in attrs for attrs in page.all("th"))
        figures = [a for a in page.all("svg") if a.get("role") == "img"]
        assert len(figures) == len(page.all("figure")) > 0
        others = [a for a in page.all("svg") if a.get("role") != "img"]
        assert all(attrs["aria-hidden"] == "true" for attrs in others)

    def test_places_exist_once(self, read, name):
        page = read(name)
        identifiers = [a["id"] for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers))
        for _, attrs in page.tags:
            assert set(attrs.get("aria-labelledby", "").split()) <= set(identifiers)
            address = attrs.get("href", "")
            if address.startswith("#"):
                assert address[1:] in identifiers

    def test_same_report_same_bytes(self, read, name, tmp_path):
        assert page_of(REPORTS[name](), tmp_path).text == read(name).text

    def test_labels_are_text(self, read, name):
        page = read(name)
        assert len(page.all("script")) == 1
        assert page.all("img") == []
        assert (HOSTILE in page.shown) == (name in ("hostile", "layers"))


def test_colors_can_be_read():
    style = resource("page.css")
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    defaults = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    for text in (light, dark):
        colors = defaults | dict(re.findall(r"--([\w-]+): (#\w+)", text))
        for ground in ("paper", "surface"):
            for ink in ("ink", "muted", "link"):
                assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
            for mark in ("first", "second"):
                assert contrast(colors[mark], colors[ground]) >= 3, (mark, ground)
        for grade in ("good", "fair", "poor"):
            assert contrast(colors[f"{grade}-ink"], colors[grade]) >= 4.5, grade


def contrast(one, other):
    """Return the contrast of two colors as WCAG 2 defines it."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    digits = color[1:]
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_by_known_values():
    assert contrast("#fff", "#000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


# What is on it --------------------------------------------------------------------


def test_verdict_in_the_words_of_the_summary(read):
    report = pages.hostile_report()
    first, *lines = report.summary().splitlines()
    shown = read("hostile").shown
    assert first.rpartition(": ")[2].replace(",", " ,", 1) in shown
    for line in lines:
        key, _, *words = line.split()
        words, bounds = " ".join(words).split(" (")
        assert words in shown
        assert f"{key} : {bounds.removesuffix(')')}" in shown


def test_verdict_says_what_it_takes(tmp_path):
    X, y = pages.samples()
    page = page_of(NeuralCollapseAnalyzer().fit(X, y).report(), tmp_path)
    assert "It requires a linear head: NeuralCollapseAnalyzer(head=...)." in page.shown
    page = page_of(NeuralCollapseAnalyzer(metrics=[]).fit(X, y).report(), tmp_path)
    assert "nothing to judge by" in page.shown
    assert "metrics" not in [attrs.get("id") for attrs in page.all("section")]


def test_every_metric(read):
    report = pages.crowded_report()
    rows = {row[0]: row for row in read("crowded").rows}
    for key in report:
        metric = TABLE[key]
        name = f"{key}{metric.summary.replace('``', '')}"
        _, value, direction, ideal, source, note = rows[name]
        assert value == f"{report[key]:.6g}"
        arrows = {True: "↓ lower", False: "↑ higher", None: ""}
        assert direction == arrows[metric.lower_is_collapsed]
        if isinstance(metric.ideal, float):
            assert float(ideal) == metric.ideal
        else:
            assert ideal == (metric.ideal or "")
        assert source == metric.source
        assert (note != "") == (key in report.notes), key


def test_notes_are_numbered_where_they_belong(read):
    report, page = pages.crowded_report(), read("crowded")
    texts = [note for key, note in report.notes.items() if key in report]
    assert len(set(texts)) > 2
    for number, note in enumerate(dict.fromkeys(texts), 1):
        assert f'<li id="note-{number}"' in page.text
        assert page.shown.count(note) >= 1


def test_sources_are_links(read):
    links = {attrs["href"] for attrs in read("hostile").all("a")}
    assert "https://doi.org/10.1073/pnas.2015509117" in links
    assert "https://arxiv.org/abs/2105.02375" in links
    assert '"Prevalence of neural collapse' in read("hostile").shown


def test_errors(read):
    report = pages.hostile_report()
    rows = {row[0]: row for row in read("hostile").rows}
    name = f"nc1_cdnv{TABLE['nc1_cdnv'].summary}"
    assert rows[name][2] == f"{report.standard_error['nc1_cdnv']:.2g}"
    assert 'class="first error"' in read("hostile").text


def test_classes(read):
    report, page = pages.hostile_report(), read("hostile")
    for i, label in enumerate(report.per_class["label"]):
        row = next(row for row in page.rows if row[0] == label)
        assert float(row[1]) == report.per_class["count"][i]
        assert float(row[2]) == pytest.approx(report.per_class["variance"][i], rel=1e-3)
        assert len(row) == len(report.per_class)


def test_convention_and_versions(read):
    page = read("hostile")
    for name in ("squared_duality", "bias_correction", "numerical", "scikit-learn"):
        assert name in page.shown
    assert np.__version__ in page.shown


def test_quantiles(read):
    row = next(row for row in read("crowded").rows if row[0] == "nc4_ncc_margin")
    quantiles = pages.crowded_report().quantiles["nc4_ncc_margin"]
    assert row[1:] == [f"{value:.4g}" for value in quantiles.values()]


def test_missing_values_are_dashes(tmp_path):
    analyzer, _ = pages.fitted()
    X, y = pages.samples()
    report = analyzer.score(X[y < 2], y[y < 2])
    page = page_of(report, tmp_path)
    row = next(row for row in page.rows if row[0] == "2" and len(row) > 5)
    assert "–" in row


def test_regression(read):
    report, page = pages.regression_report(), read("regression")
    rows = {row[0]: row for row in page.rows}
    for key in report:
        name = f"{key}{REGRESSION_TABLE[key].summary.replace('``', '')}"
        assert rows[name][1] == f"{report[key]:.6g}"
    assert rows["target 1"][1] == f"{report.per_target['variance'][1]:.4g}"
    assert "direction 5, share: " in page.shown


def test_layers(read):
    report, page = pages.layers_report(), read("layers")
    assert f"{report.layer_separation_rate():.4g}" in page.shown
    assert f"{report.layer_separation_rate(held_out=True):.4g}" in page.shown
    assert f"Some note {HOSTILE}." in page.shown
    names = report.layers
    assert f"Layers {names[0]}, {names[1]}, {names[2]}: " in page.shown
    values = [row[4] for row in page.rows if row[0] in names]
    both = [report.metric("nc1_trace_ratio", held_out=side) for side in (False, True)]
    assert values == [f"{value:.4g}" for value in np.concatenate(both)]


def test_layers_of_training_samples_alone(tmp_path):
    report = pages.layers_report()
    alone = type(report)(report.train)
    page = page_of(alone, tmp_path)
    assert "Held-out samples" not in page.shown
    assert "layer_ncc_mismatch" not in page.shown


def test_two_reports_side_by_side():
    one, other = pages.report_of(seed=0), pages.report_of(seed=3)
    page = Page(report_page({"A": one._content, "B": other._content}, remarks=["Oh."]))
    rows = {row[0]: row for row in page.rows}
    name = f"nc1_cdnv{TABLE['nc1_cdnv'].summary}"
    assert rows[name][1:3] == [f"{r.nc1_cdnv:.6g}" for r in (one, other)]
    assert "A: all 3 classes." in page.shown
    assert "B: all 3 classes." in page.shown
    assert "Oh." in page.shown
    # NC2 is of the class means: one mark.
    assert "nc1_cdnv, B: " in page.shown
    assert "nc2_etf, A: " in page.shown
    assert "nc2_etf, B: " not in page.shown


def test_title(tmp_path):
    page = page_of(pages.report_of(), tmp_path, title=f"Mine {HOSTILE}")
    assert page.shown.count(f"Mine {HOSTILE}") == 2  # heading and title of the window
    assert page_of(pages.report_of(), tmp_path).shown.startswith("Neural collapse ")


# Files ----------------------------------------------------------------------------


def test_thousand_classes_fit_into_a_megabyte():
    labels = np.array([f"n{number:08d} of a thousand" for number in range(1000)])
    report = pages.report_of(1000, labels=labels)._content
    page = Page(report_page({"train": report, "held out": report}))
    assert len(page.text.encode()) <= 1_000_000
    assert sum(row[0] in set(labels) for row in page.rows) == 2000
    assert "Shown are 20 of 1000." in page.shown


def test_more_classes_than_a_page_can_show(tmp_path):
    n_classes = MOST_ROWS + 5
    report = pages.report_of(n_classes, n_each=2, metrics=["nc1_pinv"])
    page = page_of(report, tmp_path)
    text = f"The {MOST_ROWS} of {n_classes} classes that are furthest from collapse."
    assert text in page.shown
    parts = report.per_class["nc1_pinv"]
    left_out = set(np.argsort(-parts)[-5:].astype(str))
    names = {row[0] for row in page.rows}
    assert not left_out & names


def test_labels_that_are_no_characters(tmp_path):
    labels = np.array(["a\ud800", "b", "c"])
    page = page_of(pages.report_of(labels=labels), tmp_path)
    assert "a\\ud800" in page.shown


def test_labels_of_dates(tmp_path):
    labels = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[D]")
    assert "2021-01-01" in page_of(pages.report_of(labels=labels), tmp_path).shown


def test_extreme_values(tmp_path):
    X, y = pages.samples()
    for scale in (1e-160, 1e-30, 1e30, 1e150, 1e200):
        report = NeuralCollapseAnalyzer(metrics="all").fit(scale * X, y).report()
        page_of(report, tmp_path)
    collapsed = np.repeat(np.eye(3, 6), 8, axis=0)
    report = NeuralCollapseAnalyzer(np.eye(3, 6), metrics="all").fit(collapsed, y)
    page = page_of(report.score(collapsed, y), tmp_path)
    assert 'href="#mark-first-zero"' in page.text


def test_reports_with_little_in_them(tmp_path):
    X, y = pages.samples()
    analyzer = NeuralCollapseAnalyzer(metrics="all", covariance=False)
    page_of(analyzer.fit(np.zeros((6, 2)), [0, 0, 1, 1, 2, 2]).report(), tmp_path)
    page = page_of(analyzer.fit(X, y).report(classes=[0, 1]), tmp_path)
    assert "All 2 classes." in page.shown
    empty = NeuralCollapseAnalyzer(metrics=[]).fit(X, y).report()
    page_of(LayerwiseReport({"only": empty}), tmp_path)
    regression = NeuralRegressionCollapse().fit(X, X[:, :1])
    assert "target 0" in page_of(regression.report(), tmp_path).shown
    regression = NeuralRegressionCollapse(metrics="all").fit(0 * X, 0.0 * y)
    page_of(regression.report(), tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("short", "short"),
        (" two \n lines", "two lines"),
        ("a name of 21 letters.", "a name of 21 letters."),
        ("model.layers.11.mlp.down_proj", "model.laye….down_proj"),
        ("漢" * 10, "漢" * 10),
        ("漢" * 11, "漢漢漢漢漢…漢漢漢漢漢"),
    ],
)
def test_long_names_are_cut_in_figures(name, shown):
    figure = dot_plot("x", "Caption", [], [name], [Series("all", [1.0])])
    assert f"</title>{shown}</text>" in figure


def test_replaces_a_file_as_a_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    report = pages.report_of()
    with pytest.raises(ValueError, match=r"^title must be a string, got 3\.$"):
        report.to_html(path, title=3)
    assert path.read_text() == "old"
    report.to_html(str(path))
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>\n<html")
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_paths(tmp_path):
    report = pages.report_of()
    text = r"^There is no folder .*nowhere for the page x\.html\. Create it first"
    with pytest.raises(FileNotFoundError, match=text):
        report.to_html(tmp_path / "nowhere" / "x.html")
    text = r"is a folder\. Name a file in it, such as .*/report\.html\.$"
    with pytest.raises(IsADirectoryError, match=text):
        report.to_html(tmp_path)
    text = r"must go to a path, a string or a pathlib\.Path, got NoneType\. Name a file"
    with pytest.raises(TypeError, match=text):
        report.to_html(None)


def test_reports_that_were_read_from_json(read, tmp_path):
    again = NCReport.from_json(pages.hostile_report().to_json())
    assert page_of(again, tmp_path).text == read("hostile").text


def test_hostile_notes_are_text(tmp_path):
    document = pages.report_of().to_json()
    text = document.replace('"notes": {}', f'"notes": {{"head": "{HOSTILE}"}}')
    assert text != document
    page = page_of(NCReport.from_json(text), tmp_path)
    assert f"head: {HOSTILE}" in page.shown
    assert len(page.all("script")) == 1


# Parts ----------------------------------------------------------------------------


def test_text_is_escaped_once():
    assert tag("p", "a < b", title='"') == '<p title="&quot;">a &lt; b</p>'
    assert tag("p", tag("b", "&")) == "<p><b>&amp;</b></p>"
    assert tag("p", class_="x", data_label="y", hidden=None) == (
        '<p class="x" data-label="y"></p>'
    )
    assert joined("<", tag("i")) == "&lt;<i></i>"
    assert with_code("is ``<x>`` of") == "is <code>&lt;x&gt;</code> of"


def test_links_end_before_punctuation():
    found = with_links(
        "See (https://a.org/b_c). https://d.org/S(03)2-X; https://e, <f>"
    )
    for address in ("https://a.org/b_c", "https://d.org/S(03)2-X", "https://e"):
        assert f'href="{address}"' in found
    assert found.endswith(", &lt;f&gt;")


def test_scales():
    scale = decades([0.0, 0.002, 3.0, math.inf], 40, 90)
    assert (scale.least, scale.most) == (0.001, 10.0)
    np.testing.assert_allclose(scale.ticks(), [0.001, 0.01, 0.1, 1, 10])
    assert scale.place(0.1) == 65
    assert scale.place(0) == scale.place(-1) == scale.place(1e-9) == 40
    assert scale.place(100) == 90
    assert scale.is_below(0)
    near = scale_of([0.7, 1.0], 0, 100)
    assert near.ticks() == [0, 0.25, 0.5, 0.75, 1]
    assert near.place(0.5) == 50
    negative = scale_of([-3.0, 1.0], 0, 100)
    assert negative.ticks() == [-3, -2, -1, 0, 1]
    assert negative.place(-3) == 0


def test_scales_of_any_numbers():
    numbers = [5e-324, 1e-300, -1e-310, 0.0, 1e-5, 1.0, 1.7e308, -1e308]
    for values in itertools.product(numbers, repeat=2):
        for make in (scale_of, decades):
            scale = make(values, 0, 100)
            assert all(0 <= scale.place(value) <= 100 for value in values), values
            assert 2 <= len(scale.ticks()) <= 8, values


def test_convention_of_labels(tmp_path):
    convention = Convention(minority=(0, 2))
    analyzer, _ = pages.fitted(convention=convention)
    page = page_of(analyzer.report(), tmp_path)
    assert "(0, 2)" in page.shown
