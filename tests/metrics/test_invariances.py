"""What may change without changing a metric."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import HEADLINE, PRESETS, disagreements
from strategies import labelled, rotations, seeds
from tolerances import CLOSE, LOOSE, TIGHT

from sknc import NeuralCollapseAnalyzer

presets = st.sampled_from(sorted(set(PRESETS) - {"han2022"}))


def compare(item, other, preset, keys=HEADLINE, rtol=1e-8):
    """Both reports; a changed number has one rounding, which small norms enlarge."""
    want = item.report(convention=preset).to_dict()
    got = other.report(convention=preset)
    scale = 1e3 * (1 + np.abs(item.W).sum() * np.abs(item.X).max())
    bad = disagreements(got, want, rtol=rtol, atol=1e-11, scale=scale, keys=keys)
    # Values of NC1 that are rounding themselves.
    return {key: pair for key, pair in bad.items() if max(pair[:2]) > 1e-20}


@given(labelled(), presets, st.floats(-50, 50))
def test_shift(item, preset, shift):
    other = replace(item, X=item.X + shift, b=item.b - shift * item.W.sum(1))
    assert not compare(item, other, preset)


def test_large_shift():
    rng = np.random.default_rng(0)
    means = 2 * rng.standard_normal((6, 9))
    y = np.repeat(np.arange(6), 30)
    X = means[y] + rng.standard_normal((180, 9))
    # Whole multiples of 2^-20 are shifted by 1e4 without error.
    X = np.round(X * 2**20) / 2**20
    near, far = (
        NeuralCollapseAnalyzer((means, -c * means.sum(1))).fit(X + c, y).score(X + c, y)
        for c in (0.0, 1e4)
    )
    for key in HEADLINE[:-1]:
        assert far[key] == pytest.approx(near[key], rel=CLOSE), key
    assert far.nc4_bias_collapse == pytest.approx(near.nc4_bias_collapse, abs=LOOSE)


@given(labelled(), presets, seeds)
def test_rotation(item, preset, seed):
    turn = rotations(item.X.shape[1], seed)
    other = replace(item, X=item.X @ turn, W=item.W @ turn)
    assert not compare(item, other, preset)


@given(labelled(), presets, st.sampled_from([2.0**-40, 2.0**-3, 2.0**20]))
def test_scale(item, preset, factor):
    # Powers of two are exact, so everything else must be too.
    other = replace(item, X=item.X * factor, W=item.W / factor)
    assert not compare(item, other, preset, rtol=TIGHT)


@given(labelled(), presets, st.sampled_from([2.0**-30, 2.0**9]))
def test_scale_of_the_head(item, preset, factor):
    other = replace(item, W=item.W * factor, b=item.b * factor)
    keys = [key for key in HEADLINE if key != "nc4_bias_collapse"]
    assert not compare(item, other, preset, keys, rtol=TIGHT)
    ratio = other.report().nc4_bias_collapse / item.report().nc4_bias_collapse
    assert ratio == pytest.approx(factor, rel=TIGHT)


@given(labelled(), presets, st.randoms(use_true_random=False))
def test_permuted_classes(item, preset, random):
    order = np.array(random.sample(range(len(item.W)), len(item.W)))
    place = np.argsort(order)
    other = replace(item, y=place[item.y], W=item.W[order], b=item.b[order])
    assert not compare(item, other, preset)


LABELS = st.one_of(
    st.lists(st.integers(-(10**9), 10**9), min_size=6, max_size=6, unique=True),
    st.lists(st.text("abcxyz", min_size=1), min_size=6, max_size=6, unique=True),
)


@given(labelled(), LABELS)
def test_relabeling(item, names):
    names = sorted(names[: len(item.W)])
    got, want = item.relabeled(names).report(), item.report()
    assert got.to_dict() == pytest.approx(want.to_dict(), rel=1e-14, nan_ok=True)
    assert got.per_class["label"].tolist() == names


@given(labelled(), presets)
def test_repeated_samples(item, preset):
    other = replace(item, X=np.repeat(item.X, 3, 0), y=np.repeat(item.y, 3))
    assert not compare(item, other, preset)


@given(labelled(), presets)
def test_ranges(item, preset):
    report = item.report(convention=preset)
    assert all(not report[key] < 0 for key in HEADLINE)
    for key in ("nc0_weight_sum", "nc1_within_fraction", "nc4_mismatch"):
        assert report[key] <= 1 + 1e-15
    for key in ("nc2_etf", "nc3_structure", "nc3_cosine"):
        assert not report[key] > 2 + 1e-15
    assert 0 <= float(report) <= 1
