"""The README and docs: examples run, links lead somewhere, tables are whole."""

import contextlib
import dataclasses
import doctest
import io
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from tables import each
from tolerances import SINGLE

import sknc.metrics
from sknc.metrics import TABLE, Metric, select
from sknc.metrics._catalogue import define
from sknc.metrics._catalogue.properties import PROPERTIES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
DEFINITIONS = DOCS / "definitions.md"
ADD_A_METRIC = DOCS / "add_a_metric.md"
CI = ROOT / ".ci" / "run"
PAGES = [README, *sorted(DOCS.glob("*.md"))]

pytestmark = pytest.mark.skipif(not README.exists(), reason="needs the repository")


def blocks(language, path=README):
    """Return the fenced blocks of a language."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def surroundings():
    """Return what the example of a training loop takes for granted."""
    torch = pytest.importorskip("torch")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
            self.head = torch.nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.backbone(x))

    generator = torch.Generator().manual_seed(0)
    y = torch.arange(60) % 3
    x = torch.randn(60, 4, generator=generator) + 2 * torch.eye(4)[y]
    data = torch.utils.data.TensorDataset(x, y)
    return {
        "model": Model(),
        "n_epochs": 2,
        "train_one_epoch": lambda model: model.train(),
        "train_loader": torch.utils.data.DataLoader(data, batch_size=16),
        "test_loader": torch.utils.data.DataLoader(data, batch_size=32),
    }


def run(code, namespace):
    """Run a block, and return the lines it printed."""
    printed = []
    namespace["print"] = lambda *values: printed.append(" ".join(map(str, values)))
    exec(compile(code, "README.md", "exec"), namespace)
    return printed


PYTHON = blocks("python") if README.exists() else []


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_example_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # one saves a figure
    namespace = surroundings() if "torch" in code else {}
    printed = run(code, namespace)
    assert printed
    assert not re.search(r"\bnan\b", " ".join(printed))
    expected = re.findall(r"^# (.*)$", code, re.MULTILINE)
    if expected:
        numbers = [re.findall(r"\d\.\d+", "\n".join(t)) for t in (printed, expected)]
        # A solver's last iterations differ between machines.
        assert [float(n) for n in numbers[0]] == pytest.approx(
            [float(n) for n in numbers[1]], abs=0.01
        )


def test_there_are_examples():
    assert len(PYTHON) == 3
    assert sum("torch" in code for code in PYTHON) == 2


def test_it_is_read_in_a_minute():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def local_links(path):
    """Return the files that a page links to or shows."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    targets += re.findall(r"^\[[^\]]+\]:\s*(\S+)$", text, re.MULTILINE)
    return [target for target in targets if "://" not in target]


@each("path", PAGES)
def test_links_lead_somewhere(path):
    for link in local_links(path):
        target, _, anchor = link.partition("#")
        found = path.parent / target if target else path
        assert found.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text("utf-8"), re.MULTILINE)
            slugs = [
                re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings
            ]
            assert anchor in slugs, link


def test_links_are_found():
    assert {"docs/index.md", "docs/figures/demo.png", "LICENSE"} <= set(
        local_links(README)
    )


def table_keys():
    """Return the keys in the table of definitions."""
    text = DEFINITIONS.read_text(encoding="utf-8")
    return re.findall(r"^\| `(nc\w+)` \|", text, re.MULTILINE)


def test_table_has_every_headline_metric():
    keys = [metric.key for metric in select("default")]
    assert [key for key in table_keys() if key in keys] == keys
    assert len(table_keys()) == len(set(table_keys()))
    assert set(table_keys()) <= set(TABLE)


def test_table_states_value_at_collapse():
    text = DEFINITIONS.read_text(encoding="utf-8")
    for key, ideal in re.findall(
        r"^\| `(nc\w+)` \| .* \| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE
    ):
        expected = TABLE[key].ideal
        assert ideal == ("–" if expected is None else f"{expected:g}"), key


# Pages of documentation ---------------------------------------------------------


def test_page_of_conventions_shows_what_its_example_prints():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(DOCS / "examples" / "conventions.py"), run_name="__main__")
    page = (DOCS / "conventions.md").read_text(encoding="utf-8")
    assert printed.getvalue() in page


def test_page_of_conventions_has_every_preset():
    from sknc.convention import PRESETS

    page = (DOCS / "conventions.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| `"(\w+)"` \| (.*) \|$', page, re.MULTILINE)
    assert [name for name, _ in rows] == list(PRESETS)
    for name, row in rows:
        preset = PRESETS[name]
        assert row.split(" | ") == [
            preset.center,
            preset.between,
            preset.within,
            "yes" if preset.divide_by_classes else "no",
            preset.rank,
            "squared" if preset.squared_duality else "norm",
        ]
        shared = (preset.bias_correction, preset.minority, preset.weight_decay)
        assert shared == (False, 0.5, 0.0)


def test_page_of_conventions_has_every_choice():
    page = (DOCS / "conventions.md").read_text(encoding="utf-8")
    names = [item.name for item in dataclasses.fields(sknc.Convention)]
    assert re.findall(r"^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE) == [
        name for name in names if name != "name"
    ]


def test_metric_of_the_page_works(monkeypatch):
    imports, function, test_imports, test = blocks("python", ADD_A_METRIC)
    namespace = {"__name__": "sknc.example"}
    exec(imports + function, namespace)
    metric = namespace["nc3_row_distance"]
    row = define.ROWS.pop("nc3_row_distance")
    assert (row.function, row.needs) == (metric, ("statistics", "head"))
    monkeypatch.setattr(sknc.metrics, "nc3_row_distance", metric, raising=False)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(_RoundedChecker(), optionflags=options)
    for case in doctest.DocTestFinder(recurse=False).find(metric, globs={}):
        runner.run(case)
    assert (runner.tries, runner.failures) == (8, 0)
    exec(test_imports + test, namespace)
    namespace["test_row_distance_of_a_reversed_row"]()


def with_code(path, imports, code):
    """Return a module with imports below its docstring and code at its end."""
    text = path.read_text(encoding="utf-8")
    (docstring,) = re.findall(r'\A"""(?:.|\n)*?"""\n', text)
    return f"{docstring}\n{imports}{text.removeprefix(docstring)}\n\n{code}"


@pytest.mark.skipif("nc3_row_distance" in TABLE, reason="it is in its files already")
def test_metric_of_the_page_fits_into_its_files(tmp_path):
    pytest.importorskip("ruff", reason="needs ruff")
    imports, function, test_imports, test = blocks("python", ADD_A_METRIC)
    module = ROOT / "sknc" / "metrics" / "duality.py"
    known_values = ROOT / "tests" / "metrics" / "test_known_values.py"
    (tmp_path / "module.py").write_text(with_code(module, imports, function), "utf-8")
    text = with_code(known_values, test_imports, test)
    (tmp_path / "test_values.py").write_text(text, encoding="utf-8")
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--fix", "--quiet", *config], check=False)
    for command in (["check", "--ignore", "D,EM"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *command, *config], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_page_has_the_modules_of_each_property():
    text = ADD_A_METRIC.read_text(encoding="utf-8")
    table = text.partition("| property | module |\n|---|---|\n")[2].partition("\n\n")[0]
    listed = [
        (group, set(re.findall(r"`(\w+)`", modules)))
        for group, modules in re.findall(r"^\| (\w+) \| (.*) \|$", table, re.MULTILINE)
    ]
    want = {group: set() for group in PROPERTIES}
    for metric in TABLE.values():
        want[metric.group].add(metric.function.__module__.rpartition(".")[2])
    assert listed == list(want.items())


def test_page_has_every_argument_of_the_decorator():
    text = ADD_A_METRIC.read_text(encoding="utf-8")
    table = text.partition("| argument | meaning |\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)(?:=.*?)?` \|", table, re.MULTILINE))
    fields = {field.name for field in dataclasses.fields(Metric)}
    assert named == fields - {"function", "group"}


class _RoundedChecker(doctest.OutputChecker):
    """Compare numbers to the digits that are written, as pytest does with NUMBER."""

    def check_output(self, want, got, optionflags):
        if not want:
            return not got
        return float(got) == pytest.approx(float(want), abs=SINGLE)


def test_page_of_design_has_the_layers():
    import ast

    page = (DOCS / "design.md").read_text(encoding="utf-8")
    diagram = blocks("text", DOCS / "design.md")[0]
    rows = [re.split(r"  +", line.strip()) for line in diagram.splitlines()]
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    (layers,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "LAYERS"
    )
    package = Path(sknc.__file__).parent
    existing = {p.stem for p in package.iterdir() if p.suffix == ".py" or p.is_dir()}
    drawn = [set(row[:-1]) for row in rows if row != ["▲"]]
    drawn = [{name.rstrip("/") for name in names} for names in drawn]
    assert drawn == [layer & existing for layer in layers]
    assert "tests/test_layers.py" in page


# Commands ---------------------------------------------------------------------


def commands():
    """Return the README's commands."""
    return [line for block in blocks("bash") for line in block.splitlines()]


def test_commands_are_whole():
    assert len(commands()) == 2
    for command, extra in zip(commands(), ("demo", "test"), strict=True):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert f" -c .ci/constraints.txt -e '.[{extra}]' && " in command


@pytest.mark.skipif(not CI.exists(), reason="needs the repository")
def test_continuous_integration_runs_these_commands():
    done = subprocess.run(
        ["bash", CI, "--list"], capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.splitlines()) == sorted(commands())


@pytest.mark.skipif(not CI.exists(), reason="needs the repository")
def test_constraints_are_exact():
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert "+" not in "".join(pins)
