"""What docstrings of metrics state: intervals, and what leaves a value unchanged."""

import math
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from every_metric import long_tailed, long_tailed_values, same, strangers, values_of
from strategies import rotations
from toys import BUILDERS, toy

from sknc.metrics import TABLE

# Invariances -------------------------------------------------------------------------

# The words of `unchanged_by`; the transformations below read some of them.
WORDS = re.findall(
    r"\w+",
    """
    shifts rotations scaling uniform positive separate invertible linear maps map every
    of both either any side sides row features head together all samples
    by and or also but not unless without
    the convention has center none decay keeping order counts
    """,
)
TURN = rotations(8, 3)
MAP = TURN * np.linspace(0.5, 2, 8) @ rotations(8, 4)
OFFSET = np.linspace(-3, 5, 8)
FACTORS = np.linspace(0.5, 3, 6)


def changed(item, Z, *, head=None, bias=None, X=None):
    """Return samples with another head, and strangers; `X` changes all features."""
    X = X or (lambda rows: rows)
    W = item.W if head is None else head
    return replace(item, X=X(item.X), W=W, b=item.b if bias is None else bias), X(Z)


# By name: when `unchanged_by` states it, and what it makes of samples and strangers.
TRANSFORMATIONS = {
    "shift": (
        r"\bshifts\b",
        lambda item, Z: changed(
            item, Z, X=lambda x: x + OFFSET, bias=item.b - item.W @ OFFSET
        ),
    ),
    "rotation": (
        r"\brotations\b",
        lambda item, Z: changed(item, Z, X=lambda x: x @ TURN, head=item.W @ TURN),
    ),
    "scaling": (
        r"\bscaling\b",
        lambda item, Z: changed(item, Z, X=lambda x: 7 * x, head=item.W / 7),
    ),
    "linear map": (
        r"\blinear maps?\b",
        lambda item, Z: changed(
            item, Z, X=lambda x: x @ MAP, head=item.W @ np.linalg.inv(MAP).T
        ),
    ),
    "scaling of the head": (
        r"scaling of (either|features or head|any row)",
        lambda item, Z: changed(item, Z, head=7 * item.W, bias=7 * item.b),
    ),
    "scaling of the features": (
        r"scaling of (either|features or head)",
        lambda item, Z: changed(item, Z, X=lambda x: 7 * x),
    ),
    "scaling of rows": (
        "scaling of any row",
        lambda item, Z: changed(
            item, Z, head=item.W * FACTORS[:, None], bias=item.b * FACTORS
        ),
    ),
    "rotation of the head": (
        "separate rotations",
        lambda item, Z: changed(item, Z, head=item.W @ TURN),
    ),
}


def stating(name):
    """Return the metrics that state that a transformation leaves them unchanged."""
    texts = {
        key: metric.unchanged_by.replace("but not by shifts", "")
        for key, metric in TABLE.items()
    }
    pattern = TRANSFORMATIONS[name][0]
    return [key for key, text in texts.items() if re.search(pattern, text)]


@cache
def values_after(name):
    """Return the values after a transformation."""
    return values_of(*TRANSFORMATIONS[name][1](long_tailed(), strangers(8)))


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_unchanged(name):
    keys = stating(name)
    assert keys
    same(values_after(name), long_tailed_values(), keys=keys)


@pytest.mark.parametrize("name", sorted({*TRANSFORMATIONS} - {"rotation"}))
def test_a_transformation_changes_other_metrics(name):
    want = pytest.approx(long_tailed_values(), rel=1e-6, abs=1e-12, nan_ok=True)
    assert values_after(name) != want


def test_statements_are_found():
    assert len(stating("shift")) > 40
    assert len(stating("rotation")) > 60
    assert len(stating("scaling")) > 60


def test_invariances_are_in_words_that_tests_know():
    for key, metric in TABLE.items():
        unknown = set(re.findall(r"\w+", metric.unchanged_by)) - {*WORDS}
        assert not unknown, f"{key}: use other words, or add a transformation here"


# Intervals ---------------------------------------------------------------------------

FUNCTIONS = {"sqrt": math.sqrt, "log": math.log, "arccos": math.acos, "min": min}
# An interval, and words after it.
INTERVAL = re.compile(r"([\[(])(.+?), (.+)([\])])($|; |, or |, plus | for )")


def ends(text, K, D, N):
    """Return the ends of an interval, and whether each may be reached."""
    found = INTERVAL.match(text)
    assert found, f"cannot read the interval {text!r}"
    opening, lower, upper, closing, _ = found.groups()
    names = {"K": K, "D": D, "N": N, "r": min(K - 1, D), "s": 1.0, "inf": math.inf}
    values = (eval(end.replace("^", "**"), FUNCTIONS | names) for end in (lower, upper))
    return *values, opening == "[", closing == "]"


def lies_within(value, text, K, D, N):
    """Whether a value is in an interval, up to rounding."""
    lower, upper, *closed = ends(text, K, D, N)
    if math.isinf(value):
        return (value == lower and closed[0]) or (value == upper and closed[1])
    return lower - 1e-9 <= value <= upper + 1e-9


@cache
def all_values():
    """Return (K, D, N, values) of the shared toys and of generic samples."""
    items = [*map(toy, BUILDERS), long_tailed()]
    return [
        (len(x.W), x.X.shape[1], len(x.X), values_of(x, strangers(x.X.shape[1])))
        for x in items
    ]


def test_values_lie_in_the_interval():
    for key, metric in TABLE.items():
        found = [
            (values[key], *sizes)
            for *sizes, values in all_values()
            if not math.isnan(values.get(key, math.nan))
        ]
        assert found, key
        for value, *sizes in found:
            assert lies_within(value, metric.interval, *sizes), (key, value, sizes)


@pytest.mark.parametrize(
    ("value", "text", "within"),
    [
        (0.5, "[0, 1]", True),
        (0.5, "[0, 0.1]", False),
        (-0.1, "[0, 1]; higher is more accurate", False),
        (math.inf, "[0, inf)", False),
        (math.inf, "[0, inf]", True),
        (-math.inf, "[-inf, inf)", True),
        (-math.inf, "(-inf, inf)", False),
        (2.0, "[0, sqrt(K)]", True),
        (2.1, "[0, sqrt(K)]", False),
        (3.1, "[1, min(K-1, D)], plus a few `epsilon`", False),
        (0.4, "[2^-s, inf]", False),
    ],
)
def test_intervals_are_read(value, text, within):
    assert lies_within(value, text, K=4, D=5, N=20) == within


def test_an_interval_in_other_words_is_noticed():
    with pytest.raises(AssertionError, match="cannot read the interval 'positive'"):
        lies_within(1.0, "positive", 2, 2, 2)
