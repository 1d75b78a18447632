"""Correction for the finite number of samples a class, against population values."""

import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tolerances import CLOSE, TIGHT

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.convention import PRESETS, Convention
from sknc.metrics import (
    nc1_cdnv,
    nc1_cdnv_max,
    nc1_cdnv_median,
    nc1_trace_ratio,
    nc1_within_fraction,
)
from sknc.metrics._shared.geometry import between_trace, within_trace

CORRECTED = Convention("corrected", bias_correction=True)
KEYS = (
    "nc1_trace_ratio",
    "nc1_within_fraction",
    "nc1_cdnv",
    "nc1_cdnv_max",
    "nc1_cdnv_median",
)
K, D, N_PER_CLASS = 10, 64, 20


def population():
    """Class means and standard deviations, with trace ratio 4.5 of the population."""
    rng = np.random.default_rng(0)
    means = rng.standard_normal((K, D))
    between = ((means - means.mean(0)) ** 2).sum() / K
    return means * math.sqrt(D / 4.5 / between), np.ones(K)


def draw(means, spreads, counts, rng):
    y = np.repeat(np.arange(len(means)), counts)
    X = means[y] + spreads[y, None] * rng.standard_normal((len(y), means.shape[1]))
    return X, y


def drawn(means, spreads, counts, repetitions, seed=1):
    """Return the statistics of repeated draws."""
    rng = np.random.default_rng(seed)
    samples = (draw(means, spreads, counts, rng) for _ in range(repetitions))
    return [ClassStatistics.from_samples(X, y, covariance=False) for X, y in samples]


def values_of(metrics, statistics):
    """Return the values of functions of statistics, (repetitions, functions)."""
    return np.array([[metric(one) for metric in metrics] for one in statistics])


def measured(n_per_class=N_PER_CLASS, repetitions=100):
    """Return means of plain and corrected values over the population's, by metric."""
    means, spreads = population()
    gaps = ((means[:, None] - means) ** 2).sum(-1)[np.triu_indices(K, 1)]
    truth = {nc1_trace_ratio: 4.5, nc1_cdnv: (D / gaps).mean()}
    found, draws = {}, drawn(means, spreads, n_per_class, repetitions)
    for metric, value in truth.items():
        both = [metric, lambda s, m=metric: m(s, convention=CORRECTED)]
        values = values_of(both, draws)
        found[metric.__name__] = tuple(values.mean(0) / value)
    return found


def test_bias_at_twenty_samples_a_class():
    found = measured()
    plain, corrected = found["nc1_trace_ratio"]
    # 64 (1 - 1/20) / (64/4.5 + 64 (1 - 1/10)/20) of 4.5: 21 % too low.
    assert plain == pytest.approx(0.7901, abs=0.002)
    assert corrected == pytest.approx(1, abs=0.004)
    plain, corrected = found["nc1_cdnv"]
    assert plain == pytest.approx(0.794, abs=0.002)
    assert corrected == pytest.approx(1, abs=0.02)


def test_bias_at_five_samples_a_class():
    plain, corrected = measured(5)["nc1_trace_ratio"]
    assert plain < 0.5
    assert corrected == pytest.approx(1, abs=0.02)


CHOICES = list(itertools.product(("class", "sample", "none"), ("uniform", "frequency")))


def test_presets_are_among_the_choices():
    assert {(p.center, p.between) for p in PRESETS.values()} <= set(CHOICES)


UNEVEN, SPREADS = np.array([2, 3, 5, 12]), np.array([0.5, 2.0, 1.0, 3.0])


@cache
def uneven_draws():
    means = 0.5 * np.random.default_rng(2).standard_normal((4, 6)) + 0.3
    return means, drawn(means, SPREADS, UNEVEN, 2000)


@pytest.mark.parametrize(("center", "between"), CHOICES)
def test_traces_are_unbiased(center, between):
    counts, spreads = UNEVEN, SPREADS
    means, draws = uneven_draws()
    shares = counts / counts.sum()
    weights = {"class": np.full(4, 0.25), "sample": shares, "none": np.zeros(4)}
    middle = weights[center] @ means
    by_class = shares if between == "frequency" else np.full(4, 0.25)
    truth = by_class @ ((means - middle) ** 2).sum(1)
    plain = Convention(center=center, between=between)
    fair = replace(plain, bias_correction=True)
    by_classes = replace(fair, within="class")
    traces = {
        (lambda s: between_trace(s, fair)): truth,
        (lambda s: within_trace(s, fair)): shares @ (6 * spreads**2),
        (lambda s: within_trace(s, by_classes)): (6 * spreads**2).mean(),
        (lambda s: between_trace(s, plain)): truth,
    }
    values = values_of(list(traces), draws)
    error = values.std(0) / math.sqrt(len(values))
    excess = (values.mean(0) - list(traces.values())) / error
    assert abs(excess[:3]).max() < 4
    assert excess[3] > 10  # the plain one is biased


@pytest.mark.parametrize("preset", PRESETS)
def test_formula_of_every_preset(preset):
    counts = np.array([4, 7, 3, 20])
    means = np.random.default_rng(4).standard_normal((4, 3))
    X, y = draw(means, np.ones(4), counts, np.random.default_rng(5))
    convention = replace(PRESETS[preset], bias_correction=True)
    parts = [X[y == k] for k in range(4)]
    centers = np.array([part.mean(0) for part in parts])
    unbiased = np.array([part.var(0, ddof=1).sum() for part in parts])
    noise = unbiased / counts
    shares = counts / counts.sum()
    s = shares if convention.center == "sample" else np.full(4, 0.25)
    w = shares if convention.between == "frequency" else np.full(4, 0.25)
    gaps = centers - s @ centers
    between = w @ (gaps**2).sum(1)
    for k in range(4):
        lever = -np.repeat(s[k], 4)  # of the error of center k in each gap
        lever[k] += 1
        between -= noise[k] * (w @ lever**2)
    within = shares @ unbiased
    statistics = ClassStatistics.from_samples(X, y)
    got = nc1_trace_ratio(statistics, convention=convention)
    assert got == pytest.approx(within / between, rel=TIGHT)
    got = nc1_within_fraction(statistics, convention=convention)
    assert got == pytest.approx(within / (within + between), rel=TIGHT)


def test_survey_forms():
    # Unweighted: minus (1/K)(1 - 1/K) sum of s_k/n_k; weighted: (1/N) sum s_k(1 - p_k).
    counts = np.array([4, 7, 3, 20])
    X, y = draw(np.zeros((4, 3)), np.ones(4), counts, np.random.default_rng(6))
    statistics = ClassStatistics.from_samples(X, y)
    s = np.array([X[y == k].var(0, ddof=1).sum() for k in range(4)])
    p = counts / counts.sum()
    want = {"default": 3 / 16 * (s / counts).sum(), "frequency": s @ (1 - p) / 34}
    for preset, excess in want.items():
        plain = PRESETS[preset]
        fair = replace(plain, bias_correction=True)
        taken = between_trace(statistics, plain) - between_trace(statistics, fair)
        assert taken == pytest.approx(excess, rel=TIGHT)


def test_pairs():
    counts = np.array([4, 7, 3, 20])
    means = 3 * np.random.default_rng(7).standard_normal((4, 3))
    X, y = draw(means, np.ones(4), counts, np.random.default_rng(8))
    centers = np.array([X[y == k].mean(0) for k in range(4)])
    s = np.array([X[y == k].var(0, ddof=1).sum() for k in range(4)])
    values, weights = [], []
    for i, j in itertools.combinations(range(4), 2):
        squared = ((centers[i] - centers[j]) ** 2).sum()
        squared -= s[i] / counts[i] + s[j] / counts[j]
        values.append((s[i] + s[j]) / 2 / squared)
        weights.append(counts[i] * counts[j])
    statistics = ClassStatistics.from_samples(X, y)
    options = {"convention": CORRECTED}
    got = nc1_cdnv(statistics, **options)
    assert got == pytest.approx(np.mean(values), rel=TIGHT)
    got = nc1_cdnv_max(statistics, **options)
    assert got == pytest.approx(max(values), rel=TIGHT)
    got = nc1_cdnv_median(statistics, **options)
    assert got == pytest.approx(np.median(values), rel=TIGHT)
    got = nc1_cdnv(statistics, weights="frequency", **options)
    assert got == pytest.approx(np.average(values, weights=weights), rel=TIGHT)


def test_without_bias_there_is_nothing_to_correct():
    # Many samples a class: both agree to the order of 1/n.
    means, spreads = population()
    X, y = draw(means, spreads, 3000, np.random.default_rng(3))
    statistics = ClassStatistics.from_samples(X, y, covariance=False)
    for metric in (nc1_trace_ratio, nc1_within_fraction, nc1_cdnv):
        plain = metric(statistics)
        corrected = metric(statistics, convention=CORRECTED)
        assert corrected == pytest.approx(plain, rel=2e-3)
        assert corrected != plain


# Nothing left ----------------------------------------------------------------------


def reports_of_noise(repetitions=60):
    rng = np.random.default_rng(11)
    for _ in range(repetitions):
        X, y = draw(np.zeros((5, 8)), np.ones(5), 6, rng)
        analyzer = NeuralCollapseAnalyzer(convention=CORRECTED, metrics=KEYS)
        yield analyzer.fit(X, y).report()


def test_pure_noise_leaves_no_between_class_trace():
    # Plain: (1 - 1/K) D/n = 1.0667.
    traces = [
        lambda s: between_trace(s, PRESETS["default"]),
        lambda s: between_trace(s, CORRECTED),
    ]
    values = values_of(traces, drawn(np.zeros((5, 8)), np.ones(5), 6, 600))
    error = values.std(0) / math.sqrt(len(values))
    assert abs(values[:, 0].mean() - 0.8 * 8 / 6) < 4 * error[0]
    assert abs(values[:, 1].mean()) < 4 * error[1]
    assert error[1] < 0.02
    assert 0.3 < (values[:, 1] < 0).mean() < 0.7


def test_never_silently_negative():
    undefined = 0
    for report in reports_of_noise():
        for key in KEYS:
            if math.isnan(report[key]):
                undefined += 1
                assert "correction for noise" in report.notes[key]
            else:
                assert report[key] >= 0
    assert undefined > 60


def with_a_singleton():
    means = 4 * np.random.default_rng(12).standard_normal((4, 3))
    return draw(means, np.ones(4), [6, 6, 6, 1], np.random.default_rng(13))


@pytest.mark.parametrize("key", KEYS)
def test_a_class_of_one_sample(key):
    X, y = with_a_singleton()
    analyzer = NeuralCollapseAnalyzer(convention=CORRECTED, metrics=[key])
    report = analyzer.fit(X, y).report()
    assert math.isnan(report[key])
    assert "one sample" in report.notes[key]


def test_metrics_of_other_kinds_stay():
    X, y = with_a_singleton()
    keys = ["nc1_pinv", "nc2_etf", "nc2_equinorm", "nc2_cos_std"]
    plain = NeuralCollapseAnalyzer(metrics=keys).fit(X, y).report()
    fair = NeuralCollapseAnalyzer(metrics=keys, convention=CORRECTED).fit(X, y).report()
    assert fair.to_dict() == plain.to_dict()


# Samples about fitted centers --------------------------------------------------------


def test_score_of_the_fitted_samples_is_the_report():
    means, spreads = population()
    X, y = draw(means, spreads, 5, np.random.default_rng(14))
    analyzer = NeuralCollapseAnalyzer(convention=CORRECTED, metrics=KEYS).fit(X, y)
    want, got = analyzer.report(), analyzer.score(X, y)
    assert got.to_dict() == pytest.approx(want.to_dict(), rel=CLOSE)


def test_score_of_held_out_samples_is_unbiased():
    # About centers with errors of their own: s^2 (1 + 1/n) without a correction.
    means, spreads = population()
    rng, values = np.random.default_rng(15), []
    for _ in range(40):
        analyzer = NeuralCollapseAnalyzer(
            convention=CORRECTED, metrics=["nc1_trace_ratio"]
        )
        analyzer.fit(*draw(means, spreads, 5, rng))
        values.append(analyzer.score(*draw(means, spreads, 50, rng)).nc1_trace_ratio)
    assert np.mean(values) == pytest.approx(4.5, rel=0.01)


def test_torch(torch):
    means, spreads = population()
    X, y = draw(means, spreads, 20, np.random.default_rng(16))
    one = ClassStatistics.from_samples(X, y)
    two = ClassStatistics.from_samples(torch.asarray(X), torch.asarray(y))
    for preset in PRESETS.values():
        fair = replace(preset, bias_correction=True)
        for metric in (nc1_trace_ratio, nc1_cdnv, nc1_cdnv_median, nc1_cdnv_max):
            want = metric(one, convention=fair)
            assert metric(two, convention=fair) == pytest.approx(want, rel=CLOSE)
