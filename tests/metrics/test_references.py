"""Each headline metric equals an independent reference in 50 digits."""

from functools import cache

import numpy as np
import pytest
from references import HEADLINE, PRESETS, Choices, Reference, disagreements
from tables import each
from tolerances import CLOSE, TIGHT
from toys import BUILDERS, toy

import sknc.convention
from sknc import Convention, NeuralCollapseAnalyzer

CUSTOM = {
    "class_covariances": (
        Convention(within="class"),
        Choices(within="class"),
    ),
    "uncentered": (Convention(center="none"), Choices(center="none")),
    "uncentered_frequency": (
        Convention(center="none", between="frequency", within="class"),
        Choices(center="none", between="frequency", within="class"),
    ),
}


@cache
def of_default(name):
    item = toy(name)
    return Reference(item.X, item.y, item.W, item.b)


@cache
def reference(name, choices):
    return of_default(name).choosing(choices)


@cache
def exact_metrics(name, choices):
    return reference(name, choices).metrics()


@cache
def of_weighted_samples():
    """Return samples, their weights, and the reference of both."""
    item = toy("long_tailed")
    weights = np.random.default_rng(0).uniform(0.1, 3, len(item.y))
    exact = Reference(item.X, item.y, item.W, item.b, weights=weights)
    return item, weights, exact


def scale(item):
    """Natural scale of the logits."""
    return np.linalg.norm(item.W) * np.abs(item.X).max() + np.linalg.norm(item.b)


def test_references_have_every_preset():
    assert list(PRESETS) == list(sknc.convention.PRESETS)


def keys(item):
    return [key for key in HEADLINE if not (item.ties and key.startswith("nc4_"))]


@pytest.mark.parametrize("name", BUILDERS)
@each("preset", PRESETS)
def test_score_and_report_equal_reference(name, preset):
    item = toy(name)
    want = exact_metrics(name, PRESETS[preset])
    got = item.report(convention=preset)
    assert set(want) == set(HEADLINE) == set(got.keys())
    assert not disagreements(got, want, scale=scale(item), keys=keys(item))
    got = item.analyzer(convention=preset).report()
    held = [key for key in HEADLINE if key in got]
    assert not disagreements(got, want, scale=scale(item), keys=held)
    missing = set(HEADLINE) - set(held)
    assert missing == {"nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy"}


@pytest.mark.parametrize("custom", CUSTOM)
@pytest.mark.parametrize(
    "name", ["random_balanced", "long_tailed", "more_classes_imbalanced", "two_classes"]
)
def test_custom_conventions(name, custom):
    item = toy(name)
    convention, choices = CUSTOM[custom]
    want = exact_metrics(name, choices)
    got = item.report(convention=convention)
    assert not disagreements(got, want, scale=scale(item), keys=keys(item))


@pytest.mark.parametrize("name", BUILDERS)
@each("preset", ["default", "zhu2021", "frequency"])
def test_rank_and_condition(name, preset):
    report = toy(name).report(convention=preset)
    rank, condition = reference(name, PRESETS[preset]).rank_and_condition()
    assert report.rank == rank
    assert report.condition == pytest.approx(condition, rel=CLOSE)


@pytest.mark.parametrize("preset", PRESETS)
def test_weighted_samples_equal_reference(preset):
    item, weights, exact = of_weighted_samples()
    want = exact.choosing(PRESETS[preset]).metrics()
    analyzer = NeuralCollapseAnalyzer(item.head, convention=preset)
    analyzer.fit(item.X, item.y, weights)
    got = analyzer.score(item.X, item.y, weights)
    assert not disagreements(got, want, scale=scale(item))


@pytest.mark.parametrize("name", ["random_balanced", "noisy_simplex", "square"])
def test_presets_agree_on_balanced_data(name):
    reports = {preset: toy(name).report(convention=preset) for preset in PRESETS}
    base = reports["default"].to_dict()
    for preset, report in reports.items():
        values = report.to_dict()
        if not PRESETS[preset].divide:
            values["nc1_pinv"] /= report.n_classes
        if PRESETS[preset].squared:
            values["nc3_self_duality"] **= 0.5
        assert not disagreements(values, base, rtol=TIGHT)


def test_presets_differ_on_imbalanced_data():
    item = toy("long_tailed")
    pairs = [("default", "zhu2021"), ("zhu2021", "frequency"), ("default", "frequency")]
    for one, other in pairs:
        a, b = (item.report(convention=preset) for preset in (one, other))
        assert abs(a.nc1_pinv / b.nc1_pinv - 1) > 0.01


@pytest.mark.parametrize("name", ["random_balanced", "long_tailed", "labels_strings"])
def test_per_class_columns(name):
    item = toy(name)
    exact = reference(name, Choices())
    report = item.report()
    table = report.per_class
    assert table["label"].tolist() == sorted(set(item.y.tolist()))
    assert table["count"].tolist() == [float(n) for n in exact.n]
    np.testing.assert_allclose(table["variance"], [float(v) for v in exact.var], 1e-10)
    norms = np.linalg.norm(np.array(exact.centered, float), axis=1)
    np.testing.assert_allclose(table["mean_norm"], norms, 1e-10)
    assert table["nc1_pinv"].sum() == pytest.approx(report.nc1_pinv, rel=TIGHT)
    assert 1 - table["head_cosine"].mean() == pytest.approx(
        report.nc3_cosine, rel=CLOSE
    )
    share = table["count"] / table["count"].sum()
    for column, key in (
        ("ncc_recall", "nc4_ncc_accuracy"),
        ("head_recall", "nc4_head_accuracy"),
        ("mismatch", "nc4_mismatch"),
    ):
        assert share @ table[column] == pytest.approx(report[key], rel=TIGHT)


def test_the_score_is_one_minus_the_within_fraction():
    for name in BUILDERS:
        report = toy(name).report()
        assert float(report) == 1 - report.nc1_within_fraction
