"""Imports point one way, and `import sknc` stays light."""

import ast
import itertools
import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import sknc

PACKAGE = Path(sknc.__file__).parent
# Left to right: a module imports only what stands in a layer before its own. Within
# a layer no module imports another, except inside one package.
LAYERS = [
    {"_utils", "_version"},
    {"statistics", "convention", "head"},
    {"metrics"},
    {"report"},
    {"estimators"},
    {"plotting", "torch", "io"},
    {"history", "cli", "distributed"},
]
# The same within one package.
LAYERS_OF_ESTIMATORS = [
    {"_inputs"},
    {"_fitting"},
    {"stream_estimator"},
    {"_stored", "_scoring", "base", "center_model", "priors"},
    {
        *("agreement", "coordinates", "scorer", "reading"),
        *("stored_estimator", "second_pass", "out_of_distribution"),
        *("regression_values", "scaled_centers"),
    },
    {"analyzer", "classifier", "detector", "regression"},
    {"loading"},
]
PACKAGES = {"sknc", "sknc.estimators"}
EXEMPT = {"__init__", "__main__"}
# Loaded on use, never by `import sknc`.
OPTIONAL = ["torch", "matplotlib", "dask", "pandas", "polars", "tqdm"]
OPTIONAL += ["h5py", "pyarrow", "safetensors", "zarr"]


def layer_of(unit, layers=LAYERS):
    """Return the number of the layer of a module or package."""
    for number, layer in enumerate(layers):
        if unit in layer:
            return number
    msg = f"sknc.{unit} stands in no layer: give it a place in LAYERS"
    raise AssertionError(msg)


@cache
def imports_of(source):
    """Return the modules of sknc that a module imports, anywhere in its text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [item.name for item in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            if node.module in PACKAGES:  # from sknc import metrics
                found += [f"{node.module}.{item.name}" for item in node.names]
            else:
                found.append(node.module)
    return [name for name in found if name.split(".")[0] == "sknc"]


def violations(unit, source):
    """Return the imports of a module that do not point left."""
    here, wrong = layer_of(unit), []
    for name in imports_of(source):
        parts = name.split(".")
        if len(parts) < 2:
            wrong.append(name)  # the package itself stands to the right of all
        elif parts[1] != unit and layer_of(parts[1]) >= here:
            wrong.append(name)
    return wrong


def modules():
    """Yield (unit, path) of every module that the rule holds for."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in EXEMPT:
            yield parts[0], path


def test_imports_point_left():
    found = {p: violations(u, p.read_text(encoding="utf-8")) for u, p in modules()}
    assert {path: names for path, names in found.items() if names} == {}


def test_every_module_is_looked_at():
    assert {"_utils", "statistics", "metrics", "estimators"} <= {
        u for u, _ in modules()
    }


def test_no_unit_stands_twice():
    assert len(set().union(*LAYERS)) == sum(map(len, LAYERS))


def wrong_way(part, source):
    """Return the imports of a part of the estimators that do not point left."""
    here = layer_of(part, LAYERS_OF_ESTIMATORS)
    imported = [name.split(".") for name in imports_of(source)]
    parts = {names[2] for names in imported if names[1:2] == ["estimators"]} - {part}
    return [name for name in parts if layer_of(name, LAYERS_OF_ESTIMATORS) >= here]


def test_imports_within_estimators_point_left():
    root = PACKAGE / "estimators"
    paths = [path for path in root.rglob("*.py") if path.stem != "__init__"]
    assert len(paths) >= 20
    for path in paths:
        part = path.relative_to(root).with_suffix("").parts[0]
        assert wrong_way(part, path.read_text(encoding="utf-8")) == [], path
    source = "from sknc.estimators._scoring.evaluation import Evaluation"
    assert wrong_way("_inputs", source) == ["_scoring"]


def private_estimators(source):
    """Return the imports of private parts of the estimators."""
    return [x for x in imports_of(source) if x.startswith("sknc.estimators._")]


def test_other_packages_leave_private_estimators_alone():
    for unit, path in modules():
        if unit != "estimators":
            assert private_estimators(path.read_text(encoding="utf-8")) == [], path
    source = "from sknc.estimators._inputs.batches import Batches"
    assert private_estimators(source) == ["sknc.estimators._inputs.batches"]


@pytest.mark.parametrize(
    ("unit", "source", "found"),
    [
        ("statistics", "from sknc.report import NCReport", ["sknc.report"]),
        ("statistics", "import sknc.cli", ["sknc.cli"]),
        ("_utils", "from sknc import metrics", ["sknc.metrics"]),
        ("_utils", "def f():\n    from sknc import cli", ["sknc.cli"]),
        ("report", "from sknc.estimators import base", ["sknc.estimators.base"]),
        ("report", "import sknc", ["sknc"]),
        ("metrics", "from sknc.metrics._catalogue.table import TABLE", []),
        ("cli", "from sknc.plotting import plot\nimport numpy", []),
    ],
)
def test_the_rule_can_fail(unit, source, found):
    assert violations(unit, source) == found


def test_a_module_without_a_layer_is_noticed():
    with pytest.raises(AssertionError, match=r"sknc.surprise stands in no layer"):
        violations("surprise", "")
    with pytest.raises(AssertionError, match=r"sknc.surprise stands in no layer"):
        violations("cli", "from sknc.surprise import boo")


def test_relative_imports_are_noticed():
    with pytest.raises(AssertionError, match="relative import"):
        imports_of("from . import x")


# A light import ---------------------------------------------------------------


# Some versions of scikit-learn look for pandas as soon as they are imported.
SCIKIT_LEARN = "import sklearn.base, sklearn.utils.validation"
EVERY_PACKAGE = (
    "import sknc, sknc.metrics, sknc.statistics, sknc.plotting, sknc.io, sknc.cli, "
    "sknc.distributed"
)
USE_ON_NUMPY = (
    "import numpy, sknc\n"
    "X = numpy.eye(6); y = [0, 0, 1, 1, 2, 2]\n"
    "head = numpy.eye(3, 6)\n"
    "report = sknc.NeuralCollapseAnalyzer(head).fit(X, y).score(X, y)\n"
    "report.to_json(), repr(report), report._repr_html_(), report._page('x')\n"
    "sknc.NearestClassCenter().fit(X, y).predict(X)\n"
)


def newly_loaded(*steps):
    """Return the optional libraries that each step loads, in one fresh process."""
    count = f"found.append([name for name in {OPTIONAL!r} if name in sys.modules])"
    lines = ["import json, sys; found = [[]]"]
    lines += [f"{step}\n{count}" for step in steps]
    code = "\n".join([*lines, "print(json.dumps(found))"])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found = [set(names) for names in json.loads(done.stdout)]
    return [after - before for before, after in itertools.pairwise(found)]


def test_import_and_use_on_numpy_are_light():
    steps = [SCIKIT_LEARN, EVERY_PACKAGE, USE_ON_NUMPY]
    if find_spec("tqdm"):  # to see that the check can fail
        steps.append("import tqdm")
    _, by_import, by_use, *by_tqdm = newly_loaded(*steps)
    assert by_import == set()
    # Asked for its output container, scikit-learn may look for pandas and polars, and
    # these for pyarrow.
    assert by_use <= {"pandas", "polars", "pyarrow"}
    assert by_tqdm in ([], [{"tqdm"}])


def imported_at_once(source):
    """Return the optional libraries that importing a module would load."""
    waiting, found = list(ast.parse(source).body), []
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            found += [item.name.split(".")[0] for item in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "").split(".")[0])
        waiting += ast.iter_child_nodes(node)
    return sorted(set(found) & {*OPTIONAL, "narwhals"})


def test_optional_libraries_are_imported_on_use():
    found = {
        path: imported_at_once(path.read_text(encoding="utf-8"))
        for unit, path in modules()
        if unit not in {"torch", "distributed"}
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_imports_on_use_check_can_fail():
    assert imported_at_once("try:\n    import torch.nn\nexcept E: pass") == ["torch"]
    assert imported_at_once("class A:\n    from tqdm import auto") == ["tqdm"]
    assert imported_at_once("def f():\n    import torch") == []
