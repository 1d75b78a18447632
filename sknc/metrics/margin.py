"""GNC2: how far each class lies from all others together."""

import math

import numpy as np
from scipy import optimize

from sknc._utils.arrays import tiles, to_numpy, upper_factor
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric, of_head
from sknc.metrics._shared.frames import vectors_of
from sknc.metrics._shared.hull import (
    HullBounds,
    bound_distances,
    cannot_improve,
    curvature,
)
from sknc.statistics.held_out import AnyStatistics

_TILE_ROWS = 256
# This few points need no search before their programs.
_FEW = 32
# The same holds for points whose scatter is only rounding.
_COINCIDE = 1e-12
# Points in the first program for each point; most programs need fewer.
_POINTS = 128

_NOT_CONVERGED = when.otherwise(
    "the program for the nearest point of a hull did not converge"
)


@metric(
    "GNC2",
    lower_is_collapsed=False,
    ideal="K/(K-1)",
    sources=(by.JIANG,),
    most_classes=5_000,
    interval="[0, 2]",
    undefined=(*when.NO_DIRECTION, _NOT_CONVERGED),
)
def gnc2_margin(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Smallest distance of class means, as directions, from the hull of the others.

    .. math::
        \min_k \operatorname{dist}\bigl(u_k,
        \operatorname{conv}\{u_j : j \neq k\}\bigr), \qquad
        u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    See Also
    --------
    nc2_min_angle : Distance from the closest other direction, as an angle.

    Notes
    -----
    Computed on the host, and exact: skipped work is proven not to matter. Any vector r
    gives a bound, ``dist(u_k, conv) >= min_j <r, u_k - u_j> / |r|``. Projected gradient
    steps for all classes together, each with two products of K x K and K x D arrays,
    approach the r that attains the bound, until few classes are left. Each of these
    takes a quadratic program, in the order of their distances so far. A class may also
    be skipped if it ties with the least distance up to a relative 1e-12.

    About 10 to 20 steps are usual, which take ``50 K**2 D`` operations: 0.4 s for 1000
    classes of 512 features on two cores, 10 s for 5000. Tight clusters of classes need
    more programs, and up to 10 times as long. Memory is of order ``K D``, plus some
    arrays of 256 x K.

    The paper measures the rows of a head, as `gnc2_margin_head` does; this is the same
    for class means. The largest value is ``K/(K-1)`` for K <= D + 1, 1 for D + 1 < K <=
    2D, and ``1 - cos(2 pi / K)`` in the plane; in general it is unknown.

    Examples
    --------
    A corner of a square is half a diagonal from the segment between its neighbors.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_margin(ClassStatistics.from_samples(X, np.arange(4)))
    1.0
    """
    return one_vs_rest_margin(to_numpy(vectors_of(statistics, convention)))


gnc2_margin_head = of_head(gnc2_margin)


def one_vs_rest_margin(vectors: np.ndarray) -> float:
    """Return the least distance of a direction from the hull of the others, or NaN."""
    norms = np.linalg.norm(vectors, axis=1)
    if not (norms.all() and np.isfinite(norms).all()):
        return math.nan
    unit = vectors / norms[:, None]
    lower, least = _closest_others(unit)
    if least == 0:
        return 0.0
    if len(unit) < unit.shape[1]:
        unit = np.ascontiguousarray(upper_factor(unit.T).T)  # preserves distances
    greatest = curvature(unit)
    order = np.argsort(lower)
    for tile in tiles(len(unit), _TILE_ROWS):
        rows = order[tile]
        rows = rows[~cannot_improve(lower[rows], least, unit.shape[1])]
        if not len(rows):  # no later tile can either
            break
        if len(unit) <= _FEW or greatest <= _COINCIDE:
            found = HullBounds(rows, lower[rows], unit[rows], least)
        else:
            found = bound_distances(unit, rows, greatest, least)
        least = _solve(unit, found)
        if math.isnan(least):
            break
    return least


def _closest_others(unit: np.ndarray) -> tuple[np.ndarray, float]:
    """Bound each distance by the closest other point, and return the least bound."""
    lower, least = np.empty(len(unit)), math.inf
    for tile in tiles(len(unit), _TILE_ROWS):
        cosines = unit[tile] @ unit.T
        here = np.arange(len(cosines))
        cosines[here, here + tile.start] = -np.inf
        closest = cosines.argmax(axis=1)
        lower[tile] = 1 - cosines[here, closest]
        gaps = np.linalg.norm(unit[tile] - unit[closest], axis=1)
        least = min(least, float(gaps.min()))
    return lower, least


def _solve(unit: np.ndarray, found: HullBounds) -> float:
    """Return the least distance, with a program for each remaining point."""
    least = found.least
    for i in np.argsort(np.linalg.norm(found.residuals, axis=1)):
        if cannot_improve(found.lower[i], least, unit.shape[1]):
            continue
        distance = _distance_below(least, unit, found.rows[i], found.residuals[i])
        if math.isnan(distance):
            return math.nan
        least = min(least, distance)
    return least


def _distance_below(
    most: float, unit: np.ndarray, row: int, residual: np.ndarray
) -> float:
    """
    Return the distance of a point from the hull of the others, if below `most`.

    Few points determine the nearest one. A program with the most similar points is
    correct if no other point would come nearer; otherwise it is repeated with more
    points.
    """
    gaps = unit - unit[row]
    n_tried, carriers = min(_POINTS, len(unit) - 1), np.arange(0)
    while True:
        products = gaps @ residual
        products[carriers] = np.inf
        products[row] = -np.inf
        tried = np.argsort(-products, kind="stable")[:n_tried]
        weights = _weights(gaps[tried])
        if weights is None:
            return math.nan
        residual = -(weights @ gaps[tried])
        distance = float(np.linalg.norm(residual))
        products = gaps @ residual
        products[row] = -np.inf
        if products.max() <= products[tried].max():
            return distance
        if cannot_improve(-products.max() / distance, most, len(residual)):
            return math.inf
        n_tried = min(2 * n_tried, len(unit) - 1)
        carriers = tried[weights > 0]


def _weights(gaps: np.ndarray) -> np.ndarray | None:
    """
    Return the convex weights of the point of a hull nearest to zero.

    With the points as columns of G, the weights are proportional to the nonnegative
    ``a`` with the least ``|G a|^2 + (sum(a) - 1)^2``: for weights b and a = t b the
    best t leaves ``|G b|^2 / (1 + |G b|^2)``. There is no penalty to choose.
    """
    longest = np.linalg.norm(gaps, axis=1).max()
    if longest == 0:
        return np.full(len(gaps), 1 / len(gaps))
    system = np.ones((gaps.shape[1] + 1, len(gaps)))
    system[:-1] = gaps.T / longest
    target = np.zeros(len(system))
    target[-1] = 1
    try:
        weights, _ = optimize.nnls(system, target, maxiter=max(100, 30 * len(gaps)))
    except RuntimeError:  # too many iterations
        return None
    return np.asarray(weights / weights.sum())
