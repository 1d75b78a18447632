"""Anchors that turn out to be far from their class cost no digits."""

from dataclasses import replace

import numpy as np
import pytest
import two_passes
from tolerances import SINGLE, TIGHT

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc._utils import arrays
from sknc.statistics._accumulation import (
    Accumulator,
    State,
    accumulator,
    anchors,
    residuals,
    totals,
)
from sknc.statistics._moments import Moments

CLASSES = 4


def fed(X, y, sizes, weights=None, *, read_first=True, **options):
    """Return statistics of batches of some sizes, the last one over and over."""
    analyzer, start = NeuralCollapseAnalyzer(**options), 0
    while start < len(y):
        stop = start + (sizes.pop(0) if len(sizes) > 1 else sizes[0])
        given = None if weights is None else weights[start:stop]
        analyzer.partial_fit(X[start:stop], y[start:stop], sample_weight=given)
        if start == 0 and read_first:
            analyzer.statistics_  # so that these rows do not wait  # noqa: B018
        start = stop
    return analyzer.statistics_


def samples(n_samples, n_features, n_classes=CLASSES, dtype=np.float32):
    rng = np.random.default_rng(0)
    y = np.arange(n_samples) % n_classes
    X = (
        rng.standard_normal((n_samples, n_features))
        + 3 * np.eye(n_classes, n_features)[y]
    )
    return X.astype(dtype), y


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("distance", [10, 100, 1000])
@pytest.mark.parametrize("size", [128, 1000, 5000])
def test_outlier_read_first(distance, size, covariance):
    X, y = samples(5000, 300)
    X[:CLASSES] += distance  # the first anchors
    state = fed(X, y, [CLASSES, size], covariance=covariance)
    two_passes.assert_same(state, X, y, rtol=SINGLE)


@pytest.fixture
def single_rows(monkeypatch):
    """Let the first anchors be at single rows."""
    monkeypatch.setattr(anchors, "_ELEMENTS", 1)


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize("size", [128, 5000])
def test_outlier_that_hardly_counts(size, read_first, covariance, single_rows):
    X, y = samples(5000, 300)
    X[:CLASSES] += 1000
    weights = np.ones(5000)
    weights[:CLASSES] = 1e-11
    options = {"read_first": read_first, "covariance": covariance}
    sizes = [CLASSES, size] if read_first else [size]
    state = fed(X, y, sizes, weights, **options)
    # Residuals that are read as 1000 have only so many digits.
    rtol = 5e-6 if read_first else 1e-6
    two_passes.assert_same(state, X, y, weights, rtol=rtol)


def test_variance_of_a_small_class():
    # Too little of all to matter for the scatter.
    X, y = samples(2000, 300)
    X[40:] *= 1000
    y[:40], y[40:] = 0, 1 + np.arange(1960) % 3
    X[0] += 1000
    weights = np.ones(2000)
    weights[0] = 1e-11
    state = fed(X, y, [1, 1999], weights)
    variances = two_passes.moments(X, y, weights)[3]
    np.testing.assert_allclose(state.class_variances, variances, rtol=5e-6)


def test_scatter_along_the_drift_of_a_large_class():
    # The distance is not most of the second moment, but all along one direction.
    X, y = samples(6000, 300, 2)
    X[:2, 7] += 30
    two_passes.assert_same(fed(X, y, [2, 1000]), X, y, rtol=SINGLE)


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("size", [100, 3000])
def test_tight_classes_far_from_the_origin(size, covariance):
    X, y = samples(3000, 300)
    X = (1000 + X / 100).astype(np.float32)
    state = fed(X, y, [size], read_first=False, covariance=covariance)
    two_passes.assert_same(state, X, y, rtol=SINGLE)


@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("n_classes", [4, 1000])
def test_anchors_come_before_sums(n_classes, covariance, monkeypatch):
    # Else all rows of a first batch would be summed twice.
    summed, taken = [], []
    plus, write = totals.Totals.with_sums, residuals.Rows._write

    def counted_plus(self, some, threads, memory=None):
        summed.append(some.n_rows)
        return plus(self, some, threads)

    def counted_write(self, *out):
        taken.append(self.n_rows)
        return write(self, *out)

    monkeypatch.setattr(totals.Totals, "with_sums", counted_plus)
    monkeypatch.setattr(residuals.Rows, "_write", counted_write)
    X, y = samples(4096, 300, n_classes)
    NeuralCollapseAnalyzer(covariance=covariance).fit(X, y).statistics_  # noqa: B018
    assert sum(summed) == 4096
    assert sum(taken) <= 4096 + max(n_classes, 512)  # some for first anchors


def test_classes_that_stay_cost_no_product(monkeypatch):
    # Of many classes with few rows each, anchors at single rows are good enough.
    X, y = samples(4000, 300, 1000)
    moved = []
    monkeypatch.setattr(anchors, "moved", lambda *a: moved.append(a))
    fed(X, y, [1000, 1000])
    few = np.flatnonzero(y < 10)
    order = np.r_[0:4000, few, few]
    fed(X[order], y[order], [4000, 40])
    assert not moved


def test_sums_of_many_classes_wait_for_many_rows(monkeypatch):
    # Else they would take longer than those of the rows.
    n_rows, summed = [], accumulator.summed

    def counted(before, rows, *arguments, **options):
        n_rows.append(rows.n_rows)
        return summed(before, rows, *arguments, **options)

    monkeypatch.setattr(accumulator, "summed", counted)
    X, y = samples(8192, 300, 1000)
    fed(X, y, [128], read_first=False, covariance=False)
    assert len(n_rows) <= 3


def test_tensors_have_anchors_near_means_from_the_first():
    torch = pytest.importorskip("torch")
    # Here anchors at zero would not be misplaced.
    rng = np.random.default_rng(0)
    y = np.arange(6000) % 300
    X = 3 * rng.standard_normal((300, 600))[y] + rng.standard_normal((6000, 600))
    X = X.astype(np.float32)
    tensors = torch.as_tensor(X), torch.as_tensor(y)
    state = NeuralCollapseAnalyzer().fit(*tensors).statistics_
    moments = state.moments.map_all(arrays.to_numpy)
    two_passes.assert_same(replace(state, moments=moments), X, y, rtol=6e-7)


def test_many_classes_where_the_host_must_not_wait(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(arrays, "on_gpu", arrays.is_tensor)
    X, y = samples(3000, 20, 500, np.float64)
    y = np.random.default_rng(0).permutation(y)
    X[:900:2] += 1000  # outliers that come first, and far from the others
    made = Accumulator(State.empty(torch.as_tensor(X), 500))
    for start in range(0, 3000, 300):
        part = slice(start, start + 300)
        made.update(torch.as_tensor(X[part]), torch.as_tensor(y[part]), None)
        moments = made.moments()
        if start == 1500:  # as after a merge
            moments = moments.moved_to(moments.anchors + 1e5)
            made = Accumulator(State.of(moments, 1800))
    moments = moments.map_all(arrays.to_numpy)
    state = ClassStatistics(np.arange(500), moments, made.n_samples, "float64")
    two_passes.assert_same(state, X, y, rtol=1e-5)


def test_fixed_anchors_stay():
    X, y = samples(500, 20, 3, np.float64)
    moments = Moments.zeros(X, 3, np.float64, covariance=True)
    points = np.random.default_rng(1).standard_normal((3, 20))
    moments = replace(moments, anchors=points)
    projector = np.eye(20)[:, :2]
    state = State.of(moments, projector=projector)
    made = Accumulator(state, fixed_anchors=True)
    for part in (slice(0, 10), slice(10, 500)):
        made.update(X[part] + 1000, y[part], None)
        found = made.moments()
    np.testing.assert_array_equal(found.anchors, points)
    squares = ((X + 1000 - points[y])[:, :2] ** 2).sum(axis=1)
    np.testing.assert_allclose(made.energies, np.bincount(y, squares), rtol=TIGHT)
