"""Public names, and the one table of metrics."""

import importlib
import inspect
import re
import types
from pathlib import Path

import numpy as np
import pytest

import sknc
import sknc.metrics
from sknc.metrics import TABLE, catalogue, select
from sknc.metrics._catalogue.metric import ARGUMENTS

NOT_METRICS = {
    "TABLE",
    "Metric",
    "MinorityProfile",
    "TagWiseAverage",
    "catalogue",
    "least_squares_head",
    "minority_profile",
    "nci_scores",
    "neco_scores",
    "pair_grid",
    "pair_grid_rows",
    "select",
    "tag_wise_average",
}


def public_names(module):
    """Return the names that a module defines or imports for its users."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


@pytest.mark.parametrize("module", [sknc, sknc.metrics], ids=lambda m: m.__name__)
def test_all_is_sorted_and_whole(module):
    # Constants, then classes, then functions, as ruff sorts them.
    def rank(name):
        return (not name.isupper(), not name[:1].isupper(), name)

    assert module.__all__ == sorted(module.__all__, key=rank)
    assert len(set(module.__all__)) == len(module.__all__)
    assert public_names(module) == set(module.__all__) - {"__version__"}


@pytest.mark.parametrize("module", [sknc, sknc.metrics], ids=lambda m: m.__name__)
def test_all_can_be_imported(module):
    for name in module.__all__:
        assert hasattr(module, name), name


def test_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(dev|a|b|rc)\d+)?", sknc.__version__)


def test_key_is_name_of_function():
    for key, metric in TABLE.items():
        assert key == metric.key == metric.function.__name__
        assert getattr(sknc.metrics, key) is metric.function


MODULES = [
    path.stem
    for path in Path(sknc.metrics.__file__).parent.glob("*.py")
    if not path.stem.startswith("_")
]
PREFIXES = ("nc", "gnc", "imb_", "mse_", "spec_")
GROUPS = {"imbalance": "imb_", "MSE": "mse_", "spectrum": "spec_"}


def test_table_functions_and_all_name_the_same_keys():
    functions = set()
    for name in MODULES:
        module = importlib.import_module(f"sknc.metrics.{name}")
        functions |= {
            key
            for key, value in vars(module).items()
            if key.startswith(PREFIXES)
            and key not in NOT_METRICS
            and inspect.isfunction(value)
            and value.__module__ == module.__name__
        }
    assert functions == set(TABLE) == set(sknc.metrics.__all__) - NOT_METRICS
    assert [row["key"] for row in catalogue()] == list(TABLE)


def test_rows_agree_with_signatures():
    for key, metric in TABLE.items():
        parameters = inspect.signature(metric.function).parameters
        positional = [
            name for name, p in parameters.items() if p.kind is not p.KEYWORD_ONLY
        ]
        given = [name for name in ARGUMENTS if name in metric.needs]
        assert positional == ["X" if n == "ood_features" else n for n in given], key


def test_rows_are_complete():
    for key, metric in TABLE.items():
        assert key.startswith(GROUPS.get(metric.group, metric.group.lower())), key
        assert metric.source, key
        assert metric.summary.endswith("."), key
        if metric.headline and metric.lower_is_collapsed:
            assert metric.ideal == 0, key


def test_select():
    assert [m.key for m in select("all")] == list(TABLE)
    assert [m.key for m in select("nc1_pinv")] == ["nc1_pinv"]
    # In the order of the table, and never twice.
    asked = ["nc2_etf", "nc1_pinv", "nc2_etf"]
    for metrics in (asked, tuple(asked), set(asked), np.array(asked)):
        assert [m.key for m in select(metrics)] == ["nc1_pinv", "nc2_etf"]
    assert {m.key for m in select("default")} == {
        m.key for m in TABLE.values() if m.headline
    }


def test_select_groups():
    groups = {metric.group for metric in TABLE.values()}
    assert len(groups) > 5
    assert not groups & {*TABLE, "default", "essential", "all"}
    for group in groups:
        want = [key for key, metric in TABLE.items() if metric.group == group]
        assert [m.key for m in select(group)] == want
        assert [m.key for m in select([group, want[0]])] == want
    keys = [m.key for m in select(["nc2_etf", "NC4"])]
    assert keys[0] == "nc2_etf"
    assert "nc4_mismatch" in keys


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["nc1_pinv", "nc7"], r"got \['nc7'\]\. sknc"),
        (["nc1_pnv"], r"got \['nc1_pnv'\]\. Did you mean 'nc1_pinv'\? sknc"),
        ("nc1", r"got 'nc1'\. Did you mean 'NC1'\? sknc"),
        (["NC1_PINV"], r"got \['NC1_PINV'\]\. Did you mean 'nc1_pinv'\? sknc"),
        ("imbalanced", r"got 'imbalanced'\. Did you mean 'imbalance'\? sknc"),
        (None, r"got None\. sknc"),
        (3, r"got 3\. sknc"),
        ([["nc1_pinv"]], r"got \[\['nc1_pinv'\]\]\. sknc"),
    ],
)
def test_select_unknown(metrics, message):
    start = r'^metrics must be "default", "essential", "all", or keys or groups of met'
    start += "rics, "
    end = r"\.metrics\.catalogue\(\) lists them\.$"
    with pytest.raises(ValueError, match=start + message + end):
        select(metrics)


def test_conventions_are_those_of_the_docstring():
    from sknc.convention import PRESETS

    text = inspect.getdoc(sknc.NeuralCollapseAnalyzer)
    (listed,) = re.findall(r"papers differ: (.*?), or a `Convention`", text, re.DOTALL)
    assert re.findall(r'"(\w+)"', listed) == list(PRESETS)
    for name in PRESETS:
        assert sknc.Convention.preset(name).name == name
