"""The margin of many directions: what its search skips makes no difference."""

import math
import tracemalloc

import numpy as np
import pytest
from tables import each
from tolerances import LOOSE, SINGLE, TIGHT
from toys import simplex
from vectors import distance_from_hull, margin_bounds, polygon, unit_rows

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.metrics import TABLE, margin
from sknc.metrics._shared import hull


def gaussian(n_classes, n_features, seed=0):
    return np.random.default_rng(seed).standard_normal((n_classes, n_features))


def clustered(n_classes, n_features, spread, n_clusters=5):
    centers = gaussian(n_clusters, n_features, 1)[np.arange(n_classes) % n_clusters]
    return centers + spread * gaussian(n_classes, n_features)


def cross_polytope(n_features, noise=0.0):
    rows = np.concatenate([np.eye(n_features), -np.eye(n_features)])
    return rows + noise * gaussian(*rows.shape)


def two_simplexes(n_each, noise):
    one, zero = simplex(n_each, n_each), np.zeros((n_each, n_each))
    rows = np.block([[one, zero], [zero, one]])
    return rows + noise * gaussian(*rows.shape)


def minority(n_classes, n_features, noise):
    rows = simplex(n_classes, n_features)
    rows[::2] = rows[::2].mean(0) + 0.1 * gaussian(1, n_features)
    return rows + noise * gaussian(n_classes, n_features)


def least_by_programs(rows):
    """Return the margin by a program of all points for every one of them."""
    unit = unit_rows(rows)
    distances = [
        distance_from_hull(unit[k], np.delete(unit, k, 0)) for k in range(len(unit))
    ]
    return min(distances)


CASES = {
    "fewer classes than features": gaussian(60, 200),
    "one more class than features": gaussian(61, 60),
    "more classes than features": gaussian(120, 20),
    "more than a tile": gaussian(300, 8),
    "on a line through zero but for one": np.vstack(
        [gaussian(39, 1) @ [[1, 2]], [0, 1]]
    ),
    "in the plane": gaussian(70, 2),
    "rank deficient": gaussian(90, 6) @ gaussian(6, 40, 1),
    "clusters": clustered(100, 30, 0.1),
    "tight clusters": clustered(100, 30, 1e-4),
    "tight clusters in few features": clustered(80, 4, 1e-3),
    "far from zero": gaussian(80, 20) + 30,
    "near collapse": simplex(64, 80) + 1e-3 * gaussian(64, 80),
    "nearer to it": simplex(64, 80) + 1e-6 * gaussian(64, 80),
    "at collapse": simplex(64, 80),
    "near collapse on a hyperplane": simplex(64, 64) + 0.03 * gaussian(64, 64),
    "cross-polytope": cross_polytope(30),
    "near a cross-polytope": cross_polytope(30, 1e-3),
    "near two simplexes": two_simplexes(30, 1e-3),
    "near minority collapse": minority(60, 70, 1e-3),
    "pairs": np.vstack(
        [gaussian(40, 30), gaussian(40, 30) + 1e-5 * gaussian(40, 30, 1)]
    ),
    "uneven spectrum": gaussian(90, 40) / np.arange(1, 41),
    "regular polygon": polygon(64),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_a_program_for_every_class(name):
    rows = CASES[name]
    assert len(rows) > margin._FEW, "the search would not run"
    want = least_by_programs(rows)
    assert margin.one_vs_rest_margin(rows) == pytest.approx(want, rel=LOOSE, abs=1e-15)


@each("seed", range(10))
@pytest.mark.parametrize(("n_classes", "n_features"), [(40, 7), (50, 49), (35, 90)])
def test_equals_a_program_for_every_class_at_random(n_classes, n_features, seed):
    rows = gaussian(n_classes, n_features, seed)
    rows[:20] += 3 * rows[-1] * (seed % 3)
    want = least_by_programs(rows)
    assert margin.one_vs_rest_margin(rows) == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize(
    "rows",
    [
        gaussian(34, 6),
        pytest.param(gaussian(34, 40), marks=pytest.mark.slow),
        clustered(34, 8, 0.1),
        cross_polytope(17, 0.01),
    ],
    ids=["more classes", "more features", "clusters", "cross-polytope"],
)
def test_lies_between_the_bounds_of_a_general_solver(rows):
    assert len(rows) > margin._FEW, "the search would not run"
    lower, upper = margin_bounds(rows)
    assert upper - lower < 1e-5
    got = margin.one_vs_rest_margin(rows)
    assert lower - 1e-12 <= got <= upper + 1e-12


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        (np.array([[1.0, 1], [-1, -1]]), 2),
        (np.array([[1.0, 0], [0, 2]]), math.sqrt(2)),
        (simplex(3, 3), 1.5),
        (simplex(100, 120), 100 / 99),
        (cross_polytope(40), 1),
        (polygon(101), 1 - math.cos(2 * math.pi / 101)),
    ],
    ids=["opposite", "two", "triangle", "simplex", "cross-polytope", "polygon"],
)
def test_known_values(rows, want):
    assert margin.one_vs_rest_margin(rows) == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize("n_features", [5, 30, 90])
def test_coinciding_directions_are_at_no_distance(n_features):
    rows = gaussian(60, n_features)
    rows[41] = 2 * rows[7]
    assert margin.one_vs_rest_margin(rows) == 0


@pytest.mark.parametrize("n_features", [5, 90])
def test_a_zero_row_has_no_direction(n_features):
    rows = gaussian(60, n_features)
    rows[41] = 0
    assert math.isnan(margin.one_vs_rest_margin(rows))


def test_is_nan_if_the_solver_gives_up(monkeypatch):
    def give_up(*args, **options):
        raise RuntimeError

    monkeypatch.setattr(margin.optimize, "nnls", give_up)
    assert math.isnan(margin.one_vs_rest_margin(gaussian(60, 4)))


# The search -------------------------------------------------------------------------


@pytest.fixture
def programs(monkeypatch):
    """Count the programs that are solved."""
    sizes, solve = [], margin._weights

    def counted(gaps):
        sizes.append(len(gaps))
        return solve(gaps)

    monkeypatch.setattr(margin, "_weights", counted)
    return sizes


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        (gaussian(400, 100), 2),
        (simplex(300, 300) + 1e-3 * gaussian(300, 300), 1),
        (simplex(300, 300) + 1e-6 * gaussian(300, 300), 1),
        (cross_polytope(150), 0),
        (clustered(300, 60, 0.1), 40),
    ],
    ids=["random", "near collapse", "nearer", "ties", "clusters"],
)
def test_few_programs_are_left(programs, rows, most):
    margin.one_vs_rest_margin(rows)
    assert len(programs) <= most
    assert max(programs, default=0) <= margin._POINTS


def hidden_minimum(place):
    """
    Return directions of which the one that looks farthest away is the nearest.

    A pole amid a ring at 60 degrees is 0.5 from its middle, and from each of the ring
    more. The others are pairs at 45 degrees: each has another close by, but only one.
    """
    n_features, n_pairs = 120, 150
    ring = np.sqrt(3) / 2 * np.eye(8, n_features, 1)
    ring = np.concatenate([ring, -ring])
    ring[:, 0] = 0.5
    one = unit_rows(gaussian(n_pairs, n_features))
    other = gaussian(n_pairs, n_features, 1)
    other -= np.sum(other * one, axis=1)[:, None] * one
    rows = np.concatenate([ring, one, one + unit_rows(other)])
    return np.insert(unit_rows(rows), place, np.eye(1, n_features)[0], axis=0)


@pytest.mark.parametrize("place", [0, 200, 316])
def test_a_minimum_that_looks_far_away_is_found(place):
    rows = hidden_minimum(place)
    cosines = rows @ rows.T - 2 * np.eye(len(rows))
    bounds = 1 - cosines.max(axis=1)
    assert np.sum(bounds < bounds[place] - 0.1) > margin._TILE_ROWS
    others = np.delete(rows, place, 0)
    assert distance_from_hull(rows[place], others) == pytest.approx(0.5)
    assert margin.one_vs_rest_margin(others) > 0.6
    assert margin.one_vs_rest_margin(rows) == pytest.approx(0.5, rel=TIGHT)


def test_no_bound_is_above_the_distance():
    rows = unit_rows(gaussian(80, 12))
    distances = np.array(
        [distance_from_hull(rows[k], np.delete(rows, k, 0)) for k in range(80)]
    )
    greatest = hull.curvature(rows)
    open_still = hull.bound_distances(rows, np.arange(80), greatest, math.inf)
    assert np.all(open_still.lower <= distances[open_still.rows] + 1e-13)
    lengths = np.linalg.norm(open_still.residuals, axis=1)
    assert np.all(lengths >= distances[open_still.rows] - 1e-13)
    assert open_still.least >= distances.min() - 1e-13
    assert distances.argmin() in open_still.rows or open_still.least == pytest.approx(
        distances.min(), rel=1e-11
    )


@pytest.mark.parametrize("worst", range(0, 80, 9))
def test_the_least_is_found_wherever_it_stands(worst):
    rows = unit_rows(gaussian(80, 30))
    others = [j for j in range(80) if j != worst]
    inside = rows[others[:3]].sum(0)  # amid three others, so by far the nearest
    rows[worst] = inside + 0.05 * gaussian(1, 30, 5)[0]
    unit = unit_rows(rows)
    at = distance_from_hull(unit[worst], unit[others])
    every = [distance_from_hull(unit[k], np.delete(unit, k, 0)) for k in others]
    assert at < 0.9 * min(every)
    assert margin.one_vs_rest_margin(rows) == pytest.approx(at, rel=1e-11)


@pytest.mark.parametrize("factor", [0.3, 0.9, 3.0, 100.0])
def test_a_wrong_curvature_costs_no_digits(monkeypatch, factor):
    rows = clustered(100, 30, 0.2)
    want, right = least_by_programs(rows), margin.curvature
    monkeypatch.setattr(margin, "curvature", lambda unit: factor * right(unit))
    assert margin.one_vs_rest_margin(rows) == pytest.approx(want, rel=1e-11)


@pytest.mark.parametrize("n_tried", [1, 2, 7])
def test_programs_of_few_points_are_repeated_with_more(monkeypatch, n_tried):
    rows = gaussian(90, 10)
    want = least_by_programs(rows)
    monkeypatch.setattr(margin, "_POINTS", n_tried)
    assert margin.one_vs_rest_margin(rows) == pytest.approx(want, rel=1e-11)


def test_weights_are_projected_onto_the_simplex():
    values = gaussian(50, 20) * np.logspace(-3, 2, 50)[:, None]
    values[3] = 0.25
    values[4, 5] = -np.inf
    for level in (np.zeros(50), np.full(50, -1e3), np.full(50, 1e3)):
        weights, taken = hull._project_to_simplex(values, level)
        assert weights.min() >= 0
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-14)
        want = np.maximum(values - taken[:, None], 0)
        np.testing.assert_allclose(weights, want, atol=LOOSE)
    assert weights[4, 5] == 0


def test_the_order_of_classes_does_not_matter():
    rows = gaussian(400, 20)
    got = margin.one_vs_rest_margin(rows)
    assert got == margin.one_vs_rest_margin(rows)
    shuffled = rows[np.random.default_rng(1).permutation(400)]
    assert margin.one_vs_rest_margin(shuffled) == pytest.approx(got, rel=1e-13)


# Many classes -----------------------------------------------------------------------


def test_no_array_of_all_pairs_is_made():
    rows = gaussian(2000, 16)
    tracemalloc.start()
    margin.one_vs_rest_margin(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2000**2 * 8


def test_all_metrics_have_it_at_a_thousand_classes():
    assert TABLE["gnc2_margin"].most_classes >= 1000
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((606, 5)), np.arange(606) % 303
    report = NeuralCollapseAnalyzer(metrics="all").fit(X, y).report()
    means = ClassStatistics.from_samples(X, y)
    assert report["gnc2_margin"] == margin.gnc2_margin(means)
    assert "gnc2_margin" not in report.notes


@pytest.mark.parametrize("spread", [0, 1e-16, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6])
def test_directions_that_nearly_coincide(spread):
    rows = 1 + spread * np.random.default_rng(0).standard_normal((40, 64))
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    want = min(
        distance_from_hull(u, np.delete(unit, k, axis=0)) for k, u in enumerate(unit)
    )
    got = margin.one_vs_rest_margin(rows)
    assert got == pytest.approx(want, rel=SINGLE, abs=1e-15)
    assert got < 1e-15 if spread <= 1e-16 else got > 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite(value):
    rows = np.random.default_rng(0).standard_normal((40, 8))
    rows[3, 2] = value
    assert math.isnan(margin.one_vs_rest_margin(rows))
