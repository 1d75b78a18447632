"""More NC1: linear discriminants, logarithms, and pairs of classes."""

import itertools
import math
import warnings

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tolerances import CLOSE, LOOSE, SINGLE, TIGHT
from toys import collapsed, toy

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.metrics import (
    nc1_cdnv,
    nc1_cdnv_max,
    nc1_cdnv_median,
    nc1_fuzziness,
    nc1_pinv,
    nc1_vci,
    nc1_vci_adjusted,
    separability,
)

NAMES = ("random_balanced", "long_tailed", "two_classes", "more_classes_imbalanced")
PAIRS = (nc1_cdnv, nc1_cdnv_median, nc1_cdnv_max)
EVERY = (*PAIRS, nc1_vci, nc1_vci_adjusted, nc1_fuzziness)


def fit(item, **options):
    return ClassStatistics.from_samples(item.X, item.y, **options)


def groups(X, y):
    return [X[y == k] for k in np.unique(y)]


def exact_vci(X, y):
    """One minus Pillai's trace over the rank, in 40 digits, by linear solves."""
    with mp.workdps(40):
        D, N = X.shape[1], len(X)
        parts = [
            [list(map(mp.mpf, map(float, row))) for row in g] for g in groups(X, y)
        ]
        rows = [row for part in parts for row in part]
        mean = [mp.fsum(column) / N for column in zip(*rows, strict=True)]
        total, between = mp.matrix(D, D), mp.matrix(D, D)
        for row in rows:
            gap = [a - b for a, b in zip(row, mean, strict=True)]
            for i, j in itertools.product(range(D), repeat=2):
                total[i, j] += gap[i] * gap[j]
        for part in parts:
            center = [mp.fsum(column) / len(part) for column in zip(*part, strict=True)]
            gap = [a - b for a, b in zip(center, mean, strict=True)]
            for i, j in itertools.product(range(D), repeat=2):
                between[i, j] += len(part) * gap[i] * gap[j]
        pillai = sum(
            mp.lu_solve(total, between[:, j])[j] for j in range(D)
        )  # tr(T^-1 B)
        return float(1 - pillai / min(len(parts) - 1, D))


def cdnv_values(X, y):
    """Value of each pair of classes, by a loop in 40 digits."""
    values = {}
    with mp.workdps(40):
        parts = groups(X, y)
        centers, variances = [], []
        for part in parts:
            rows = [list(map(mp.mpf, map(float, row))) for row in part]
            mean = [mp.fsum(column) / len(rows) for column in zip(*rows, strict=True)]
            gaps = [
                (a - m) ** 2 for row in rows for a, m in zip(row, mean, strict=True)
            ]
            centers.append(mean)
            variances.append(mp.fsum(gaps) / len(rows))
        for i, j in itertools.combinations(range(len(parts)), 2):
            squared = mp.fsum(
                (a - b) ** 2 for a, b in zip(centers[i], centers[j], strict=True)
            )
            values[i, j] = ((variances[i] + variances[j]) / 2, squared)
    return values


def ratios(X, y):
    return sorted(float(v / d) for v, d in cdnv_values(X, y).values())


# Known answers ---------------------------------------------------------------------


def test_collapse():
    statistics = fit(collapsed())
    assert nc1_vci(statistics) == pytest.approx(0, abs=1e-13)
    assert nc1_vci_adjusted(statistics) == pytest.approx(0, abs=1e-13)
    assert nc1_fuzziness(statistics) == -math.inf
    assert [metric(statistics) for metric in PAIRS] == [0, 0, 0]


def test_three_classes_on_a_line():
    # Variances 1, 4, 9; means 0, 10, 30; values 2.5/100, 6.5/400, 5/900.
    X = np.array([-1.0, 1, 8, 12, 27, 33])[:, None]
    statistics = ClassStatistics.from_samples(X, np.repeat([0, 1, 2], 2))
    assert nc1_cdnv_max(statistics) == pytest.approx(2.5 / 100, rel=1e-14)
    assert nc1_cdnv_median(statistics) == pytest.approx(6.5 / 400, rel=1e-14)
    squared = 2.5 / 100**2 + 6.5 / 400**2 + 5 / 900**2
    got = nc1_cdnv(statistics, power=2)
    assert got == pytest.approx(squared / 3, rel=1e-13)
    # Variances 14/3 within and 1400/9 between: VCI is the share within.
    vci = (14 / 3) / (14 / 3 + 1400 / 9)
    assert nc1_vci(statistics) == pytest.approx(vci, rel=1e-13)
    assert nc1_vci_adjusted(statistics) == pytest.approx(vci / (1 - 2 / 5), rel=1e-13)
    assert nc1_fuzziness(statistics) == pytest.approx(math.log(42 / 1400), rel=1e-13)


def test_weights_of_pairs():
    # Pairs (0,1), (0,2), (1,2) have weights 2*4, 2*6, 4*6 over 44.
    X = np.array([-1.0, 1, 9, 9, 11, 11, 29, 29, 29, 31, 31, 31])[:, None]
    statistics = ClassStatistics.from_samples(X, np.repeat([0, 1, 2], [2, 4, 6]))
    want = (8 / 100 + 12 / 900 + 24 / 400) / 44
    assert nc1_cdnv(statistics, weights="frequency") == pytest.approx(want, rel=1e-13)


# Independent loops -----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_vci_by_linear_solves(name):
    item = toy(name)
    statistics = fit(item)
    want = exact_vci(item.X, item.y)
    assert nc1_vci(statistics) == pytest.approx(want, rel=LOOSE)
    K, D, N = len(item.W), item.X.shape[1], len(item.X)
    adjusted = want / (1 - max(D, K - 1) / (N - 1))
    assert nc1_vci_adjusted(statistics) == pytest.approx(adjusted, rel=LOOSE)


@pytest.mark.parametrize("name", NAMES)
def test_pairs_by_loops(name):
    item = toy(name)
    statistics, values = fit(item), ratios(item.X, item.y)
    middle = np.median(values)
    assert nc1_cdnv_median(statistics) == pytest.approx(middle, rel=LOOSE)
    assert nc1_cdnv_max(statistics) == pytest.approx(values[-1], rel=LOOSE)
    counts = [len(part) for part in groups(item.X, item.y)]
    for power, weighting in itertools.product(
        (0.5, 1.0, 2.0), ("uniform", "frequency")
    ):
        total = weight = 0.0
        for (i, j), (spread, squared) in cdnv_values(item.X, item.y).items():
            share = counts[i] * counts[j] if weighting == "frequency" else 1
            total += share * float(spread) / float(squared) ** power
            weight += share
        got = nc1_cdnv(statistics, power=power, weights=weighting)
        assert got == pytest.approx(total / weight, rel=LOOSE)


@pytest.mark.parametrize("preset", ["default", "han2022", "frequency", "he_su2023"])
def test_fuzziness_by_a_pseudo_inverse(preset):
    item = toy("long_tailed")
    parts = groups(item.X, item.y)
    counts = np.array([len(part) for part in parts])
    means = np.array([part.mean(0) for part in parts])
    within = sum((p - p.mean(0)).T @ (p - p.mean(0)) for p in parts) / len(item.X)
    shares = np.full(5, 0.2)
    if preset in ("frequency", "he_su2023"):
        shares = counts / counts.sum()
    gaps = means - shares @ means
    between = (gaps * shares[:, None]).T @ gaps
    want = math.log(np.trace(within @ np.linalg.pinv(between, rcond=1e-10)))
    got = nc1_fuzziness(fit(item), convention=preset)
    assert got == pytest.approx(want, rel=LOOSE)
    # On samples about the centers it comes from a second pass.
    for covariance in (True, False):
        options = {"metrics": ["nc1_fuzziness"], "covariance": covariance}
        report = item.report(convention=preset, **options)
        assert report.nc1_fuzziness == pytest.approx(want, rel=LOOSE)


@given(labelled(max_features=5))
def test_generated(item):
    values = ratios(item.X, item.y)
    statistics = fit(item)
    assert nc1_cdnv_max(statistics) == pytest.approx(values[-1], rel=1e-8)
    median = np.median(values)
    assert nc1_cdnv_median(statistics) == pytest.approx(median, rel=1e-8)
    assert nc1_cdnv_median(statistics) <= nc1_cdnv_max(statistics)
    vci = nc1_vci(statistics)
    if len(item.X) - 1 <= item.X.shape[1]:
        assert math.isnan(vci)
    else:
        assert vci == pytest.approx(exact_vci(item.X, item.y), rel=SINGLE, abs=TIGHT)
        assert 0 <= vci <= 1


# The median of many pairs ----------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*NAMES, "more_classes_than_dimensions", "identical_means", "exact_simplex"]
)
def test_median_without_keeping_the_values(name, monkeypatch):
    statistics = fit(toy(name))
    want = nc1_cdnv_median(statistics)
    monkeypatch.setattr(separability, "_COLLECTED", 0)
    got = nc1_cdnv_median(statistics)
    assert got == want or got == pytest.approx(want, rel=1e-15)


@given(labelled())
def test_median_by_bits(item):
    statistics = fit(item)
    want = nc1_cdnv_median(statistics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separability, "_COLLECTED", 0)
        assert nc1_cdnv_median(statistics) == pytest.approx(want, rel=1e-15)


def test_median_by_bits_in_several_tiles(monkeypatch):
    # 700 classes are two tiles of rows: pairs within and between tiles.
    rng = np.random.default_rng(3)
    means = rng.standard_normal((700, 3))
    y = np.repeat(np.arange(700), 2)
    X = means[y] + 0.1 * rng.standard_normal((1400, 3))
    statistics = ClassStatistics.from_samples(X, y)
    centers = X.reshape(700, 2, 3).mean(1)
    spread = ((X[::2] - X[1::2]) ** 2).sum(1) / 4
    i, j = np.triu_indices(700, 1)
    gaps = ((centers[i] - centers[j]) ** 2).sum(1)
    values = (spread[i] + spread[j]) / (2 * gaps)
    assert nc1_cdnv_median(statistics) == pytest.approx(np.median(values), rel=LOOSE)
    monkeypatch.setattr(separability, "_COLLECTED", 0)
    assert nc1_cdnv_median(statistics) == pytest.approx(np.median(values), rel=LOOSE)
    assert nc1_cdnv_max(statistics) == pytest.approx(values.max(), rel=LOOSE)


# Invariances -----------------------------------------------------------------------


@given(labelled(), seeds, st.floats(-20, 20), st.sampled_from([0.125, 7.0]))
def test_shifts_rotations_and_scaling(item, seed, shift, factor):
    turn = factor * rotations(item.X.shape[1], seed)
    moved = ClassStatistics.from_samples((item.X + shift) @ turn, item.y)
    statistics = fit(item)
    for metric in EVERY:
        want = metric(statistics)
        got = metric(moved)
        assert got == pytest.approx(want, rel=SINGLE, abs=LOOSE, nan_ok=True), metric
    want = nc1_cdnv(statistics, weights="frequency")
    assert nc1_cdnv(moved, weights="frequency") == pytest.approx(want, rel=SINGLE)
    want = nc1_cdnv(statistics, power=2) / factor**2
    assert nc1_cdnv(moved, power=2) == pytest.approx(want, rel=SINGLE)


@given(labelled(), seeds, st.floats(-5, 5))
def test_vci_under_invertible_linear_maps(item, seed, shift):
    D = item.X.shape[1]
    assume(len(item.X) - 1 > D)
    stretch = np.diag(np.geomspace(0.1, 3.0, D))
    linear = rotations(D, seed) @ stretch @ rotations(D, seed + 1)
    want = nc1_vci(fit(item))
    moved = ClassStatistics.from_samples((item.X + shift) @ linear, item.y)
    assert nc1_vci(moved) == pytest.approx(want, rel=SINGLE, abs=CLOSE)
    scatterless = fit(item, covariance=False)
    assert math.isnan(nc1_vci(scatterless))


def test_nc1_pinv_is_not_invariant_where_vci_is():
    item = toy("random_balanced")
    linear = np.random.default_rng(1).standard_normal((7, 7))
    moved = ClassStatistics.from_samples(item.X @ linear, item.y)
    assert nc1_vci(moved) == pytest.approx(nc1_vci(fit(item)), rel=LOOSE)
    assert nc1_pinv(moved) != pytest.approx(nc1_pinv(fit(item)), rel=1e-2)


# Undefined -------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [9, 10, 11, 12])
def test_vci_needs_more_samples_than_features(n_samples):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_samples, 10)), np.arange(n_samples) % 3
    analyzer = NeuralCollapseAnalyzer(metrics=["nc1_vci", "nc1_vci_adjusted"])
    report = analyzer.fit(X, y).report()
    undefined = n_samples - 1 <= 10
    assert math.isnan(report.nc1_vci) == undefined
    assert math.isnan(report.nc1_vci_adjusted) == undefined
    for key in report:
        assert ("more samples than features" in report.notes.get(key, "")) == undefined


def test_vci_of_coinciding_means():
    X = np.array([[1.0], [-1], [2], [-2], [3], [-3]])
    report = (
        NeuralCollapseAnalyzer(metrics=["nc1_vci"])
        .fit(X, np.repeat([0, 1, 2], 2))
        .report()
    )
    assert math.isnan(report.nc1_vci)
    assert "rank" in report.notes["nc1_vci"]


def test_vci_of_classes_of_one_sample_is_no_collapse():
    # No class has two samples, so no variance within classes can be seen.
    X = np.random.default_rng(0).standard_normal((50, 5))
    statistics = ClassStatistics.from_samples(X, np.arange(50))
    assert math.isnan(nc1_pinv(statistics))
    assert math.isnan(nc1_vci_adjusted(statistics))
    assert math.isnan(nc1_vci(statistics))


def test_fuzziness_undefined_and_infinite():
    item = collapsed()
    report = item.report(metrics=["nc1_fuzziness"])
    assert report.nc1_fuzziness == -math.inf
    assert "nothing varies" in report.notes["nc1_fuzziness"]
    X, y = np.array([[1.0], [-1], [2], [-2]]), np.repeat([0, 1], 2)
    report = NeuralCollapseAnalyzer(metrics=["nc1_fuzziness"]).fit(X, y).report()
    assert math.isnan(report.nc1_fuzziness)
    assert report.notes["nc1_fuzziness"].startswith("Undefined")


def test_coinciding_means():
    statistics = fit(toy("identical_means"))
    assert nc1_cdnv_max(statistics) == math.inf
    assert math.isfinite(nc1_cdnv_median(statistics))  # one pair of six


@pytest.mark.parametrize("options", [{"power": 2.0}, {"weights": "frequency"}])
def test_coinciding_means_with_options(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nc1_cdnv(fit(toy("identical_means")), **options) == math.inf


def test_unknown_weights():
    with pytest.raises(ValueError, match="weights"):
        nc1_cdnv(fit(toy("random_balanced")), weights="counts")


@pytest.mark.parametrize("metric", EVERY)
def test_one_class(metric):
    X = np.random.default_rng(0).standard_normal((6, 2))
    statistics = ClassStatistics.from_samples(X, np.zeros(6, int))
    with pytest.raises(ValueError, match="2 classes"):
        metric(statistics)


# Noise -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("N", "D", "K"),
    [
        (60, 10, 4),
        pytest.param(60, 3, 15, marks=pytest.mark.slow),
        pytest.param(40, 5, 5, marks=pytest.mark.slow),
    ],
)
def test_mean_of_vci_for_noise(N, D, K):
    rng = np.random.default_rng(N + D)
    y = np.arange(N) % K
    values, adjusted = [], []
    for _ in range(300):
        statistics = ClassStatistics.from_samples(rng.standard_normal((N, D)), y)
        values.append(nc1_vci(statistics))
        adjusted.append(nc1_vci_adjusted(statistics))
    want = 1 - max(D, K - 1) / (N - 1)
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values) - want) < 4 * error
    assert error < 0.01 * want
    assert np.mean(adjusted) == pytest.approx(1, abs=4 * error / want)


# Libraries -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_torch(name, torch, monkeypatch):
    item = toy(name)
    other = ClassStatistics.from_samples(torch.asarray(item.X), torch.asarray(item.y))
    for metric in EVERY:
        got, want = metric(other), metric(fit(item))
        assert isinstance(got, float)
        assert got == pytest.approx(want, rel=LOOSE)
    for options in ({"power": 2.0}, {"weights": "frequency"}):
        want = nc1_cdnv(fit(item), **options)
        assert nc1_cdnv(other, **options) == pytest.approx(want, rel=LOOSE)
    monkeypatch.setattr(separability, "_COLLECTED", 0)
    want = np.median(ratios(item.X, item.y))
    assert nc1_cdnv_median(other) == pytest.approx(want, rel=LOOSE)
