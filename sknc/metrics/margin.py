"""GNC2: how far each class lies from all others together."""

import math

import numpy as np
from scipy import optimize

from sknc._array import tiles, to_numpy
from sknc.convention import Convention
from sknc.held_out import AnyStatistics
from sknc.metrics._geometry import centered_means

_TILE_ROWS = 256
# Rounding of the bound below which a class need not be looked at.
_SLACK = 1e-12


def gnc2_margin(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Least distance of a direction from the convex hull of the other directions.

    .. math::
        \min_k \operatorname{dist}\bigl(u_k,
        \operatorname{conv}\{u_j : j \neq k\}\bigr), \qquad
        u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 2]; higher is more collapsed. The greatest value, met
        at collapse, is ``K/(K-1)`` for K <= D + 1, 1 for D + 1 < K <= 2D, and
        ``1 - cos(2 pi / K)`` in the plane; it is not known in general. NaN if a
        class mean is the global mean, or if the solver gives up. Unchanged by shifts,
        rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_min_angle : Distance from the closest other direction only, as an angle.

    Notes
    -----
    One quadratic program a class, on the host, for those classes whose distance may
    be the least: ``1 - max_j c_kj`` bounds it from below. At an exact simplex one
    program is enough; in general expect K programs, of K variables each.

    The paper measures the rows of a head; this is the same number of the class means.

    References
    ----------
    .. [1] J. Jiang, J. Zhou, P. Wang, Q. Qu, D. G. Mixon, C. You, Z. Zhu.
       "Generalized neural collapse for a large number of classes." ICML 2024.
       https://arxiv.org/abs/2310.05351

    Examples
    --------
    A corner of a square is one half diagonal from the segment between its neighbors.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.margin import gnc2_margin
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_margin(ClassStatistics.from_samples(X, np.arange(4)))
    1.0
    """
    means = centered_means(statistics, Convention.preset(convention))
    return one_vs_rest_margin(to_numpy(means))


def one_vs_rest_margin(vectors: np.ndarray) -> float:
    """
    Return the least distance of a direction from the hull of the others.

    Parameters
    ----------
    vectors : ndarray of shape (K, D)
        Rows of any length.

    Returns
    -------
    float
        NaN if a row is zero.
    """
    norms = np.linalg.norm(vectors, axis=1)
    if not norms.all():
        return math.nan
    unit = vectors / norms[:, None]
    if unit.shape[0] < unit.shape[1]:
        unit = np.linalg.qr(unit.T)[1].T  # the same points, in K dimensions
    bounds = 1 - _closest_cosines(unit)
    least = math.inf
    for k in np.argsort(bounds):
        if bounds[k] >= least - _SLACK:
            break
        distance = distance_from_hull(unit[k], np.delete(unit, k, axis=0))
        if math.isnan(distance):
            return math.nan
        least = min(least, distance)
    return least


def _closest_cosines(unit: np.ndarray) -> np.ndarray:
    """Return each row's greatest inner product with another row."""
    closest = np.empty(len(unit))
    for tile in tiles(len(unit), _TILE_ROWS):
        cosines = unit[tile] @ unit.T
        rows = np.arange(len(cosines))
        cosines[rows, rows + tile.start] = -np.inf
        closest[tile] = cosines.max(axis=1)
    return closest


def distance_from_hull(point: np.ndarray, others: np.ndarray) -> float:
    """
    Return the distance of a point from the convex hull of others.

    Parameters
    ----------
    point : ndarray of shape (D,)
        The point.
    others : ndarray of shape (J, D)
        Points that span the hull.

    Returns
    -------
    float
        The distance; NaN if the solver gives up.

    Notes
    -----
    With G the others less the point, as columns, the nonnegative ``a`` of least
    ``|G a|^2 + (sum(a) - 1)^2`` is in proportion to the convex weights of the point
    of the hull nearest to zero: for weights b and a = t b the best t leaves
    ``|G b|^2 / (1 + |G b|^2)``. No penalty has to be chosen.
    """
    gaps = others - point
    longest = np.linalg.norm(gaps, axis=1).max()
    if longest == 0:
        return 0.0
    system = np.concatenate([gaps.T / longest, np.ones((1, len(gaps)))])
    target = np.zeros(len(system))
    target[-1] = 1
    try:
        weights, _ = optimize.nnls(system, target, maxiter=max(100, 30 * len(gaps)))
    except RuntimeError:  # too many iterations
        return math.nan
    return float(np.linalg.norm(weights @ gaps) / weights.sum())
