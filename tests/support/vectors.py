"""Rows of a matrix as class means or weights, and what is known of them."""

import itertools
import math

import mpmath as mp
import numpy as np
from scipy import optimize

from sknc import ClassStatistics, Convention
from sknc.metrics import margin

UNCENTERED = Convention("plain", center="none")


def of_means(rows):
    """Return statistics of one sample a class."""
    rows = np.asarray(rows, float)
    return ClassStatistics.from_samples(rows, np.arange(len(rows)))


def random_rows(n_classes, n_features, offset=0.0):
    """Return normal rows, for each shape others."""
    rng = np.random.default_rng(n_classes * 100 + n_features)
    return rng.standard_normal((n_classes, n_features)) + offset


def polygon(n_classes):
    """Return the corners of a regular polygon on the unit circle."""
    angles = 2 * math.pi * np.arange(n_classes) / n_classes
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def unit_rows(rows):
    """Return the directions of rows."""
    return rows / np.linalg.norm(rows, axis=1)[:, None]


def cosine(a, b):
    """Return the cosine of the angle between two vectors."""
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def exact_rows(rows):
    """Return rows as lists of mpmath numbers."""
    return [[mp.mpf(v) for v in row] for row in np.asarray(rows).tolist()]


def exact_norms(rows):
    """Return lengths of rows of mpmath numbers."""
    return [mp.sqrt(mp.fdot(row, row)) for row in rows]


def exact_energies(rows, power=1.0):
    """The four numbers of rows that are taken as they are, in 40 digits."""
    with mp.workdps(40):
        rows = exact_rows(rows)
        pairs = zip(rows, exact_norms(rows), strict=True)
        unit = [[v / norm for v in row] for row, norm in pairs]
        distances = [
            mp.sqrt(mp.fsum((u - v) ** 2 for u, v in zip(a, b, strict=True)))
            for a, b in itertools.combinations(unit, 2)
        ]
        logs = [-mp.log(d) for d in distances]
        powers = [d ** -mp.mpf(power) for d in distances]
        return {
            "gnc2_energy_log": float(_mean(logs)),
            "gnc2_dispersion_log": float(_variance(logs)),
            "gnc2_energy_riesz": float(_mean(powers)),
            "gnc2_dispersion_distance": float(_variance(distances)),
        }


def _mean(values):
    return mp.fsum(values) / len(values)


def _variance(values):
    mean = _mean(values)
    return mp.fsum((v - mean) ** 2 for v in values) / len(values)


def hull_bounds(point, others):
    """
    Bound the distance of a point from a hull on both sides, by a general solver.

    The distance is ``max_w min_j <w, point - others_j>`` over w of length at most one.
    Of the minimum norm point p found by SLSQP, its length is a bound from above, and
    with w = p / |p| that minimum is one from below.
    """
    gaps = point - others
    found = optimize.minimize(
        lambda b: np.sum((b @ gaps) ** 2),
        np.full(len(gaps), 1 / len(gaps)),
        jac=lambda b: 2 * gaps @ (b @ gaps),
        bounds=[(0, 1)] * len(gaps),
        constraints={"type": "eq", "fun": lambda b: b.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    weights = np.maximum(found.x, 0)
    nearest = weights @ gaps / weights.sum()
    length = np.linalg.norm(nearest)
    return (gaps @ nearest).min() / length, length


def margin_bounds(rows):
    """Bound the least distance of a direction from the hull of the others."""
    unit = unit_rows(rows)
    bounds = [hull_bounds(u, np.delete(unit, k, 0)) for k, u in enumerate(unit)]
    return np.array(bounds).min(axis=0)


def distance_from_hull(point, others):
    """Return the distance of a point (D,) from the hull of others (J, D)."""
    gaps = others - point
    return float(np.linalg.norm(margin._weights(gaps) @ gaps))
