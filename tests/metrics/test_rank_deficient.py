"""Class means that span fewer directions than they could, whatever the last digit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from references import PRESETS, Reference, disagreements
from tables import each
from tolerances import LOOSE
from toys import toy

from sknc import Convention, NeuralCollapseAnalyzer
from sknc.metrics import nc1_pinv

INVERTED = ("nc1_pinv", "nc1_fuzziness", "nc1_correct", "nc1_wrong")
LINE = np.outer([0.0, 8, 16, 40], [4.0, 8, 16])
POINTS = np.zeros((4, 3))
OFFSETS = np.array([[2.0, 0, 1], [-2, 0, -1], [1, 4, 0], [-1, -4, 0]])


def reports(means, **options):
    """Return report and score of four classes with the same offsets from their mean."""
    y = np.repeat(np.arange(4), 4)
    X = means[y] + np.tile(OFFSETS, (4, 1))
    W = np.random.default_rng(8).standard_normal((4, 3))
    analyzer = NeuralCollapseAnalyzer((W, None), metrics=INVERTED, **options)
    analyzer.fit(X, y)
    return analyzer.report(), analyzer.score(X, y)


def turned(means, seed):
    """Return the means in coordinates in which no digit of them is exact."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    return means @ basis + rng.standard_normal(3)


@each("seed", [None, *range(8)])
@pytest.mark.parametrize("preset", PRESETS)
def test_collinear_means(preset, seed):
    means = LINE if seed is None else turned(LINE, seed)
    for report in reports(means, convention=preset):
        assert report.rank == 1
        for key in set(INVERTED) & set(report):
            if preset != "han2022":
                assert report[key] < 10, key
                continue
            assert math.isnan(report[key]), key
            assert report.notes[key] == (
                "Undefined: the class means span 1 of 3 possible directions, and "
                'rank="full" inverts them all. Choose a convention with '
                'rank="numerical".'
            )


@each("seed", [None, *range(4)])
@pytest.mark.parametrize("preset", PRESETS)
def test_coinciding_means(preset, seed):
    means = POINTS if seed is None else turned(POINTS, seed)
    for report in reports(means, convention=preset):
        assert report.rank == 0
        for key in set(INVERTED) & set(report):
            assert math.isnan(report[key]), key
            assert "all class means coincide" in report.notes[key]


def test_parts_of_an_undefined_value_are_undefined():
    report = reports(LINE, convention="han2022")[1]
    assert np.isnan(report.per_class["nc1_pinv"]).all()


@pytest.mark.parametrize("center", ["class", "none"])
def test_full_rank_where_it_is_full(center):
    # Without centering four means may span all four directions.
    item = toy("random_balanced")
    item = replace(item, X=item.X[:, :4])
    analyzer = NeuralCollapseAnalyzer().fit(item.X, item.y)
    full, numerical = (
        nc1_pinv(analyzer.statistics_, convention=Convention(center=center, rank=rank))
        for rank in ("full", "numerical")
    )
    assert full == numerical
    assert math.isfinite(full)


def boolean_data(seed):
    """Return few samples of few boolean features: many means coincide."""
    rng = np.random.default_rng(seed)
    n_classes, n_features = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    n_samples = int(rng.integers(4, 9))
    others = rng.integers(n_classes, size=n_samples - n_classes)
    y = np.concatenate([np.arange(n_classes), others])
    X = rng.integers(2, size=(n_samples, n_features)).astype(bool)
    W = rng.integers(-1, 2, size=(n_classes, n_features)).astype(float)
    return X, y, W


SEEDS = [0, 1, 10, 15]  # with 10 and 15, no cutoff may be zero
SLOW_SEEDS = [
    pytest.param(seed, marks=pytest.mark.slow)
    for seed in range(25)
    if seed not in SEEDS
]


@pytest.mark.parametrize("seed", [*SEEDS, *SLOW_SEEDS])
@pytest.mark.parametrize("preset", PRESETS)
def test_boolean_features(preset, seed):
    X, y, W = boolean_data(seed)
    options = {"convention": preset, "metrics": "all", "n_jackknife": 3}
    analyzer = NeuralCollapseAnalyzer((W, None), **options).fit(X, y)
    want = Reference(X.astype(float), y, W, None, PRESETS[preset]).metrics()
    for report in (analyzer.report(), analyzer.score(X, y)):
        # Ties decide which center is the nearest.
        keys = [key for key in want if key in report and not key.startswith("nc4")]
        wrong = disagreements(report, want, keys=keys, rtol=LOOSE)
        assert all(max(found[:2]) < 1e-25 for found in wrong.values()), wrong
        for key in report:
            assert math.isfinite(report[key]) or report.notes[key], key
    analyzer.score(X[:3], y[:3])
