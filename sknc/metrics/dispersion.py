"""GNC2: the directions of the class means are spread evenly over the unit sphere."""

import math

from sknc._utils.arrays import Array, namespace
from sknc._utils.parameters import check_positive
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric, of_head
from sknc.metrics._shared.frames import directions_of, pairs_of, shape_of, vectors_of
from sknc.statistics.held_out import AnyStatistics

# Above this cosine the arc cosine has lost too many digits.
_CLOSE_COSINE = 0.999
_SAME_DIRECTION = when.Condition(
    "two class means have the same direction",
    lambda case: True,
    for_head=when.otherwise("two rows of the head have the same direction"),
)
_ROWS_COINCIDE = "the directions of two rows of the head coincide"


@metric(
    "GNC2",
    ideal="-log(2K/(K-1))/2",
    sources=(by.LIU, by.WU),
    interval="[-log(2), inf]",
    undefined=when.NO_DIRECTION,
    infinite="the directions of two class means coincide",
)
def gnc2_energy_log(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Logarithmic energy of the directions of the class means.

    .. math::
        \operatorname{mean}_{i<j} \log \frac{1}{\lVert u_i - u_j \rVert},
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    See Also
    --------
    gnc2_dispersion_log : The variance of the same values.

    Notes
    -----
    Differs from the energy over all ordered pairs only by the number of pairs.

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice: ``-2/3 log(2)``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_energy_log(ClassStatistics.from_samples(X, np.arange(4)))
    -0.4620981
    """
    convention = Convention.preset(convention)
    return directions_of(statistics, convention).log_energy.mean


gnc2_energy_log_head = of_head(gnc2_energy_log, infinite=_ROWS_COINCIDE)


@metric(
    "GNC2",
    sources=(by.after(by.WU),),
    interval="[0, inf)",
    undefined=(*when.NO_DIRECTION, _SAME_DIRECTION),
)
def gnc2_dispersion_log(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variance over pairs of the logarithmic energies of the class means.

    .. math::
        \operatorname{var}_{i<j} \log \frac{1}{\lVert u_i - u_j \rVert},
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    See Also
    --------
    gnc2_energy_log : The mean of the same values.

    Notes
    -----
    The variance has the number of pairs as divisor. It is also 0 for two classes, which
    form one pair.

    Examples
    --------
    A square: values ``-log(2)/2`` four times and ``-log(2)`` twice, ``log(2)^2 / 18``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_dispersion_log(ClassStatistics.from_samples(X, np.arange(4)))
    0.0266918
    """
    convention = Convention.preset(convention)
    summary = directions_of(statistics, convention).log_energy
    return summary.population_variance


gnc2_dispersion_log_head = of_head(gnc2_dispersion_log)


@metric(
    "GNC2",
    ideal="(2K/(K-1))**(-1/2)",
    sources=(by.LIU,),
    interval="[2^-s, inf]",
    undefined=when.NO_DIRECTION,
    infinite="the directions of two class means coincide",
    raises="If fewer than two classes have samples, or if `power` is not positive.",
)
def gnc2_energy_riesz(
    statistics: AnyStatistics,
    *,
    convention: str | Convention = "default",
    power: float = 1.0,
) -> float:
    r"""
    Riesz energy of the directions of the class means.

    .. math::
        \operatorname{mean}_{i<j} \lVert u_i - u_j \rVert^{-s},
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    Parameters
    ----------
    power : float, default=1.0
        The positive exponent s.

    See Also
    --------
    gnc2_energy_log : The limit of ``(energy - 1) / s`` for s to 0.

    Notes
    -----
    Some published code uses s = D - 2; with a few hundred features the energy then
    underflows or depends on the closest pair alone. At collapse the value is
    ``(2K/(K-1))^(-s/2)``.

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_energy_riesz(ClassStatistics.from_samples(X, np.arange(4)))
    0.6380712
    """
    check_positive("power", power)
    convention = Convention.preset(convention)
    return directions_of(statistics, convention, power).riesz_energy.mean


gnc2_energy_riesz_head = of_head(gnc2_energy_riesz, infinite=_ROWS_COINCIDE)


@metric(
    "GNC2",
    sources=(by.after(by.WU),),
    interval="[0, 1]",
    undefined=when.NO_DIRECTION,
)
def gnc2_dispersion_distance(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variance over pairs of the distances between directions of class means.

    .. math::
        \operatorname{var}_{i<j} \lVert u_i - u_j \rVert,
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    See Also
    --------
    gnc2_dispersion_log : The same for the logarithms of the distances.

    Notes
    -----
    The variance has the number of pairs as divisor. It is also 0 for two classes, which
    form one pair.

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice: ``2/9 (2 - sqrt(2))^2``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_dispersion_distance(ClassStatistics.from_samples(X, np.arange(4)))
    0.0762546
    """
    convention = Convention.preset(convention)
    return directions_of(statistics, convention).distance.population_variance


gnc2_dispersion_distance_head = of_head(gnc2_dispersion_distance)


@metric(
    "NC2",
    lower_is_collapsed=False,
    ideal="arccos(-1/(K-1))",
    sources=(by.LIU,),
    interval="[0, arccos(-1/(K-1))]",
    unit="Radians",
    undefined=when.NO_DIRECTION,
)
def nc2_min_angle(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Smallest angle between two class means, in radians.

    .. math::
        \arccos \max_{i<j} c_{ij}, \qquad c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Notes
    -----
    Small angles are computed from the distance between the two directions, because the
    arc cosine would lose half the digits.

    Examples
    --------
    A square: neighbors are at right angles.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_min_angle(ClassStatistics.from_samples(X, np.arange(4)))
    1.5707963
    """
    n_classes = shape_of(statistics)[0]
    cosine = pairs_of(statistics, convention).excess.greatest - 1 / (n_classes - 1)
    if math.isnan(cosine):
        return math.nan
    if n_classes == 2:
        return _angle_of_two(vectors_of(statistics, convention))
    if cosine > _CLOSE_COSINE:
        distances = directions_of(statistics, convention).distance
        return 2 * math.asin(distances.least / 2)
    return math.acos(cosine)


nc2_min_angle_head = of_head(nc2_min_angle)


def _angle_of_two(vectors: Array) -> float:
    """Return the angle of two rows, to full precision even if they are opposite."""
    xp = namespace(vectors)
    unit = vectors / xp.linalg.vector_norm(vectors, axis=1)[:, None]
    apart = float(xp.linalg.vector_norm(unit[0, :] - unit[1, :]))
    along = float(xp.linalg.vector_norm(unit[0, :] + unit[1, :]))
    return 2 * math.atan2(apart, along)
