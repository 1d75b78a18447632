"""The state of regression: exact, mergeable, whole."""

import pickle
from fractions import Fraction

import interrupts
import numpy as np
import pytest
import regression_references as references
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from sknc import RegressionStatistics
from sknc.statistics._accumulation import JointAccumulator


def of(X, Y, weights=None):
    return RegressionStatistics.from_samples(X, Y, weights)


def assert_same(found, expected, rtol=1e-12):
    assert found.n_rows == expected.n_rows
    for name in ("mean", "mean_direction", "covariance", "direction_covariance"):
        one, other = np.asarray(getattr(found, name)), getattr(expected, name)
        scale = np.max(np.abs(other))
        np.testing.assert_allclose(one, other, rtol, rtol * scale, err_msg=name)


def test_against_whole_arrays():
    X, Y, _, _ = references.samples(0)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(X))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    Z = np.hstack([X, Y])
    for w in (None, weights):
        found = of(X, Y, w)
        np.testing.assert_allclose(found.mean, references.mean_of(Z, w), 1e-12)
        np.testing.assert_allclose(
            found.covariance, references.covariance_of(Z, w), 1e-10, 1e-12
        )
        np.testing.assert_allclose(
            found.mean_direction, references.mean_of(unit, w), 1e-11, 1e-14
        )
        np.testing.assert_allclose(
            found.direction_covariance, references.covariance_of(unit, w), 1e-10, 1e-13
        )


@given(st.data(), strategies.seeds)
@settings(max_examples=30)
def test_any_cut_and_any_order(data, seed):
    X, Y, _, _ = references.samples(seed, 40)
    X[::7] = 0
    cuts = data.draw(strategies.cuts(40))
    parts = [of(X[cut], Y[cut]) for cut in cuts]
    joined = data.draw(strategies.merged(parts, lambda a, b: a.merge(b)))
    assert_same(joined, of(X, Y))


def exact_covariance(Z):
    """In rational numbers, of what float64 holds."""
    columns = [[Fraction(float(value)) for value in column] for column in Z.T]
    n = len(Z)
    centered = [[v - sum(column) / n for v in column] for column in columns]
    return np.array(
        [
            [float(sum(a * b for a, b in zip(p, q, strict=True)) / n) for q in centered]
            for p in centered
        ]
    )


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_exact_at_a_far_offset(batch):
    rng = np.random.default_rng(0)
    X = 1e6 + 1e-3 * rng.standard_normal((60, 4))
    Y = -1e6 + 1e-3 * rng.standard_normal((60, 2))
    expected = exact_covariance(np.hstack([X, Y]))
    if batch is None:
        found = of(X, Y)
    else:
        parts = [of(X[i : i + batch], Y[i : i + batch]) for i in range(0, 60, batch)]
        found = sum(parts[1:], start=parts[0])
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(found.covariance, expected, 1e-9, 1e-13 * scale)


def test_outlier_as_first_sample_costs_no_digits():
    rng = np.random.default_rng(0)
    X = 1e-3 * rng.standard_normal((2000, 3))
    parts = [of(X[:1] + 1e3, X[:1, 0] + 1e3)]
    parts += [of(X[i : i + 50], X[i : i + 50, 0]) for i in range(1, 2000, 50)]
    found = sum(parts[1:], start=parts[0])
    assert abs(float(found.joint.anchors[0, 0])) < 10


def test_weights_are_repetitions():
    X, Y, _, _ = references.samples(0)
    times = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = of(X, Y, times)
    repeated = of(np.repeat(X, times, 0), np.repeat(Y, times, 0))
    assert weighted.weighted
    assert not repeated.weighted
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, 1e-10, 1e-13)
    both = weighted.merge(repeated)
    assert both.weighted
    np.testing.assert_allclose(both.covariance, repeated.covariance, 1e-10, 1e-13)


def test_extreme_sizes_have_directions():
    X = np.array([[3e200, 4e200], [-3e-200, 4e-200]])
    with np.errstate(over="ignore", invalid="ignore"):
        found = of(X, np.array([0.0, 1.0]))
    np.testing.assert_allclose(found.mean_direction, [0.0, 0.8], atol=1e-15)


def test_zero_rows_have_no_direction():
    X, Y, _, _ = references.samples(0, 20)
    X[3] = 0
    found = of(X, Y)
    assert found.n_rows == (20, 19)
    assert found.share_of_directions == 0.95
    kept = np.delete(X, 3, 0)
    unit = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    np.testing.assert_allclose(found.mean_direction, unit.mean(0), 1e-12)
    none = of(0 * X, Y)
    assert none.share_of_directions == 0
    assert_same(none.merge(of(kept, np.delete(Y, 3, 0))).merge(none), _with_zeros(X, Y))


def _with_zeros(X, Y):
    kept = np.delete(X, 3, 0), np.delete(Y, 3, 0)
    return of(np.vstack([0 * X, kept[0], 0 * X]), np.vstack([Y, kept[1], Y]))


def test_many_rows_of_many_dtypes():
    rng = np.random.default_rng(0)
    X = rng.integers(-100, 100, (5000, 40)).astype(np.int16)
    Y = rng.standard_normal(5000)
    Z = np.column_stack([X.astype(float), Y])
    for dtype in ("int16", "float32", "float16", "float64"):
        found = of(X.astype(dtype), Y)
        np.testing.assert_allclose(
            found.covariance, references.covariance_of(Z), 1e-9, 1e-9
        )


def test_whatever_is_interrupted_a_batch_is_in_or_not():
    X, Y, _, _ = references.samples(0, 300)
    X[5] = 0
    n_lines, place = None, 1
    while n_lines is None or place <= n_lines:
        made = JointAccumulator(X, 3)
        made.update(X[:200], Y[:200], None)
        reached = interrupts.run(lambda m=made: m.update(X[200:], Y[200:], None), place)
        n_lines = len(reached) if len(reached) < place else place + 40
        n_rows = made.n_rows[0]
        assert n_rows in (200, 300)
        found = RegressionStatistics.of_accumulator(made, 3, "float64")
        assert_same(found, of(X[:n_rows], Y[:n_rows]))
        if len(reached) < place:
            break
        place += 11  # every line would take long


def test_interrupted_twice_can_no_longer_be_read(monkeypatch):
    X, Y, _, _ = references.samples(0)
    made = JointAccumulator(X, 3)
    made.update(X, Y, None)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(made._parts[1], "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.update(X, Y, None)
    with pytest.raises(RuntimeError, match="The sums are incomplete"):
        made.moments()


def test_handed_out_statistics_stay():
    X, Y, _, _ = references.samples(0)
    made = JointAccumulator(X, 3)
    made.update(X, Y, None)
    first = RegressionStatistics.of_accumulator(made, 3, "float64")
    kept = first.covariance.copy()
    made.update(X + 9, Y, None)
    made.moments()
    fresh = RegressionStatistics(
        first.joint, first.directions, 3, first.n_rows, "float64"
    )
    np.testing.assert_array_equal(fresh.covariance, kept)
    with pytest.raises(ValueError, match="read-only"):
        first.joint.sums[0] = 0


def test_pickle():
    X, Y, _, _ = references.samples(0)
    found = of(X, Y)
    assert found.covariance is found.covariance
    again = pickle.loads(pickle.dumps(found))
    assert_same(again, found, rtol=0)


def test_what_cannot_be_merged(torch):
    X, Y, _, _ = references.samples(0)
    found = of(X, Y)
    with pytest.raises(ValueError, match="5 features into statistics of 8 features"):
        found.merge(of(X[:, :5], Y))
    with pytest.raises(ValueError, match="2 targets into statistics of 3 targets"):
        found.merge(of(X, Y[:, :2]))
    with pytest.raises(ValueError, match="on torch on cpu into statistics on NumPy"):
        found.merge(of(torch.tensor(X), torch.tensor(Y)))
    with pytest.raises(ValueError, match="other must be RegressionStatistics"):
        found.merge(X)
    with pytest.raises(TypeError, match="unsupported operand"):
        found + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, Y: (X[0], Y), "X must be of shape"),
        (lambda X, Y: (X, Y[:-1]), "expected 60 rows of targets"),
        (lambda X, Y: (X * np.nan, Y), "X must be finite, got 480 NaN"),
        (lambda X, Y: (X, Y * np.inf), "y contains NaN or infinity: expected finite"),
        (lambda X, Y: (X, Y.astype(str)), "y must be real numbers"),
        (lambda X, Y: (X, Y[:, :, None]), "y must be of shape"),
    ],
)
def test_malformed(change, message):
    X, Y, _, _ = references.samples(0)
    with pytest.raises(ValueError, match=message):
        of(*change(X, Y))
