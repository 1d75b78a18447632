"""The same numbers whatever way the samples came in."""

import copy
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import DECISIONS, NC1, NC2, NC3, PRESETS, disagreements
from strategies import cuts, labelled, merged
from tolerances import CLOSE, TIGHT
from toys import Toy, toy

from sknc import ClassStatistics, NeuralCollapseAnalyzer

ATTRIBUTES = (
    "class_count_",
    "class_means_",
    "global_mean_",
    "within_class_covariance_",
    "between_class_covariance_",
    "total_covariance_",
)
RTOL = {"float64": 1e-10, "float32": 1e-6}
ATOL = {"float64": 1e-13, "float32": 1e-6}
presets = st.sampled_from(sorted(set(PRESETS) - {"han2022"}))
dtypes = st.sampled_from(["float64", "float32"])


def host(value):
    return value.numpy() if hasattr(value, "numpy") else np.asarray(value)


def assert_same_attributes(fitted, other, dtype):
    """Within `rtol` of the natural scale: the largest entry, or a total deviation."""
    assert fitted.classes_.tolist() == other.classes_.tolist()
    assert fitted.n_samples_seen_ == other.n_samples_seen_
    width = np.sqrt(host(other.total_covariance_).diagonal().max())
    for name in ATTRIBUTES:
        got, want = host(getattr(fitted, name)), host(getattr(other, name))
        scale = np.abs(want).max()
        if name.endswith("_covariance_"):
            scale = width**2 if dtype == "float32" else scale
        elif "mean" in name:
            scale = width if dtype == "float32" else scale
        error = np.abs(got - want).max()
        assert error <= RTOL[dtype] * scale, (name, error / scale)


def assert_same_report(got, want, dtype, item, keys=None):
    scale = 1 + np.abs(item.W).sum() * np.abs(item.X.astype(float)).max()
    options = {"rtol": RTOL[dtype], "atol": ATOL[dtype], "scale": scale}
    assert set(got.keys()) == set(want.keys())
    assert not disagreements(got, want.to_dict(), keys=keys, **options)


def assert_same(fitted, other, item):
    dtype = str(item.X.dtype)
    assert_same_attributes(fitted, other, dtype)
    assert_same_report(fitted.report(), other.report(), dtype, item)
    score = other.score(item.X, item.y)
    assert_same_report(fitted.score(item.X, item.y), score, dtype, item)


def whole(item, **options):
    return item.analyzer(**options)


def in_batches(item, batches, classes=None, **options):
    analyzer = NeuralCollapseAnalyzer(item.head, **options)
    for batch in batches:
        analyzer.partial_fit(item.X[batch], item.y[batch], classes=classes)
    return analyzer


@st.composite
def items(draw, **options):
    return draw(labelled(dtype=draw(dtypes), **options))


# Batches ------------------------------------------------


@given(st.data(), items(), presets, st.booleans())
def test_any_batches(data, item, preset, named):
    batches = data.draw(cuts(len(item.y)))
    classes = np.arange(len(item.W)) if named else None
    fitted = in_batches(item, batches, classes, convention=preset)
    assert_same(fitted, whole(item, convention=preset), item)


@given(items(), st.sampled_from([1, 3, 7]))
def test_sorted_labels_so_that_classes_appear_late(item, step):
    order = np.argsort(-item.y, kind="stable")
    late = Toy(item.X[order], item.y[order], item.W, item.b)
    slices = [slice(i, i + step) for i in range(0, len(order), step)]
    assert_same(in_batches(late, slices), whole(item), item)


@given(st.data(), items())
def test_fit_batches_and_score_batches(data, item):
    pieces = data.draw(cuts(len(item.y)))
    fitted = NeuralCollapseAnalyzer(item.head)
    fitted.fit_batches((item.X[s], item.y[s]) for s in pieces)
    analyzer = whole(item)
    assert_same(fitted, analyzer, item)
    report = analyzer.score_batches((item.X[s], item.y[s]) for s in pieces)
    want = analyzer.score(item.X, item.y)
    assert_same_report(report, want, str(item.X.dtype), item)


@given(items(), st.randoms(use_true_random=False))
def test_permuted_rows(item, random):
    order = random.sample(range(len(item.y)), len(item.y))
    other = Toy(item.X[order], item.y[order], item.W, item.b)
    assert_same(whole(other), whole(item), item)


@given(st.data(), items())
def test_reading_between_batches(data, item):
    analyzer = NeuralCollapseAnalyzer(item.head)
    for batch in data.draw(cuts(len(item.y))):
        analyzer.partial_fit(item.X[batch], item.y[batch])
        assert analyzer.class_means_.shape[1] == item.X.shape[1]
    assert_same(analyzer, whole(item), item)


@given(st.data(), items())
def test_pickled_and_copied_between_batches(data, item):
    analyzer = NeuralCollapseAnalyzer(item.head)
    for i, batch in enumerate(data.draw(cuts(len(item.y)))):
        analyzer.partial_fit(item.X[batch], item.y[batch])
        if i % 2:
            analyzer = copy.deepcopy(analyzer)
        else:
            analyzer = pickle.loads(pickle.dumps(analyzer))
    assert_same(analyzer, whole(item), item)


# Merging ------------------------------------------------


def shards(data, item):
    """Fit one analyzer a shard; a shard may lack classes."""
    slices = data.draw(cuts(len(item.y)))
    return [in_batches(item, [piece]) for piece in slices]


def merge_of_copy(a, b):
    return copy.deepcopy(a).merge(b)


@given(st.data(), items(), st.sampled_from([merge_of_copy, operator.add]))
def test_any_tree_of_merges_or_sums(data, item, join):
    assert_same(data.draw(merged(shards(data, item), join)), whole(item), item)


@given(st.data(), items())
def test_merge_of_all_at_once(data, item):
    parts = shards(data, item)
    assert_same(parts[0].merge(*parts[1:]), whole(item), item)


@given(st.data(), items())
def test_merged_and_then_updated(data, item):
    batches = data.draw(cuts(len(item.y)))
    half = len(batches) // 2
    analyzer = NeuralCollapseAnalyzer(item.head)
    analyzer.merge(*(in_batches(item, [piece]) for piece in batches[:half]))
    for piece in batches[half:]:
        analyzer.partial_fit(item.X[piece], item.y[piece])
    assert_same(analyzer, whole(item), item)


@given(st.data(), items())
def test_trees_of_class_statistics(data, item):
    slices = data.draw(cuts(len(item.y)))
    parts = [ClassStatistics.from_samples(item.X[s], item.y[s]) for s in slices]
    joined = data.draw(merged(parts, ClassStatistics.merge))
    want = whole(item)
    scale = np.sqrt(want.total_covariance_.diagonal().max())
    if item.X.dtype == np.float64:
        scale = np.abs(item.X).max()
    tolerance = RTOL[str(item.X.dtype)]
    assert (joined.counts == want.class_count_).all()
    assert np.abs(joined.class_means - want.class_means_).max() <= tolerance * scale
    total = np.trace(joined.within_scatter) / joined.n_samples
    assert total == pytest.approx(
        np.trace(want.within_class_covariance_), rel=tolerance
    )


# Weights ------------------------------------------------


@given(st.data(), items(max_samples=30))
def test_weight_k_is_k_copies(data, item):
    n = len(item.y)
    copies = data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    repeated = Toy(
        np.repeat(item.X, copies, 0), np.repeat(item.y, copies), item.W, item.b
    )
    weighted = NeuralCollapseAnalyzer(item.head).fit(item.X, item.y, copies)
    other = whole(repeated)
    dtype = str(item.X.dtype)
    for name in ATTRIBUTES:
        got, want = getattr(weighted, name), getattr(other, name)
        error = np.abs(got - want).max()
        assert error <= RTOL[dtype] * np.abs(want).max(), name
    assert_same_report(weighted.report(), other.report(), dtype, item)
    got = weighted.score(item.X, item.y, copies)
    assert_same_report(got, other.score(repeated.X, repeated.y), dtype, item)


@given(st.data(), items())
def test_weight_zero_is_left_out(data, item):
    # The last classes may vanish as a whole.
    kept = item.y < data.draw(st.integers(2, len(item.W)))
    kept &= np.arange(len(kept)) % data.draw(st.integers(3, 5)) != 0
    present = np.unique(item.y[kept])
    if len(present) < 2:
        return
    X = np.where(kept[:, None], item.X, 1e6).astype(item.X.dtype)
    head = item.W[present], item.b[present]
    part = Toy(item.X[kept], item.y[kept], *head)
    weighted = NeuralCollapseAnalyzer(head).fit(X, item.y, kept * 1.0)
    assert_same(weighted, whole(part), part)
    score = weighted.score(X[np.isin(item.y, present)], *_with(item.y, kept, present))
    want = whole(part).score(part.X, part.y)
    assert_same_report(score, want, str(X.dtype), part)


def _with(y, kept, present):
    held = np.isin(y, present)
    return y[held], kept[held] * 1.0


@given(st.data(), items())
def test_weights_in_any_batches(data, item):
    weights = np.random.default_rng(len(item.y)).uniform(0.2, 3, len(item.y))
    want = NeuralCollapseAnalyzer(item.head).fit(item.X, item.y, weights)
    got = NeuralCollapseAnalyzer(item.head)
    for s in data.draw(cuts(len(item.y))):
        got.partial_fit(item.X[s], item.y[s], sample_weight=weights[s])
    assert_same_attributes(got, want, str(item.X.dtype))
    assert_same_report(got.report(), want.report(), str(item.X.dtype), item)


@given(items())
def test_some_batches_weighted_and_some_not(item):
    half = len(item.y) // 2
    analyzer = NeuralCollapseAnalyzer(item.head)
    analyzer.partial_fit(item.X[:half], item.y[:half])
    ones = np.ones(len(item.y) - half)
    analyzer.partial_fit(item.X[half:], item.y[half:], sample_weight=ones)
    assert_same(analyzer, whole(item), item)


# The second pass ------------------------------------------------


@given(items(), presets)
def test_score_of_the_training_samples_is_the_report(item, preset):
    analyzer = whole(item, convention=preset)
    report, score = analyzer.report(), analyzer.score(item.X, item.y)
    keys = [key for key in (*NC1, *NC2, *NC3) if key in report]
    assert set(NC1) <= set(keys)
    scale = {"rtol": RTOL[str(item.X.dtype)], "atol": ATOL[str(item.X.dtype)]}
    assert not disagreements(score, report.to_dict(), keys=keys, **scale)
    assert set(score.keys()) - set(report.keys()) == set(DECISIONS)


@given(items(), presets)
def test_without_the_scatter(item, preset):
    light = whole(item, convention=preset, covariance=False)
    full = whole(item, convention=preset)
    assert "nc1_pinv" not in light.report()
    report = light.score(item.X, item.y)
    assert_same_report(report, full.score(item.X, item.y), str(item.X.dtype), item)
    want = full.report().nc1_pinv
    assert report.nc1_pinv == pytest.approx(want, rel=RTOL[str(item.X.dtype)])
    with pytest.raises(AttributeError, match="covariance=True"):
        _ = light.within_class_covariance_


def test_scores_of_held_out_samples_are_moments_about_fitted_means():
    item = toy("random_balanced")
    fitted = item.analyzer()
    rng = np.random.default_rng(2)
    X, y = item.X + rng.standard_normal(item.X.shape), item.y
    score = fitted.score(X, y)
    gaps = X - fitted.class_means_[y]
    between = np.trace(fitted.between_class_covariance_)
    ratio = (gaps**2).sum() / len(X) / between
    assert score.nc1_trace_ratio == pytest.approx(ratio, rel=TIGHT)
    inverse = np.linalg.pinv(fitted.between_class_covariance_, rcond=1e-9)
    pinv = np.trace(gaps.T @ gaps @ inverse) / len(X) / 5
    assert score.nc1_pinv == pytest.approx(pinv, rel=CLOSE)
    for key in (*NC2, *NC3):
        assert score[key] == pytest.approx(fitted.report()[key], rel=TIGHT)


# Other arrays ------------------------------------------------


@settings(max_examples=15)
@given(st.data(), items(), presets)
def test_torch_equals_numpy(data, item, preset):
    torch = pytest.importorskip("torch")
    want = whole(item, convention=preset)
    X, y = torch.from_numpy(item.X), torch.from_numpy(item.y)
    analyzer = NeuralCollapseAnalyzer(item.head, convention=preset)
    for s in data.draw(cuts(len(item.y))):
        analyzer.partial_fit(X[s], y[s])
    dtype = str(item.X.dtype)
    assert isinstance(analyzer.class_means_, torch.Tensor)
    assert_same_attributes(analyzer, want, dtype)
    assert_same_report(analyzer.report(), want.report(), dtype, item)
    score = analyzer.score_batches([(X[:3], y[:3]), (X[3:], y[3:])])
    assert_same_report(score, want.score(item.X, item.y), dtype, item)


@settings(max_examples=15)
@given(st.data(), items(max_samples=30))
def test_torch_weights_and_merges(data, item):
    torch = pytest.importorskip("torch")
    n = len(item.y)
    weights = np.random.default_rng(n).uniform(0.2, 3, n)
    want = NeuralCollapseAnalyzer(item.head).fit(item.X, item.y, weights)
    parts = []
    for s in data.draw(cuts(n)):
        X, y, w = (torch.from_numpy(a[s]) for a in (item.X, item.y, weights))
        parts.append(NeuralCollapseAnalyzer(item.head).fit(X, y, w))
    joined = data.draw(merged(parts, lambda a, b: a + b))
    assert_same_attributes(joined, want, str(item.X.dtype))
    assert_same_report(joined.report(), want.report(), str(item.X.dtype), item)


NARROW = ["float16", "int8", "int64", "uint8", "bool"]


def narrow(item, dtype):
    """Values that the dtype holds exactly."""
    X = np.round(4 * item.X / np.abs(item.X).max() + 5)
    return X > 5 if dtype == "bool" else X.astype(dtype)


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_dtypes(dtype):
    item = toy("long_tailed")
    X = narrow(item, dtype)
    got = NeuralCollapseAnalyzer(item.head).fit(X, item.y)
    want = Toy(X.astype(float), item.y, item.W, item.b)
    kind = "float32" if dtype == "float16" else "float64"
    assert_same_attributes(got, whole(want), kind)
    report = whole(want).score(want.X, want.y)
    assert_same_report(got.score(X, item.y), report, kind, want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "int64", "uint8"])
def test_narrow_tensors(dtype, torch):
    item = toy("long_tailed")
    exact = narrow(item, "int64")
    X, y = torch.from_numpy(exact).to(getattr(torch, dtype)), torch.from_numpy(item.y)
    got = NeuralCollapseAnalyzer(item.head).fit(X, y)
    want = Toy(exact.astype(float), item.y, item.W, item.b)
    kind = "float32" if "float" in dtype else "float64"
    assert_same_attributes(got, whole(want), kind)
    report = whole(want).score(want.X, want.y)
    assert_same_report(got.score(X, y), report, kind, want)


def test_half_precision_rounds_once():
    # Random float16 values are float32 values: nothing else may be lost.
    item = toy("random_balanced")
    X = item.X.astype("float16")
    got = NeuralCollapseAnalyzer(item.head).fit(X, item.y)
    want = Toy(X.astype(float), item.y, item.W, item.b)
    assert_same_attributes(got, whole(want), "float32")


@pytest.mark.parametrize("n_samples", [400, 5000, 40000])
def test_float32_attributes_are_those_of_the_same_values_in_float64(n_samples):
    rng = np.random.default_rng(n_samples)
    y = rng.integers(3, size=n_samples)
    X = (rng.standard_normal((n_samples, 20)) + 2 * np.eye(3, 20)[y]).astype("float32")
    W = np.eye(3, 20)
    item = Toy(X, y, W, np.zeros(3))
    want = whole(Toy(X.astype(float), y, W, np.zeros(3)))
    assert_same_attributes(whole(item), want, "float32")
    assert_same_report(whole(item).report(), want.report(), "float32", item)


def test_float32_after_float64_and_back():
    item = toy("random_balanced")
    X = item.X.astype("float32")
    want = whole(Toy(X.astype(float), item.y, item.W, item.b))
    for first, second in (("float32", "float64"), ("float64", "float32")):
        analyzer = NeuralCollapseAnalyzer(item.head)
        analyzer.partial_fit(X[:41].astype(first), item.y[:41])
        analyzer.partial_fit(X[41:].astype(second), item.y[41:])
        assert_same_attributes(analyzer, want, "float32")
        assert_same_report(analyzer.report(), want.report(), "float32", item)


def test_layouts():
    item = toy("long_tailed")
    want = whole(item)
    wide = np.zeros((len(item.X), 12))
    wide[:, ::2] = item.X
    for X in (np.asfortranarray(item.X), wide[:, ::2], item.X[::-1].copy()[::-1]):
        other = Toy(X, item.y, item.W, item.b)
        assert_same(whole(other), want, item)


def test_inputs_are_left_alone():
    item = toy("long_tailed")
    X, y, weights = item.X.copy(), item.y.copy(), np.ones(len(item.y))
    for array in (X, y, weights):
        array.setflags(write=False)
    analyzer = NeuralCollapseAnalyzer(item.head).fit(X, y, weights)
    analyzer.partial_fit(X, y, sample_weight=weights)
    analyzer.score(X, y, weights)
    assert (item.X == X).all()
