"""The gallery: scripts are pages, say what they claim, and the claims hold."""

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from sknc.convention import PRESETS

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
SCRIPTS = sorted(GALLERY.glob("*.py"))
OPTIONAL = {"matplotlib", "torch"}
SOURCE = re.compile(
    r"https://(?:doi\.org/10\.\d{4,}/\S+|arxiv\.org/abs/\d{4}\.\d{5})>`_"
)
# Runs a script, then prints the description of its last picture.
DRIVER = "import runpy, sys; print(runpy.run_path(sys.argv[1])['alt_text'])"

pytestmark = pytest.mark.skipif(not GALLERY.exists(), reason="needs the repository")
of_each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


def tree(path):
    """Return the syntax tree of a script."""
    return ast.parse(path.read_text(encoding="utf-8"))


def assigned(path, name):
    """Return the literal that a script assigns to a name."""
    (value,) = (
        node.value
        for node in tree(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


def test_presets_are_compared_without_the_default():
    presets = assigned(GALLERY / "plot_conventions.py", "PRESETS")
    assert presets == [name for name in PRESETS if name != "default"]


def missing_libraries(path):
    """Return the optional libraries that a script imports and that are not there."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    needed = OPTIONAL & {name.split(".")[0] for name in found}
    return {name for name in needed if not find_spec(name)}


def test_there_are_scripts():
    assert SCRIPTS


@of_each_script
def test_its_name_makes_it_run(path):
    assert path.stem.startswith("plot_")


@of_each_script
def test_docstring_is_a_page_with_a_claim_and_its_source(path):
    title, underline, empty, rest = ast.get_docstring(tree(path)).split("\n", 3)
    assert underline == "=" * len(title)
    assert len(title) <= 50  # what is below a thumbnail
    assert not empty
    claim = re.match(r"\*\*Claim\.\*\* (.+?)(?:\n\n|$)", rest, re.DOTALL)
    assert claim, "the first paragraph states the claim"
    assert SOURCE.search(claim[1]), "with a link to its source"


@of_each_script
def test_every_picture_is_described(path):
    blocks = re.split(r"^# %%", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    drawing = [block for block in blocks if "plt.show()" in block]
    assert drawing
    assert all(re.search(r"^alt_text = ", b, re.MULTILINE) for b in drawing)


@of_each_script
def test_it_ends_with_a_verdict(path):
    *_, told, asserted = tree(path).body
    assert isinstance(asserted, ast.Assert)
    assert isinstance(told, ast.Expr)
    assert ast.unparse(told.value.func) == "print"
    assert re.search(r"Held|Did not hold", ast.unparse(told))


@of_each_script
def test_random_numbers_are_seeded(path):
    text = path.read_text(encoding="utf-8")
    if "import torch" in text:
        assert "torch.manual_seed(" in text or "torch.Generator()" in text
    assert "default_rng()" not in text
    assert not re.search(r"np\.random\.(?!default_rng)", text)


@pytest.mark.slow
@of_each_script
def test_claim_holds(path, tmp_path):
    missing = missing_libraries(path)
    if missing:
        pytest.skip(f"needs {' and '.join(sorted(missing))}")
    command = [sys.executable, "-W", "error", "-c", DRIVER, str(path)]
    surroundings = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    *_, verdict, description = ended.stdout.splitlines()
    assert re.match(r"(Held|Did not hold): .*\d", verdict), verdict
    assert len(description) > 60
    assert "nan" not in f"{verdict} {description}".split()
    assert not any(tmp_path.iterdir())
