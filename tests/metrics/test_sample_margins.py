"""Metrics of single samples, against loops over samples and classes."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from strategies import cuts, labelled
from tolerances import CLOSE, LOOSE, TIGHT
from toys import around, collapsed, simplex, toy

from sknc import NeuralCollapseAnalyzer
from sknc.convention import Convention
from sknc.estimators._scoring.sample_measurer import SampleMeasurer
from sknc.metrics import TABLE
from sknc.metrics.sample_margins import margin_quantiles

KEYS = (
    "nc1_correct",
    "nc1_wrong",
    "nc4_ncc_margin",
    "nc4_cosine_margin",
    "nc1_cdnv_directional",
)
WITH_PINV = (*KEYS, "nc1_pinv", "nc4_head_accuracy")
NAMES = (
    "random_balanced",
    "long_tailed",
    "more_classes_than_dimensions",
    "more_classes_imbalanced",
    "two_classes",
    "offset_1e4",
)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def analyzer_of(item, **options):
    options = {"metrics": WITH_PINV, **options}
    return NeuralCollapseAnalyzer(item.head, **options)


def reference(item, X=None, y=None, weights=None, fit_weights=None, divide=True):
    """Return every number from its formula, about centers of the item's samples."""
    X, y = (item.X, item.y) if X is None else (X, y)
    w = np.ones(len(X)) if weights is None else weights
    fw = np.ones(len(item.X)) if fit_weights is None else fit_weights
    labels = np.unique(item.y)
    K, offset = len(labels), item.X[0]
    means = np.array(
        [np.average(item.X[item.y == k] - offset, 0, fw[item.y == k]) for k in labels]
    )
    rows = X - offset
    center = means.mean(0)
    gaps = means - center
    inverse = np.linalg.pinv(gaps.T @ gaps / K, rcond=1e-11)
    tilted = item.W - item.W.mean(0)
    energy, ncc, cosine, right = [], [], [], []
    along = np.zeros((K, K))
    for x, raw, label, weight in zip(rows, X, y, w, strict=True):
        k = int(np.flatnonzero(labels == label)[0])
        r = x - means[k]
        energy.append(r @ inverse @ r)
        right.append(int(np.argmax(item.W @ raw + item.b)) == k)
        margins, cosines = [], []
        for j in range(K):
            v = x - center
            cosines.append(tilted[j] @ v / math.sqrt((tilted[j] @ tilted[j]) * (v @ v)))
            if j == k:
                continue
            line = means[j] - means[k]
            length = math.sqrt(line @ line)
            # From the plane halfway between both centers.
            margins.append(((means[j] + means[k]) / 2 - x) @ line / length)
            along[k, j] += weight * (r @ line / length) ** 2 / length**2
        ncc.append(min(margins))
        cosine.append(cosines[k] - max(cosines[:k] + cosines[k + 1 :]))
    energy, right = np.array(energy), np.array(right)
    counts = np.array([w[y == k].sum() for k in labels])
    with np.errstate(invalid="ignore"):
        directional = (along / counts[:, None])[~np.eye(K, dtype=bool)].mean()

    def share(chosen):
        if not chosen.any():
            return math.nan
        value = np.average(energy[chosen], weights=w[chosen])
        return value / K if divide else value

    return {
        "nc1_correct": share(right),
        "nc1_wrong": share(~right),
        "nc4_ncc_margin": np.average(ncc, weights=w),
        "nc4_cosine_margin": np.average(cosine, weights=w),
        "nc1_cdnv_directional": directional,
    }, {"nc4_ncc_margin": np.array(ncc), "nc4_cosine_margin": np.array(cosine)}


def weighted_quantile(values, weights, level):
    """Least value with at least that share of the weight at or below it."""
    for value in np.sort(values):
        if weights[values <= value].sum() >= level * weights.sum() * (1 - 1e-14):
            return value
    return values.max()


def check(report, want, rtol=LOOSE):
    for key in KEYS:
        assert report[key] == pytest.approx(want[key], rel=rtol, nan_ok=True), key


@pytest.mark.parametrize("name", NAMES)
def test_loops(name):
    item = toy(name)
    report = analyzer_of(item).fit(item.X, item.y).score(item.X, item.y)
    want, margins = reference(item)
    rtol = 1e-8 if name == "offset_1e4" else 1e-9
    check(report, want, rtol)
    for key, values in margins.items():
        for level in LEVELS:
            direct = weighted_quantile(values, np.ones(len(values)), level)
            assert report.quantiles[key][level] == pytest.approx(direct, rel=rtol)


@pytest.mark.parametrize("preset", ["default", "han2022"])
@pytest.mark.parametrize("name", ["long_tailed", "random_balanced"])
def test_both_parts_make_the_whole(name, preset):
    item = toy(name)
    weights = 0.5 + np.arange(len(item.X)) % 3
    analyzer = analyzer_of(item, convention=preset)
    analyzer.fit(item.X, item.y, sample_weight=weights)
    report = analyzer.score(item.X, item.y, sample_weight=weights)
    right = report.nc4_head_accuracy
    assert 0 < right < 1
    whole = right * report.nc1_correct + (1 - right) * report.nc1_wrong
    assert whole == pytest.approx(report.nc1_pinv, rel=TIGHT)
    options = {"weights": weights, "fit_weights": weights}
    check(report, reference(item, **options, divide=preset == "default")[0])


def test_weights_are_repetitions():
    item = toy("long_tailed")
    repeats = 1 + np.arange(len(item.X)) % 3
    analyzer = analyzer_of(item).fit(item.X, item.y)
    got = analyzer.score(item.X, item.y, sample_weight=repeats.astype(float))
    want = analyzer.score(np.repeat(item.X, repeats, 0), np.repeat(item.y, repeats))
    check(got, want.to_dict(), 1e-12)
    for key, values in want.quantiles.items():
        assert got.quantiles[key] == pytest.approx(values, rel=TIGHT)


def test_samples_of_weight_zero_take_no_part():
    item = toy("random_balanced")
    weights = np.where(np.arange(len(item.X)) % 3, 2.0, 0.0)
    analyzer = analyzer_of(item).fit(item.X, item.y)
    got = analyzer.score(item.X, item.y, sample_weight=weights)
    held = weights > 0
    want = analyzer.score(item.X[held], item.y[held])
    check(got, want.to_dict(), 1e-12)
    for key, values in want.quantiles.items():
        assert got.quantiles[key] == pytest.approx(values, rel=TIGHT)


@given(labelled(), cuts(20))
def test_batches(item, pieces):
    analyzer = analyzer_of(item).fit(item.X, item.y)
    weights = 1.0 + np.arange(len(item.X)) % 4
    whole = analyzer.score(item.X, item.y, sample_weight=weights)
    slices = [*pieces, slice(20, None)]
    batches = [
        (item.X[part], item.y[part], weights[part])
        for part in slices
        if len(item.X[part])
    ]
    parts = analyzer.score_batches(batches)
    for key in KEYS:
        want = pytest.approx(whole[key], rel=CLOSE, abs=1e-14, nan_ok=True)
        assert parts[key] == want, key
    for key, values in whole.quantiles.items():
        assert parts.quantiles[key] == pytest.approx(values, rel=TIGHT, nan_ok=True)


def test_blocks_within_a_batch(monkeypatch):
    item = toy("long_tailed")
    analyzer = analyzer_of(item).fit(item.X, item.y)
    weights = 1.0 + np.arange(len(item.X)) % 4
    whole = analyzer.score(item.X, item.y, sample_weight=weights)
    monkeypatch.setattr("sknc.estimators._scoring.sample_measurer._ELEMENTS", 40)
    parts = analyzer.score(item.X, item.y, sample_weight=weights)
    check(parts, whole.to_dict(), 1e-12)


@pytest.mark.parametrize("name", ["random_balanced", "long_tailed"])
def test_float32(name):
    item = toy(name)
    narrow = dataclasses.replace(item, X=item.X.astype(np.float32))
    report = analyzer_of(narrow).fit(narrow.X, item.y).score(narrow.X, item.y)
    wide = dataclasses.replace(item, X=narrow.X.astype(np.float64))
    check(report, reference(wide)[0], 2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_torch(name, torch):
    item = toy(name)
    X, y = torch.asarray(item.X), torch.asarray(item.y)
    weights = 1.0 + np.arange(len(item.X)) % 4
    want = analyzer_of(item).fit(item.X, item.y)
    want = want.score(item.X, item.y, sample_weight=weights)
    got = analyzer_of(item).fit(X, y).score(X, y, torch.asarray(weights))
    check(got, want.to_dict())
    for key, values in want.quantiles.items():
        assert got.quantiles[key] == pytest.approx(values, rel=LOOSE)


def held_out(item, n_samples, labels, seed=9):
    rng = np.random.default_rng(seed)
    y = rng.choice(labels, n_samples)
    return item.class_means[y] + rng.standard_normal((n_samples, item.X.shape[1])), y


def test_held_out_samples():
    item = toy("random_balanced")
    X, y = held_out(item, 300, np.arange(5))
    report = analyzer_of(item).fit(item.X, item.y).score(X, y)
    check(report, reference(item, X, y)[0])


def test_held_out_samples_without_one_class():
    item = toy("random_balanced")
    X, y = held_out(item, 300, [0, 1, 3, 4])
    report = analyzer_of(item).fit(item.X, item.y).score(X, y)
    want, _ = reference(item, X, y)
    assert math.isnan(want["nc1_cdnv_directional"])
    check(report, want)
    assert "no sample" in report.notes["nc1_cdnv_directional"]


def test_unobserved_classes():
    item = toy("random_balanced")
    # Classes 0, ..., 6 of which 2 and 5 never come; the head has rows for all.
    labels = np.array([0, 1, 3, 4, 6])
    rng = np.random.default_rng(2)
    W, b = rng.standard_normal((7, 7)), rng.standard_normal(7)
    W[labels], b[labels] = item.W, item.b - 0.0
    b[[2, 5]] = -1e9  # never decided for
    y = labels[item.y]
    analyzer = NeuralCollapseAnalyzer((W, b), metrics=WITH_PINV)
    analyzer.partial_fit(item.X, y, classes=np.arange(7))
    report = analyzer.score(item.X, y)
    check(report, reference(item)[0])


# Known answers ---------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 5, 10])
def test_collapse(n_classes):
    item = collapsed(n_classes, 12, scale=3.0)
    report = item.report(metrics=KEYS)
    bound = n_classes / (n_classes - 1)
    assert report.nc4_cosine_margin == pytest.approx(bound, rel=TIGHT)
    half = 3 * math.sqrt(2 * bound) / 2
    assert report.nc4_ncc_margin == pytest.approx(half, rel=TIGHT)
    assert report.nc1_cdnv_directional == pytest.approx(0, abs=1e-28)
    assert report.nc1_correct == pytest.approx(0, abs=1e-28)
    assert math.isnan(report.nc1_wrong)
    assert "every sample" in report.notes["nc1_wrong"]
    for key in ("nc4_cosine_margin", "nc4_ncc_margin"):
        want = dict.fromkeys(LEVELS, report[key])
        assert report.quantiles[key] == pytest.approx(want, rel=TIGHT)


def test_a_head_that_is_always_wrong():
    item = collapsed()
    report = item.report(metrics=KEYS, head=(-item.W, np.zeros(5)))
    assert math.isnan(report.nc1_correct)
    assert "no sample" in report.notes["nc1_correct"]
    # z_y = -1 and the others are 1 / (K - 1).
    assert report.nc4_cosine_margin == pytest.approx(-5 / 4, rel=TIGHT)


def test_a_sample_beyond_the_boundary():
    X = np.array([[1.0, 0], [3.0, 0], [-2.0, 1], [-2.0, -1]])
    y = np.array([0, 0, 1, 1])
    analyzer = NeuralCollapseAnalyzer(metrics=["nc4_ncc_margin"]).fit(X, y)
    report = analyzer.score(np.array([[-1.0, 7.0]]), np.array([0]))
    assert report.nc4_ncc_margin == pytest.approx(-1, rel=1e-14)


def test_margin_ignores_offset_and_follows_scale():
    item = toy("random_balanced")
    plain = analyzer_of(item).fit(item.X, item.y).score(item.X, item.y)
    moved = dataclasses.replace(item, X=8 * item.X + 64, b=item.b)
    far = analyzer_of(moved).fit(moved.X, moved.y).score(moved.X, moved.y)
    ratio = far.nc4_ncc_margin / plain.nc4_ncc_margin
    assert ratio == pytest.approx(8, rel=1e-11)
    for key in ("nc4_cosine_margin", "nc1_cdnv_directional"):
        assert far[key] == pytest.approx(plain[key], rel=CLOSE)


def test_close_centers_keep_their_digits():
    # Two of four centers are 2^-20 apart; all numbers are exact in binary.
    gap = 2.0**-20
    means = np.array([[8.0, 3, 1], [8 + gap, 3, 1], [-8, 5, 2], [0, -9, 4]])
    offsets = np.array([[gap, 1, 0], [-gap, -1, 0], [0, 0, 2], [0, 0, -2]]) / 8
    X, y = (means[:, None] + offsets).reshape(-1, 3), np.repeat(np.arange(4), 4)
    keys = ["nc4_ncc_margin", "nc1_cdnv_directional"]
    report = NeuralCollapseAnalyzer(metrics=keys).fit(X, y).score(X[:8], y[:8])
    # Half the gap, less and more the offsets.
    assert report.nc4_ncc_margin == pytest.approx(gap / 2, rel=LOOSE)
    least = report.quantiles["nc4_ncc_margin"][0.05]
    assert least == pytest.approx(gap * 3 / 8, rel=LOOSE)


def test_directional_is_blind_to_variance_across_the_line():
    means = simplex(3, 5)
    across = np.linalg.svd(means)[2][2:]  # orthogonal to all lines
    y = np.repeat(np.arange(3), 6)
    signs = np.resize([1.0, 1, -1, -1, 1, -1], 18)
    X = means[y] + signs[:, None] * across[np.arange(18) % 3]
    report = NeuralCollapseAnalyzer(metrics="all").fit(X, y).score(X, y)
    assert report.nc1_cdnv_directional < 1e-28
    assert report.nc1_cdnv > 0.1


def test_directional_of_round_classes():
    # Isotropic covariance: 1/D of the plain metric along every line.
    item = around(4 * simplex(4, 8), 4000, 1.0, 3)
    report = item.report(metrics="all")
    assert report.nc1_cdnv_directional == pytest.approx(report.nc1_cdnv / 8, rel=4e-3)


def test_quantiles_of_weights():
    values = np.array([3.0, 1.0, 2.0, 4.0])
    weights = np.array([1.0, 1.0, 5.0, 3.0])
    levels = (0.0, 0.05, 0.1, 0.2, 0.6, 0.65, 0.7, 0.71, 1.0)
    got = margin_quantiles(values, weights, levels)
    want = [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    assert list(got.values()) == want


def test_only_what_was_asked_for():
    item = toy("random_balanced")
    report = item.report(metrics=["nc4_ncc_margin"])
    assert report.keys() == ["nc4_ncc_margin"]
    assert list(report.quantiles) == ["nc4_ncc_margin"]
    without = NeuralCollapseAnalyzer(metrics=KEYS).fit(item.X, item.y)
    assert not {*without.report()} & {*KEYS}
    scored = without.score(item.X, item.y)
    assert set(scored) == {"nc4_ncc_margin", "nc1_cdnv_directional"}


def cosine_margins(X, y, W, center):
    """Return the lead of the own cosine about a center, sample by sample."""
    tilted, leads = W - W.mean(0), []
    for x, label in zip(X, y, strict=True):
        v = x - center
        cosines = [w @ v / math.sqrt((w @ w) * (v @ v)) for w in tilted]
        own = cosines.pop(label)
        leads.append(own - max(cosines))
    return np.array(leads)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("center", ["class", "sample", "none"])
@pytest.mark.parametrize("weighted", [True, False])
def test_cosine_margin_is_about_the_center_of_the_convention(center, weighted, library):
    item = toy("long_tailed")
    fit_weights = 0.5 + np.arange(len(item.X)) % 3 if weighted else np.ones(len(item.X))
    members = [item.y == k for k in np.unique(item.y)]
    about = {
        "class": np.mean(
            [np.average(item.X[m], 0, fit_weights[m]) for m in members], axis=0
        ),
        "sample": np.average(item.X, 0, fit_weights),
        "none": 0.0,
    }
    X, y = held_out(item, 40, np.arange(len(members)))
    want = {name: cosine_margins(X, y, item.W, mean) for name, mean in about.items()}
    assert len({round(values.mean(), 2) for values in want.values()}) == 3
    arrays = item.X, item.y, fit_weights if weighted else None
    samples = X, y
    if library == "torch":
        torch = pytest.importorskip("torch")
        arrays = [None if a is None else torch.asarray(a) for a in arrays]
        samples = torch.asarray(X), torch.asarray(y)
    analyzer = analyzer_of(item, convention=Convention("mine", center=center))
    report = analyzer.fit(*arrays).score(*samples)
    assert report.nc4_cosine_margin == pytest.approx(want[center].mean(), rel=TIGHT)
    for level, found in report.quantiles["nc4_cosine_margin"].items():
        direct = weighted_quantile(want[center], np.ones(len(X)), level)
        assert found == pytest.approx(direct, rel=LOOSE)


def test_other_margins_have_no_center():
    item = toy("long_tailed")
    one = item.report(metrics=KEYS)
    two = item.report(metrics=KEYS, convention=Convention(center="sample"))
    for key in ("nc4_ncc_margin", "nc1_cdnv_directional"):
        assert one[key] == pytest.approx(two[key], rel=1e-14)


def test_no_work_between_classes_where_all_leaves_it_out(monkeypatch):
    keys = ("nc1_cdnv_directional", "nc1_few_shot_bound")
    for key in keys:
        monkeypatch.setitem(TABLE, key, dataclasses.replace(TABLE[key], most_classes=3))
    found = []
    measure = SampleMeasurer.measure

    def spy(self, *args):
        found.append(measure(self, *args))
        return found[-1]

    monkeypatch.setattr(SampleMeasurer, "measure", spy)
    report = toy("random_balanced").report(metrics="all")
    assert not set(keys) & set(report)
    assert found[0].directional is None


@pytest.mark.parametrize("offset", [2.0**20, 2.0**24])
def test_a_common_offset_costs_no_digits(offset):
    # Whole multiples of 2^-28 of small numbers are shifted without error.
    rng = np.random.default_rng(3)
    y, other = np.repeat(np.arange(4), 30), np.repeat(np.arange(4), 8)
    means = rng.standard_normal((4, 6))
    fitted, held_out = (
        np.round((means[k] + rng.standard_normal((len(k), 6))) * 2**8) * 2.0**-28
        for k in (y, other)
    )
    near, far = (
        NeuralCollapseAnalyzer((means, -shift * means.sum(1)), metrics=WITH_PINV)
        .fit(fitted + shift, y)
        .score(held_out + shift, other)
        for shift in (0.0, offset)
    )
    assert near.nc4_head_accuracy == far.nc4_head_accuracy
    check(far, near, rtol=TIGHT)


def test_a_loader_may_reuse_the_memory_of_its_weights():
    item = toy("long_tailed")
    weights = np.random.default_rng(4).uniform(0.5, 2, len(item.X))
    tiles = [slice(i, i + 50) for i in range(0, len(item.X), 50)]

    def loader(memory):
        for tile in tiles:
            part = memory[: len(item.X[tile])]
            part[:] = weights[tile]
            yield item.X[tile], item.y[tile], part

    analyzer = analyzer_of(item).fit(item.X, item.y, weights)
    want = analyzer.score(item.X, item.y, weights)
    check(analyzer.score_batches(loader(np.empty(50))), want, rtol=TIGHT)
