"""`ClassStatistics` is a commutative monoid that loses no digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled
from tolerances import CLOSE

from sknc import ClassStatistics, NeuralCollapseAnalyzer

FIELDS = ("counts", "anchors", "sums", "squares", "scatter")


def of(X, y, **options):
    return ClassStatistics.from_samples(X, y, **options)


def content(statistics):
    """Return every byte of the state."""
    arrays = [getattr(statistics.moments, name) for name in FIELDS]
    held = [None if a is None else np.asarray(a).tobytes() for a in arrays]
    whole = (statistics.n_samples, statistics.input_dtype)
    return (statistics.classes.tolist(), *held, *whole)


def exact(X, y):
    """Return labels, means, variances and scatter in extended steps of float64."""
    labels = np.unique(y)
    origin = X[-1].astype(np.float64)
    X = X.astype(np.float64) - origin
    means = np.array([X[y == k].mean(0) for k in labels])
    means += np.array(
        [(X[y == k] - m).mean(0) for k, m in zip(labels, means, strict=True)]
    )
    residuals = X - means[np.searchsorted(labels, y)]
    variances = [np.square(residuals[y == k]).sum(1).mean() for k in labels]
    return labels, means + origin, np.array(variances), residuals.T @ residuals


def assert_same(statistics, X, y, rtol=CLOSE):
    labels, means, variances, scatter = exact(X, y)
    assert statistics.classes.tolist() == labels.tolist()
    assert statistics.n_samples == len(y)
    assert (statistics.counts == [np.sum(y == k) for k in labels]).all()
    width = np.sqrt(variances.max()) or 1.0
    size = np.abs(X).max() * 4e-16
    np.testing.assert_allclose(statistics.class_means, means, 0, rtol * width + size)
    np.testing.assert_allclose(statistics.class_variances, variances, rtol)
    if statistics.within_scatter is not None:
        atol = rtol * np.abs(scatter).max()
        np.testing.assert_allclose(statistics.within_scatter, scatter, 0, atol)


def agree(a, b, rtol=CLOSE):
    assert a.classes.tolist() == b.classes.tolist()
    assert a.n_samples == b.n_samples
    for name in ("counts", "class_means", "class_variances", "within_scatter"):
        one, other = getattr(a, name), getattr(b, name)
        scale = np.abs(other).max(initial=0)
        np.testing.assert_allclose(one, other, 0, rtol * scale, err_msg=name)


def three(item):
    thirds = np.array_split(np.arange(len(item.y)), 3)
    return [of(item.X[i], item.y[i]) for i in thirds]


# The laws ------------------------------------------------


@given(labelled())
def test_associative(item):
    a, b, c = three(item)
    agree(a.merge(b).merge(c), a.merge(b.merge(c)))


@given(labelled())
def test_commutative(item):
    a, b, _ = three(item)
    agree(a.merge(b), b.merge(a))
    agree(a + b, b + a)


@given(labelled(), st.sampled_from(["int", "str"]))
def test_statistics_without_classes_are_neutral(item, kind):
    y = item.y.astype(kind)
    statistics, empty = of(item.X, y), of(item.X[:0], y[:0])
    assert empty.n_classes == empty.n_samples == 0
    agree(statistics.merge(empty), statistics)
    agree(empty.merge(statistics), statistics)
    agree(empty.merge(empty), empty)


@given(labelled())
def test_statistics_without_samples_are_neutral(item):
    # Named classes whose only batch was empty of them.
    classes = np.arange(len(item.W) + 2)
    few = item.y == item.y[0]
    part = NeuralCollapseAnalyzer()
    part.partial_fit(item.X[few], item.y[few], classes=classes)
    rest = of(item.X[~few], item.y[~few])
    joined = part.statistics_.merge(rest)
    assert joined.classes.tolist() == classes.tolist()
    assert_same(joined.observed_only(), item.X, item.y)
    assert_same(rest.merge(part.statistics_).observed_only(), item.X, item.y)


@given(labelled(), st.sampled_from(["float64", "float32"]))
def test_merge_equals_the_whole(item, dtype):
    X = item.X.astype(dtype)
    half = len(X) // 2
    joined = of(X[:half], item.y[:half]).merge(of(X[half:], item.y[half:]))
    assert_same(joined, X, item.y, 1e-10 if dtype == "float64" else 1e-6)


@given(labelled())
def test_one_sample_shards(item):
    parts = [of(item.X[i : i + 1], item.y[i : i + 1]) for i in range(len(item.y))]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.merge(part)
    assert_same(joined, item.X, item.y)


# Nothing but the result changes ------------------------------------------------


@given(labelled())
def test_merge_leaves_both_alone_and_the_result_goes_on(item):
    a, b, c = three(item)
    before = content(a), content(b)
    joined = a.merge(b)
    after = content(joined)
    _ = joined.class_means, joined.class_variances, joined.within_scatter
    further = joined.merge(c)
    assert (content(a), content(b)) == before
    assert content(joined) == after
    assert_same(further, item.X, item.y)


@given(labelled())
def test_estimators_leave_merged_statistics_alone(item):
    half = len(item.y) // 2
    first = NeuralCollapseAnalyzer().fit(item.X[:half], item.y[:half])
    second = NeuralCollapseAnalyzer().fit(item.X[half:], item.y[half:])
    kept = first.statistics_, second.statistics_
    before = [content(s) for s in kept]
    joined = first + second
    joined.partial_fit(item.X, item.y)
    first.merge(second).partial_fit(item.X, item.y)
    second.partial_fit(item.X, item.y)
    assert [content(s) for s in kept] == before
    twice = np.concatenate([item.X, item.X]), np.concatenate([item.y, item.y])
    assert_same(joined.statistics_, *twice)
    assert_same(first.statistics_, *twice)


@given(labelled(), st.integers(1, 20))
def test_snapshots_do_not_change(item, step):
    analyzer, snapshots = NeuralCollapseAnalyzer(), []
    for start in range(0, len(item.y), step):
        part = slice(start, start + step)
        analyzer.partial_fit(item.X[part], item.y[part])
        snapshots.append((analyzer.statistics_, content(analyzer.statistics_)))
    assert all(content(s) == before for s, before in snapshots)
    assert_same(analyzer.statistics_, item.X, item.y)


def test_snapshots_of_tensors_do_not_change(torch):
    X = torch.arange(24.0).reshape(8, 3) ** 1.5
    y = torch.tensor([0, 1, 0, 1, 0, 1, 2, 2])
    analyzer = NeuralCollapseAnalyzer().partial_fit(X[:4], y[:4])
    snapshot = analyzer.statistics_
    before = content(snapshot)
    analyzer.partial_fit(X[4:], y[4:]).partial_fit(X, y)
    assert content(snapshot) == before
    assert snapshot.classes.tolist() == [0, 1]


# Anchors far away ------------------------------------------------


def with_outlier(dtype, n_samples=4000, n_features=8, distance=1e4):
    """Three classes; the first sample of class 0 lies far from the others."""
    rng = np.random.default_rng(n_samples)
    y = rng.integers(3, size=n_samples)
    y[0] = 0
    X = rng.standard_normal((n_samples, n_features)) + 3 * np.eye(3, n_features)[y]
    X[0] += distance
    return X.astype(dtype), y


BATCHES = [1, 7, 100, 1500, 4000]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-11), ("float32", 1e-6)])
def test_drifted_anchor(dtype, rtol, batch):
    X, y = with_outlier(dtype)
    analyzer = NeuralCollapseAnalyzer()
    for start in range(0, len(y), batch):
        analyzer.partial_fit(X[start : start + batch], y[start : start + batch])
    assert_same(analyzer.statistics_, X, y, rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-11), ("float32", 1e-6)])
def test_drifted_anchor_in_a_shard(dtype, rtol):
    X, y = with_outlier(dtype)
    lone, rest = of(X[:1], y[:1]), of(X[1:], y[1:])
    for joined in (lone.merge(rest), rest.merge(lone)):
        assert_same(joined, X, y, rtol)


def drifting(dtype, distance):
    """A class whose mean is far from its first half: later samples decide it."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 6))
    y = np.arange(20_000) % 2
    X[:40] += distance
    weights = np.ones(20_000)
    weights[:40] = 1e-9
    return X.astype(dtype), y, weights


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-6)])
@pytest.mark.parametrize("batch", [10, 1000, 20_000])
def test_outliers_of_little_weight_cost_no_digits(dtype, rtol, batch):
    X, y, weights = drifting(dtype, 1e3)
    analyzer = NeuralCollapseAnalyzer()
    for start in range(0, len(y), batch):
        part = slice(start, start + batch)
        analyzer.partial_fit(X[part], y[part], sample_weight=weights[part])
    wide = X.astype(np.float64)
    for k in (0, 1):
        x, w = wide[y == k], weights[y == k]
        mean = (w[:, None] * x).sum(0) / w.sum()
        variance = (w * ((x - mean) ** 2).sum(1)).sum() / w.sum()
        got = analyzer.statistics_
        np.testing.assert_allclose(got.class_means[k], mean, 0, rtol * variance**0.5)
        assert got.class_variances[k] == pytest.approx(variance, rel=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-10), ("float32", 1e-6)])
def test_common_offset_of_tight_classes(dtype, rtol):
    # Exact in the truth too: both start from the same rounded values.
    rng = np.random.default_rng(1)
    spread, offset = (1e-3, 1e6) if dtype == "float64" else (1e-2, 1e3)
    y = np.arange(3000) % 5
    X = offset + np.eye(5, 9)[y] + spread * rng.standard_normal((3000, 9))
    X = X.astype(dtype)
    assert_same(of(X, y), X, y, rtol)


# Blocks and many classes ------------------------------------------------


SIZES = [1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097]


@pytest.mark.parametrize("n_samples", SIZES)
def test_buffers_across_block_boundaries(n_samples):
    rng = np.random.default_rng(n_samples)
    y = rng.integers(4, size=n_samples)
    X = rng.standard_normal((n_samples, 5)) + y[:, None]
    for batch in (1, 333, 1024, n_samples - 1, n_samples):
        if batch == 1 and n_samples > 1025:
            continue
        analyzer = NeuralCollapseAnalyzer()
        for start in range(0, n_samples, batch):
            part = slice(start, start + batch)
            analyzer.partial_fit(X[part], y[part])
        assert_same(analyzer.statistics_, X, y)


@pytest.mark.parametrize("n_samples", [1024, 1025, 4096, 4097])
def test_wide_blocks(n_samples):
    # Wide enough that a block has the fewest rows it may have.
    rng = np.random.default_rng(n_samples)
    y = rng.integers(4, size=n_samples)
    X = rng.standard_normal((n_samples, 300)) + y[:, None]
    analyzer = NeuralCollapseAnalyzer()
    for start in range(0, n_samples, 1000):
        part = slice(start, start + 1000)
        analyzer.partial_fit(X[part], y[part])
    assert_same(analyzer.statistics_, X, y)


def test_rows_wait_in_a_buffer_of_their_own():
    # The caller may overwrite a batch as soon as partial_fit has returned.
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3)), np.arange(50) % 2
    analyzer, batch = NeuralCollapseAnalyzer(), np.empty((5, 3))
    for start in range(0, 50, 5):
        batch[:] = X[start : start + 5]
        analyzer.partial_fit(batch, y[start : start + 5])
        batch[:] = np.nan
    assert_same(analyzer.statistics_, X, y)


@pytest.mark.parametrize("batch", [777, pytest.param(12_000, marks=pytest.mark.slow)])
def test_five_thousand_classes(batch):
    rng = np.random.default_rng(0)
    y = rng.permutation(
        np.concatenate([np.arange(5000), rng.integers(5000, size=7000)])
    )
    means = rng.standard_normal((5000, 8))
    X = means[y] + 0.1 * rng.standard_normal((12_000, 8))
    analyzer = NeuralCollapseAnalyzer()
    for start in range(0, len(y), batch):
        part = slice(start, start + batch)
        analyzer.partial_fit(X[part], y[part])
    statistics = analyzer.statistics_
    counts = np.bincount(y)
    sums = np.zeros((5000, 8))
    np.add.at(sums, y, X)
    want = sums / counts[:, None]
    residuals = X - want[y]
    assert (statistics.counts == counts).all()
    np.testing.assert_allclose(statistics.class_means, want, 0, 1e-13)
    scatter = residuals.T @ residuals
    np.testing.assert_allclose(
        statistics.within_scatter, scatter, 0, 1e-10 * scatter[0, 0]
    )
    if batch < len(y):
        return  # pairs of classes do not depend on batches
    report = analyzer.report()
    centered = want - want.mean(0)
    unit = centered / np.linalg.norm(centered, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[np.tri(5000, k=-1, dtype=bool)]
    assert report.nc2_cos_std == pytest.approx(cosines.std(ddof=1), rel=CLOSE)
    excess = np.abs(cosines + 1 / 4999).mean()
    assert report.nc2_equiangular == pytest.approx(excess, rel=CLOSE)


# Refusals ------------------------------------------------


def test_merge_refuses_what_does_not_belong_together():
    X, y = np.eye(3), np.arange(3)
    with pytest.raises(ValueError, match="features"):
        of(X, y).merge(of(X[:, :2], y))
    with pytest.raises(ValueError, match="labels"):
        of(X, y).merge(of(X, np.array(["a", "b", "c"])))


def test_merge_refuses_other_libraries(torch):
    X, y = np.eye(3), np.arange(3)
    with pytest.raises(ValueError, match="library and device must be the same"):
        of(X, y).merge(of(torch.eye(3), torch.arange(3)))


def test_the_scatter_is_kept_only_if_both_have_it():
    X, y = np.random.default_rng(0).standard_normal((8, 3)), np.arange(8) % 2
    with_scatter, without = of(X, y), of(X, y, covariance=False)
    assert with_scatter.merge(without).within_scatter is None
    assert without.merge(with_scatter).within_scatter is None
    assert with_scatter.merge(with_scatter).within_scatter is not None
    assert with_scatter.within_scatter is not None


def test_frozen():
    statistics = of(np.eye(3), np.arange(3))
    with pytest.raises(AttributeError):
        statistics.n_samples = 7


def test_labels_of_different_lengths_and_widths_merge():
    X = np.arange(8.0).reshape(4, 2)
    short = of(X, np.array(["a", "b", "a", "b"]))
    long = of(X, np.array(["a", "longer", "a", "longer"]))
    assert short.merge(long).classes.tolist() == ["a", "b", "longer"]
    assert long.merge(short).classes.tolist() == ["a", "b", "longer"]
    narrow, wide = (
        of(X, np.array([1, 2, 1, 2], "int8")),
        of(X, np.array([1, 300, 1, 300])),
    )
    assert narrow.merge(wide).classes.tolist() == [1, 2, 300]
