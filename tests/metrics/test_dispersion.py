"""GNC2: energies, dispersions and the margin of directions."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import labelled, rotations, seeds
from tolerances import CLOSE, LOOSE, SINGLE, TIGHT
from toys import SQUARE, plus_minus_pairs, simplex, toy
from vectors import (
    UNCENTERED,
    distance_from_hull,
    exact_energies,
    margin_bounds,
    of_means,
    polygon,
    random_rows,
)

from sknc import ClassStatistics
from sknc.head import LinearHead
from sknc.metrics import dispersion, margin
from sknc.metrics._shared import frames, pairs

FUNCTIONS = {
    name: getattr(dispersion, name)
    for name in (
        "gnc2_energy_log",
        "gnc2_dispersion_log",
        "gnc2_energy_riesz",
        "gnc2_dispersion_distance",
    )
}
ALL = FUNCTIONS | {"gnc2_margin": margin.gnc2_margin}
NEAR = {"rel": 1e-12, "abs": 1e-15}


# Energies and dispersions ----------------------------------------------------------


def test_square_in_the_plane():
    log2 = math.log(2)
    want = {
        "gnc2_energy_log": -2 / 3 * log2,
        "gnc2_dispersion_log": log2**2 / 18,
        "gnc2_energy_riesz": (4 / math.sqrt(2) + 1) / 6,
        "gnc2_dispersion_distance": 2 / 9 * (2 - math.sqrt(2)) ** 2,
        "gnc2_margin": 1,
    }
    for key, value in want.items():
        assert ALL[key](of_means(SQUARE)) == pytest.approx(value, **NEAR), key


@pytest.mark.parametrize(
    ("n_classes", "n_features"), [(2, 3), (5, 8), (9, 9), (30, 64)]
)
def test_exact_simplex(n_classes, n_features):
    statistics = of_means(3 * simplex(n_classes, n_features))
    squared = 2 * n_classes / (n_classes - 1)
    got = {key: function(statistics) for key, function in FUNCTIONS.items()}
    assert got["gnc2_energy_log"] == pytest.approx(-math.log(squared) / 2, **NEAR)
    assert got["gnc2_energy_riesz"] == pytest.approx(squared**-0.5, **NEAR)
    assert got["gnc2_dispersion_log"] == pytest.approx(0, abs=1e-29)
    assert got["gnc2_dispersion_distance"] == pytest.approx(0, abs=1e-29)
    for power in (0.5, 2, 3.7):
        energy = dispersion.gnc2_energy_riesz(statistics, power=power)
        assert energy == pytest.approx(squared ** (-power / 2), **NEAR)


@pytest.mark.parametrize(
    ("n_classes", "n_features"), [(2, 1), (2, 4), (5, 9), (6, 2), (15, 4)]
)
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_equals_exact_energies(n_classes, n_features, power):
    rows = random_rows(n_classes, n_features, 0.5)
    if n_features == 1:
        rows[0], rows[1] = 1.5, -0.5
    statistics = of_means(rows)
    for convention, vectors in (
        ("default", rows - rows.mean(0)),
        (UNCENTERED, rows),
    ):
        want = exact_energies(vectors, power)
        for key, function in FUNCTIONS.items():
            options = {"power": power} if key == "gnc2_energy_riesz" else {}
            got = function(statistics, convention=convention, **options)
            assert got == pytest.approx(want[key], rel=CLOSE, abs=1e-28), key


def test_sample_mean_as_center():
    item = toy("long_tailed")
    statistics = ClassStatistics.from_samples(item.X, item.y)
    want = exact_energies(np.asarray(statistics.class_means) - item.X.mean(0))
    for key, function in FUNCTIONS.items():
        got = function(statistics, convention="zhu2021")
        assert got == pytest.approx(want[key], rel=CLOSE), key


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_close_directions_keep_their_digits(angle):
    # Close pairs far apart in the order of rows, and of other lengths.
    rows = np.array([[3.0, 0, 0], [0, 0, 1], [math.cos(angle), math.sin(angle), 0]])
    want = exact_energies(rows, 2.0)
    got = pairs.summarize_directions(rows, power=2.0)
    assert got.distance.least == pytest.approx(2 * math.sin(angle / 2), rel=LOOSE)
    assert got.log_energy.mean == pytest.approx(want["gnc2_energy_log"], rel=CLOSE)
    assert got.riesz_energy.mean == pytest.approx(want["gnc2_energy_riesz"], rel=LOOSE)
    naive = 2 - 2 * math.cos(1e-6)  # what the inner product would give
    assert abs(naive / 1e-12 - 1) > 1e-5


def test_coinciding_directions():
    rows = [[1.0, 2, 0], [2, 4, 0], [0, -6, 0], [0, 0, 5]]
    statistics = of_means(rows)
    got = {k: f(statistics, convention=UNCENTERED) for k, f in FUNCTIONS.items()}
    assert got["gnc2_energy_log"] == got["gnc2_energy_riesz"] == math.inf
    assert math.isnan(got["gnc2_dispersion_log"])
    assert 0 < got["gnc2_dispersion_distance"] < 1
    assert margin.gnc2_margin(statistics, convention=UNCENTERED) == 0


def test_means_that_coincide_up_to_rounding():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((400, 6)), rng.standard_normal((400, 6)) + 2
    X = np.concatenate([one, rng.permutation(one), other])
    statistics = ClassStatistics.from_samples(X, np.repeat([0, 1, 2], 400))
    assert dispersion.gnc2_energy_log(statistics) == math.inf


@pytest.mark.parametrize("place", [0, 3, 700])
def test_a_row_without_direction(place):
    rows = random_rows(1100, 3)
    rows[place] = 0
    got = pairs.summarize_directions(rows)
    for summary in (got.distance, got.log_energy, got.riesz_energy):
        assert math.isnan(summary.mean)
        assert math.isnan(summary.population_variance)
        assert math.isnan(summary.least)
        assert math.isnan(summary.greatest)
    assert math.isnan(margin.one_vs_rest_margin(rows))


def test_a_class_mean_at_the_global_mean():
    statistics = of_means([[2.0, 0], [-2, 0], [0, 0]])
    for key, function in ALL.items():
        assert math.isnan(function(statistics)), key


def test_all_means_coincide():
    statistics = of_means(np.ones((4, 3)))
    for key, function in ALL.items():
        assert math.isnan(function(statistics)), key


def test_large_powers_overflow_quietly():
    rows = np.array([[1.0, 0], [1, 1e-7], [0, 1]])
    got = dispersion.gnc2_energy_riesz(of_means(rows), convention=UNCENTERED, power=60)
    assert got == math.inf


@pytest.mark.parametrize("power", [0, -1, math.nan])
def test_power_must_be_positive(power):
    with pytest.raises(ValueError, match="power must be a positive number, got"):
        dispersion.gnc2_energy_riesz(of_means(SQUARE), power=power)


@pytest.mark.parametrize("key", ALL)
def test_one_class_is_refused(key):
    with pytest.raises(ValueError, match="at least 2 classes"):
        ALL[key](of_means([[1.0, 2.0]]))


def test_one_sweep_gives_all_of_them(monkeypatch):
    calls = []
    sweep = frames.summarize_directions

    def counted(*args):
        calls.append(args)
        return sweep(*args)

    monkeypatch.setattr(frames, "summarize_directions", counted)
    statistics = of_means(random_rows(9, 4))
    for function in FUNCTIONS.values():
        function(statistics)
    assert len(calls) == 1
    dispersion.gnc2_energy_riesz(statistics, power=2)
    assert len(calls) == 2


def test_many_tiles_equal_one_block():
    rows = random_rows(1300, 6)
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    upper = np.triu_indices(1300, 1)
    distances = np.sqrt(((unit[upper[0]] - unit[upper[1]]) ** 2).sum(1))
    got = pairs.summarize_directions(rows)
    assert got.distance.count == len(distances)
    assert got.distance.least == pytest.approx(distances.min(), rel=LOOSE)
    assert got.distance.population_variance == pytest.approx(distances.var(), rel=CLOSE)
    assert got.log_energy.mean == pytest.approx(-np.log(distances).mean(), rel=CLOSE)
    variance = np.log(distances).var()
    assert got.log_energy.population_variance == pytest.approx(variance, rel=CLOSE)
    assert got.riesz_energy.mean == pytest.approx((1 / distances).mean(), rel=CLOSE)


def test_memory_does_not_grow_with_the_square_of_classes():
    rows = random_rows(3000, 16)
    tracemalloc.start()
    pairs.summarize_directions(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25e6  # all pairs at once would take 36 MB, and each value of theirs


def test_head_directions_are_those_of_its_rows():
    rows = random_rows(7, 3)
    head = LinearHead(rows, None)
    got = frames.directions_of(head, "default")
    want = exact_energies(rows)["gnc2_energy_log"]
    assert got.log_energy.mean == pytest.approx(want, rel=CLOSE)
    assert frames.directions_of(head, "default") is got


# The margin ----------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 5, 10, 50])
def test_margin_of_a_simplex(n_classes):
    got = margin.gnc2_margin(of_means(2 * simplex(n_classes, n_classes + 3)))
    assert got == pytest.approx(n_classes / (n_classes - 1), **NEAR)


@pytest.mark.parametrize("n_classes", [3, 4, 5, 7, 12, 31])
def test_margin_of_a_regular_polygon(n_classes):
    got = margin.gnc2_margin(of_means(polygon(n_classes)))
    assert got == pytest.approx(1 - math.cos(2 * math.pi / n_classes), rel=1e-11)


@pytest.mark.parametrize("n_features", [2, 3, 6])
def test_margin_of_a_cross_polytope(n_features):
    rows = np.concatenate([np.eye(n_features), -np.eye(n_features)])
    assert margin.gnc2_margin(of_means(rows)) == pytest.approx(1, **NEAR)


def test_margin_of_plus_minus_pairs():
    rows = plus_minus_pairs()
    got = margin.gnc2_margin(of_means(rows))
    assert 0 < got < 1
    # The rows are of unit length.
    assert got == pytest.approx(margin_bounds(rows)[1], rel=SINGLE)


@pytest.mark.parametrize(("n_classes", "n_features"), [(4, 7), (6, 3), (12, 4), (9, 2)])
def test_margin_lies_between_the_bounds_of_a_general_solver(n_classes, n_features):
    rows = random_rows(n_classes, n_features)
    rows -= rows.mean(0)
    lower, upper = margin_bounds(rows)
    got = margin.gnc2_margin(of_means(rows))
    assert lower - 1e-12 <= got <= upper + 1e-12
    assert upper - lower < 1e-5


def test_margin_skips_only_classes_that_cannot_be_the_least():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((10, 4))
        unit = rows / np.linalg.norm(rows, axis=1)[:, None]
        every = [distance_from_hull(unit[k], np.delete(unit, k, 0)) for k in range(10)]
        assert margin.one_vs_rest_margin(rows) == pytest.approx(min(every), rel=TIGHT)


def test_margin_of_close_directions_keeps_its_digits():
    angle = 1e-7
    rows = [[1.0, 0, 0], [math.cos(angle), math.sin(angle), 0], [-1, 0, 1], [-1, 0, -1]]
    got = margin.one_vs_rest_margin(np.array(rows))
    assert got == pytest.approx(angle, rel=1e-7)


def test_margin_is_nan_if_the_solver_gives_up(monkeypatch):
    def give_up(*args, **options):
        raise RuntimeError

    monkeypatch.setattr(margin.optimize, "nnls", give_up)
    assert math.isnan(margin.gnc2_margin(of_means(SQUARE)))


# Invariances ------------------------------------------------------------------------


def values(X, y):
    statistics = ClassStatistics.from_samples(X, np.asarray(y))
    return {key: function(statistics) for key, function in ALL.items()}


def assert_same(got, want, rel=1e-7, abs=CLOSE):
    assert got == pytest.approx(want, rel=rel, abs=abs, nan_ok=True)


@given(labelled(), seeds)
def test_rotation(item, seed):
    turn = rotations(item.X.shape[1], seed)
    assert_same(values(item.X @ turn, item.y), values(item.X, item.y))


@given(labelled(), st.sampled_from([2.0**-40, 2.0**-3, 2.0**20]))
def test_scale(item, factor):
    assert_same(values(item.X * factor, item.y), values(item.X, item.y), 1e-12, 1e-14)


@given(labelled(), st.floats(-50, 50))
def test_shift(item, shift):
    assert_same(values(item.X + shift, item.y), values(item.X, item.y))


@given(labelled(), st.randoms(use_true_random=False))
def test_permuted_classes(item, random):
    order = np.array(random.sample(range(len(item.W)), len(item.W)))
    assert_same(values(item.X, np.argsort(order)[item.y]), values(item.X, item.y))


@given(labelled())
def test_relabeling(item):
    names = np.array(["a", "ab", "c", "ca", "d", "e"])[item.y]
    assert_same(values(item.X, names), values(item.X, item.y), 1e-14, 1e-15)


@given(labelled())
def test_ranges(item):
    got = values(item.X, item.y)
    n_classes, n_features = item.W.shape
    best = n_classes / (n_classes - 1) if n_classes <= n_features + 1 else 1
    assert not got["gnc2_margin"] > best + 1e-12
    assert not got["gnc2_margin"] < 0
    assert not got["gnc2_energy_log"] < -math.log(2) - 1e-12
    assert not got["gnc2_energy_riesz"] < 0.5 - 1e-12
    assert not got["gnc2_dispersion_log"] < 0
    assert not (got["gnc2_dispersion_distance"] < 0)
    assert not (got["gnc2_dispersion_distance"] > 1)


# Array libraries ------------------------------------------------------------------


def assert_same_elsewhere(convert, n_classes, n_features):
    rows = random_rows(n_classes, n_features, 1.0)
    rows[1] = rows[0] * (1 + 1e-4)  # a close pair
    statistics = ClassStatistics.from_samples(
        convert(rows), convert(np.arange(n_classes))
    )
    for key, function in ALL.items():
        got = function(statistics)
        assert isinstance(got, float)
        assert got == pytest.approx(function(of_means(rows)), rel=LOOSE), key


@pytest.mark.parametrize(("n_classes", "n_features"), [(6, 9), (12, 4), (700, 5)])
def test_torch(torch, n_classes, n_features):
    assert_same_elsewhere(torch.from_numpy, n_classes, n_features)


@pytest.mark.gpu
def test_cuda(torch):
    assert_same_elsewhere(lambda x: torch.from_numpy(x).cuda(), 700, 5)


@pytest.mark.parametrize(("n_classes", "n_features"), [(6, 9), (12, 4)])
def test_array_api_strict(n_classes, n_features):
    strict = pytest.importorskip("array_api_strict")
    assert_same_elsewhere(strict.asarray, n_classes, n_features)
