"""The values of every metric for some samples, and generic samples to measure."""

from functools import cache

import numpy as np
import pytest
from tolerances import LOOSE
from toys import around

from sknc import NeuralCollapseAnalyzer

EVERYTHING = {"metrics": "all", "covariance": "by_class"}


def values_of(item, Z=None, **options):
    """Return every metric of a toy's samples, and those of strangers `Z`."""
    options = EVERYTHING | options
    analyzer = NeuralCollapseAnalyzer(item.head, **options).fit(item.X, item.y)
    values = analyzer.score(item.X, item.y).to_dict()
    return values if Z is None else values | analyzer.score_ood(Z)


def strangers(n_features, seed=4):
    """Return samples of no class."""
    return 2 + np.random.default_rng(seed).standard_normal((30, n_features))


def same(got, want, rel=LOOSE, abs_=1e-12, keys=None):
    """Check that values are equal, of the given keys or of all."""
    for key in want if keys is None else keys:
        bound = pytest.approx(want[key], rel=rel, abs=abs_, nan_ok=True)
        assert got[key] == bound, key


@cache
def long_tailed():
    """Return generic samples: long-tailed, overlapping, two classes of each count."""
    means = 1.2 * np.random.default_rng(20).standard_normal((6, 8))
    return around(means, [110, 110, 30, 30, 8, 8], 0.8, 21)


@cache
def long_tailed_values():
    """Return every metric of the generic samples."""
    return values_of(long_tailed(), strangers(8))
