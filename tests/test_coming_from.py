"""Each row of docs/coming_from.md is run and compared with the other code's formula."""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from peers import Samples, means_of
from peers_scripts import FORMULAS
from tables import each

PAGE = Path(__file__).parents[1] / "docs" / "coming_from.md"
OLD = "### Before November 2024"  # where names mean what they no longer do
RELATIONS = {"same", "same if balanced", "same off the diagonal", "different"}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs the repository")


def page():
    return PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""


def blocks():
    return re.findall(r"^```python\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)


def rows():
    """Yield (their call, our expression, relation) of all rows of all tables."""
    heading = ""
    for line in page().splitlines():
        if line.startswith("#"):
            heading = line
        if not line.startswith("|") or set(line) <= set("|-"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[1] == "`sknc`":
            continue  # the head of a table
        theirs, ours, relation, _ = cells
        (expression,) = re.findall(r"`([^`]+)`", ours)
        for call in re.findall(r"`([^`]+)`", theirs):
            old = heading == OLD and call.startswith("covariance_ratio")
            yield f"old {call}" if old else call, expression, relation


ROWS = list(rows())


def samples(counts, n_features, ood_counts, weight_decay):
    rng = np.random.default_rng(sum(counts) + n_features)
    K = len(counts)
    y = rng.permutation(np.repeat(np.arange(K), counts))
    noise = rng.standard_normal((len(y), n_features))
    X = 1 + 3 * n_features**-0.5 * rng.standard_normal((K, n_features))[y] + noise
    W = 0.3 * rng.standard_normal((K, n_features)) + means_of(X, y) - X.mean(0)
    y_ood = np.repeat(np.arange(len(ood_counts)), ood_counts)
    X_ood = rng.standard_normal((len(y_ood), n_features))
    X_ood += 2 * np.eye(n_features)[y_ood]
    b = 5 * rng.standard_normal(K)
    return Samples(X, y, W, b, X_ood, y_ood, weight_decay)


DATA = {
    "balanced": samples([40] * 6, 16, [20] * 3, 5e-4),
    "balanced, wide": samples([25] * 10, 64, [7] * 4, 0.2),
    "imbalanced": samples([90, 60, 40, 25, 12, 5], 16, [100, 50, 10], 0.2),
    "imbalanced, wide": samples([80, 60, 40, 30, 20, 15, 12, 8, 4], 40, [5, 60], 5e-4),
}


@lru_cache
def namespace(name):
    """Return the names that the page's blocks define, on other samples."""
    names = {}
    first, *others = blocks()
    exec(compile(first, PAGE.name, "exec"), names)
    given = {key for key in names if key in Samples.__dataclass_fields__}
    assert given == set(Samples.__dataclass_fields__)
    names.update({key: getattr(DATA[name], key) for key in given})
    for code in others:
        exec(compile(code, PAGE.name, "exec"), names)
    return names


def distance(ours, theirs):
    """Return the greatest difference of entries, over the norm."""
    if isinstance(theirs, tuple):
        return max(map(distance, ours, theirs))
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    return np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))


@pytest.mark.parametrize(("call", "expression", "relation"), ROWS)
@each("name", DATA)
def test_row(call, expression, relation, name):
    assert relation in RELATIONS
    ours, theirs = eval(expression, namespace(name)), FORMULAS[call](DATA[name])
    if relation == "same off the diagonal":
        assert np.isnan(np.diag(ours)).all()
        ours, theirs = (np.where(np.eye(len(g)), 0.0, g) for g in (ours, theirs))
    far = distance(ours, theirs)
    balanced = name.startswith("balanced")
    if relation == "different" or (relation == "same if balanced" and not balanced):
        assert far > 1e-3
    else:
        assert far < 1e-9


def test_every_formula_has_a_row():
    assert {call for call, _, _ in ROWS} == set(FORMULAS)
    assert {relation for _, _, relation in ROWS} == RELATIONS


def test_every_table_is_read():
    lines = re.findall(r"^\| `", page(), re.MULTILINE)
    heads = page().count("| `sknc` | number | remark |")
    assert len({row[:2] for row in ROWS}) >= len(lines) - heads > 60
