"""Pages of documentation: their code runs, and what is generated is up to date."""

import contextlib
import io
import re
import runpy
import symtable
from importlib.util import find_spec
from pathlib import Path

import pytest
from tables import each

import sknc.metrics
from sknc.metrics import TABLE, catalogue

DOCS = Path(__file__).parents[1] / "docs"
# Its blocks are parts of modules, and tested in test_readme.py.
NOT_SCRIPTS = {"add_a_metric.md"}
OPTIONAL = {"torch", "pandas", "matplotlib"}
OPTIONAL |= {"lightning", "transformers", "torchmetrics", "skorch", "dask"}
NOT_METRICS = {"catalogue", "least_squares_head", "neco_scores", "pair_grid"}
NOT_METRICS |= {"minority_profile", "nci_scores", "pair_grid_rows", "select"}
NOT_METRICS |= {"tag_wise_average"}

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="needs the repository")


def text(name):
    """Return a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name):
    """Return a page's Python blocks."""
    return re.findall(r"^```python\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL)


def printed_by(example):
    """Return what an example prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(DOCS / "examples" / example), run_name="__main__")
    return printed.getvalue()


def numbers(lines):
    """Return the decimal numbers in lines of text."""
    return [float(number) for number in re.findall(r"-?\d+\.\d+", "\n".join(lines))]


def lacks_library(code):
    """Return whether a block imports an optional library that is not there."""
    named = re.findall(r"^(?:import|from) (\w+)\b", code, re.MULTILINE)
    named += ["matplotlib"] * (".plot(" in code)  # which sknc imports
    return not all(map(find_spec, OPTIONAL.intersection(named)))


def names_in(code):
    """Return the names that a block binds, and those it takes from earlier ones."""
    block = symtable.symtable(code, "block", "exec")
    names = block.get_symbols()
    bound = {n.get_name() for n in names if n.is_assigned() or n.is_imported()}
    inside, taken = block.get_children(), {n.get_name() for n in names}
    while inside:
        table = inside.pop()
        inside += table.get_children()
        taken |= {n.get_name() for n in table.get_symbols() if n.is_global()}
    return bound, taken - bound


def possible_blocks(page):
    """Yield a page's blocks but for those that lack a library, or what such define."""
    missing = set()
    for code in blocks(page):
        bound, taken = names_in(code)
        if lacks_library(code) or missing & taken:
            missing |= bound
        else:
            missing -= bound
            yield code


def test_blocks_that_lack_a_library_are_left_out(monkeypatch):
    there, page = {"torch", "pandas", "matplotlib", "dask"}, "fitting.md"
    monkeypatch.setitem(globals(), "find_spec", there.__contains__)
    assert [*possible_blocks(page)] == blocks(page)
    there.remove("torch")
    left_out = set(blocks(page)) - {*possible_blocks(page)}
    first_lines = {code.splitlines()[0] for code in left_out}
    assert first_lines == {"import torch", "batches = list(features(loader))"}


SCRIPTS = [p.name for p in sorted(DOCS.glob("*.md")) if p.name not in NOT_SCRIPTS]


@pytest.mark.parametrize("page", [name for name in SCRIPTS if blocks(name)])
def test_blocks_run_one_after_the_other(page):
    namespace = {}
    for code in possible_blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), namespace)
        lines = printed.getvalue().splitlines()
        assert not any("nan" in line or "False" in line for line in lines)
        expected = re.findall(r"^# (.*)$", code, re.MULTILINE)
        if expected:
            assert numbers(lines) == pytest.approx(numbers(expected), abs=0.011)
    if "folder" in namespace:  # the block that cleans up may have been left out
        namespace["folder"].cleanup()


def test_recipe_for_features_leaves_the_model_as_it_was(torch):
    namespace = {}
    for code in blocks("fitting.md")[:2]:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "fitting.md", "exec"), namespace)
    model, loader = namespace["model"], namespace["loader"]
    model[0].eval()  # frozen, say
    for (found, _), (x, _) in zip(namespace["features"](loader), loader, strict=True):
        assert torch.equal(found, model[:-1](x))
        assert not found.requires_grad
    assert torch.is_grad_enabled()
    bad = [loader[0], (loader[1][0] * torch.nan, loader[1][1])]
    with pytest.raises(ValueError, match="NaN"):
        namespace["of_model"].fit_batches(namespace["features"](bad))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        namespace["inputs_of"](model[2], torch.zeros(1, 3))
    assert not any(part._forward_pre_hooks for part in model.modules())
    assert [part.training for part in model] == [False, True, True]


def pages_below(name):
    """Return the pages that come below one: those in its tables of pages."""
    tables = re.findall(r"^\| page \|.*\n((?:\|.*\n)+)", text(name), re.MULTILINE)
    row = r"^\| \[[^\]]+\]\((\w+\.md)\) \|"
    return [page for table in tables for page in re.findall(row, table, re.MULTILINE)]


def test_every_page_has_one_place_in_the_navigation():
    listed, open_pages = ["index.md"], ["index.md"]
    while open_pages:
        below = pages_below(open_pages.pop())
        listed += below
        open_pages += below
    pages = {p.name for p in DOCS.glob("*.md")} - {"reference.md"}  # generated
    assert sorted(listed) == sorted(pages)


@each("page", [p.name for p in sorted(DOCS.glob("*.md"))])
def test_images_have_alternative_text(page):
    for words in re.findall(r"!\[([^\]]*)\]\(", text(page)):
        assert len(words.split()) > 4, words


def test_check_of_the_site_finds_what_is_wrong(tmp_path):
    check = runpy.run_path(str(DOCS / "site" / "check_links.py"))["problems"]
    (tmp_path / "a.html").write_text(
        '<link rel="canonical" href="https://x.org/a"><h1 id="top">A</h1>'
        '<a href="b.html#end">B</a><a href="#top">A</a><a href="https://x.org">X</a>'
    )
    (tmp_path / "b.html").write_text('<p id="end"></p><img src="c.png" alt="A C">')
    (tmp_path / "c.png").touch()
    assert check(tmp_path) == []
    (tmp_path / "b.html").write_text(
        '<a href="a.html#bottom"></a><a href="d.html"></a><img src="c.png">'
        '<script src="https://cdn.org/m.js"></script>'
    )
    (tmp_path / "s.css").write_text("@import 'https://fonts.org/f.css';")
    assert check(tmp_path) == [
        "a.html: b.html#end leads nowhere",
        "b.html: loads https://cdn.org/m.js",
        "b.html: c.png has no alternative text",
        "b.html: a.html#bottom leads nowhere",
        "b.html: d.html leads nowhere",
        "s.css: loads https://fonts.org/f.css",
    ]


def test_pages_have_blocks():
    assert {"coming_from.md", "conventions.md", "metrics.md", "uncertainty.md"} <= {
        name for name in SCRIPTS if blocks(name)
    }


# Metrics --------------------------------------------------------------------------


def test_page_of_metrics_is_what_its_script_prints():
    assert printed_by("catalogue.py") == text("metrics.md"), (
        "python docs/examples/catalogue.py > docs/metrics.md"
    )


def test_page_table_functions_and_catalogue_name_the_same_keys():
    row = r"^\| \*{0,2}\[`(\w+)`\]\(#(\w+)\)\*{0,2} \|"
    rows = re.findall(row, text("metrics.md"), re.MULTILINE)
    page = [key for key, _ in rows]
    assert len(page) == len(set(page))
    assert set(page) == set(TABLE) == {row["key"] for row in catalogue()}
    functions = {name for name in sknc.metrics.__all__ if name.islower()}
    assert functions - NOT_METRICS == set(TABLE)


def test_every_metric_has_a_formula_in_the_page():
    page = text("metrics.md")
    sections = re.findall(
        r"^### `(\w+)`\n\n```math\n([^`]+)```\n(?:\n[^#]*)?", page, re.MULTILINE
    )
    assert len(sections) == page.count("\n### ") == page.count("```math")
    with_formula = dict(sections)
    assert {name for _, name in re.findall(r"\[`(\w+)`\]\(#(\w+)\)", page)} == {
        *with_formula
    }
    named = re.findall(r"^- `sknc\.metrics\.(\w+)`", page, re.MULTILINE)
    assert sorted(named) == sorted(TABLE)
    assert all(latex.count("{") == latex.count("}") for latex in with_formula.values())


def test_page_explains_every_need():
    needed = {need for row in catalogue() for need in row["needs"]}
    assert needed == set(
        re.findall(r"^\| (\w+) \| .* \|$", text("metrics.md"), re.M)
    ) - {
        "key",
        "need",
        "symbol",
        "function",
    }


def test_readme_does_not_exaggerate_the_number_of_metrics():
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    (number,) = re.findall(r"\[More than (\d+) metrics\]\(docs/metrics\.md\)", readme)
    assert len(TABLE) > int(number) >= 90


@each("page", SCRIPTS)
def test_metrics_named_in_pages_exist(page):
    known = {*sknc.metrics.__all__, *TABLE}
    ours = text(page).split("## `nc_toolbox`")[0]  # which has names of its own
    named = re.findall(r"\b(?:nc[0-5]|gnc2|imb|mse|spec)_[a-z_]+[a-z]\b", ours)
    assert set(named) <= known


# Examples -------------------------------------------------------------------------


def certain_digits(cells):
    """Return digits as numbers; past 14 they depend on the BLAS kernel."""
    return [min(float(cell), 14.0) for cell in cells]


@pytest.mark.slow
def test_page_of_nist_shows_the_digits():
    pytest.importorskip("scipy.stats.tests")
    rows = [line.split("|") for line in printed_by("nist.py").splitlines()]
    shown = [line.split("|") for line in text("nist.md").splitlines() if "|" in line]
    assert [row[:3] for row in rows] == [row[:3] for row in shown]
    for row, documented in zip(rows[2:], shown[2:], strict=True):
        ours = certain_digits(row[i] for i in (3, 6))
        assert ours == pytest.approx(certain_digits(row[i] for i in (5, 8)), abs=0.1)
        shown_here = certain_digits(documented[i] for i in (3, 6))
        assert ours == pytest.approx(shown_here, abs=0.7)


def test_example_of_ood_separates():
    printed = dict(line.split(": ") for line in printed_by("ood.py").splitlines())
    assert float(printed["accuracy on test digits"]) > 0.9
    assert float(printed["AUROC"]) > 0.85
