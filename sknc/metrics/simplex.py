"""NC2: class means, or rows of the head, become a simplex equiangular tight frame."""

import math
from typing import Any

from sknc._utils.arrays import (
    namespace,
    row_squared_norms,
)
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric, of_head
from sknc.metrics._shared.frames import pairs_of, shape_of, vectors_of
from sknc.metrics._shared.rows import distance_from_simplex, relative_spread
from sknc.statistics.held_out import AnyStatistics

# Of cosines minus those of a simplex.
_OF_COSINES: dict[str, Any] = {
    "interval": "[0, 1 + 1/(K-1)]",
    "undefined": when.NO_DIRECTION,
    "caveats": (when.no_simplex,),
}
_ONE_PAIR = when.Condition(
    "there are only two classes",
    lambda case: (
        case.statistics.n_classes == 2
        and "two classes have one pair, whose spread has no meaning"
    ),
)


@metric(
    "NC2",
    headline=True,
    sources=(by.PAPYAN,),
    interval="[0, sqrt(K)]",
    undefined=(when.MEANS_COINCIDE,),
)
def nc2_equinorm(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Coefficient of variation of the norms of the centered class means.

    .. math::
        \operatorname{std}_k \lVert \bar\mu_k \rVert
        / \operatorname{mean}_k \lVert \bar\mu_k \rVert

    Notes
    -----
    The standard deviation has divisor K - 1.

    Examples
    --------
    Centered means with norms 2, 1 and 1: mean 4/3, standard deviation 1/sqrt(3).

    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> nc2_equinorm(ClassStatistics.from_samples(X, np.arange(3)))
    0.4330127
    """
    vectors = vectors_of(statistics, convention)
    return relative_spread(namespace(vectors).sqrt(row_squared_norms(vectors)))


nc2_equinorm_head = of_head(nc2_equinorm)


@metric(
    "NC2",
    headline=True,
    sources=(by.PAPYAN,),
    interval="[0, 1.5]",
    undefined=(_ONE_PAIR, *when.NO_DIRECTION),
    caveats=(when.no_simplex,),
)
def nc2_cos_std(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Spread of the cosines between centered class means.

    .. math::
        \operatorname{std}_{i<j} c_{ij}, \qquad
        c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Notes
    -----
    The standard deviation has divisor "number of pairs" - 1.

    Examples
    --------
    A square: two cosines of -1 and four of 0.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cos_std(ClassStatistics.from_samples(X, np.arange(4)))  # sqrt(4/15)
    0.5163978
    """
    cosines = pairs_of(statistics, convention).excess
    return cosines.std if cosines.count > 1 else math.nan


nc2_cos_std_head = of_head(nc2_cos_std)


@metric("NC2", headline=True, sources=(by.PAPYAN,), **_OF_COSINES)
def nc2_equiangular(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Mean distance of the cosines between class means from that of a simplex.

    .. math::
        \operatorname{mean}_{i<j} \left| c_{ij} + \tfrac{1}{K-1} \right|

    Notes
    -----
    Above 0 whenever K > D + 1.

    Examples
    --------
    A square: ``(2 |-1 + 1/3| + 4 |0 + 1/3|) / 6``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular(ClassStatistics.from_samples(X, np.arange(4)))
    0.4444444
    """
    return pairs_of(statistics, convention).absolute_excess.mean


nc2_equiangular_head = of_head(nc2_equiangular)


@metric(
    "NC2",
    essential=True,
    headline=True,
    sources=(by.KOTHAPALLI, by.ZHU),
    interval="[0, sqrt(2)]",
    undefined=(when.MEANS_COINCIDE,),
    caveats=(when.least_distance_from_simplex,),
)
def nc2_etf(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the Gram matrix of the class means from that of a simplex.

    .. math::
        \left\lVert \frac{\bar M \bar M^\top}{\lVert \bar M \bar M^\top \rVert_F}
        - \frac{I - \mathbf{1}\mathbf{1}^\top/K}{\sqrt{K-1}} \right\rVert_F

    Notes
    -----
    For K > D + 1 no simplex exists and the least value is ``sqrt(2 - 2 sqrt(D / (K -
    1)))``. The distance was first used for a head [2]_.

    Examples
    --------
    The spectrum of a square has two equal values, that of a simplex of four has three:
    ``sqrt(2 - 2 sqrt(2/3))``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf(ClassStatistics.from_samples(X, np.arange(4)))
    0.6058109
    """
    vectors = vectors_of(statistics, convention)
    return distance_from_simplex(vectors, vectors)


nc2_etf_head = of_head(nc2_etf, sources=(by.ZHU,), interval="[0, 2]")


@metric("NC2", sources=(by.after(by.PAPYAN),), **_OF_COSINES)
def nc2_equiangular_max(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Largest distance of a cosine between class means from that of a simplex.

    .. math::
        \max_{i<j} \left| c_{ij} + \tfrac{1}{K-1} \right|, \qquad
        c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    See Also
    --------
    nc2_equiangular : The mean of the same distances.

    Notes
    -----
    The paper uses the mean over pairs; this is the worst pair. Above 0 whenever K > D +
    1.

    Examples
    --------
    A square: the opposite corners have ``|-1 + 1/3|``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_max(ClassStatistics.from_samples(X, np.arange(4)))
    0.6666667
    """
    return pairs_of(statistics, convention).absolute_excess.greatest


nc2_equiangular_max_head = of_head(nc2_equiangular_max)


@metric("NC2", sources=(by.after(by.PAPYAN),), **_OF_COSINES)
def nc2_equiangular_rms(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Root mean square distance of the cosines between class means from a simplex.

    .. math::
        \sqrt{\operatorname{mean}_{i<j} \left( c_{ij} + \tfrac{1}{K-1} \right)^2}

    See Also
    --------
    nc2_equiangular : The mean absolute distance.
    nc2_cosgram : The same sum, divided by the norm of the simplex.

    Notes
    -----
    The paper uses the mean absolute distance. Some published code averages over all K^2
    pairs, including the zeros on the diagonal. Above 0 whenever K > D + 1.

    Examples
    --------
    A square: ``sqrt((2 (2/3)^2 + 4 (1/3)^2) / 6)``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_rms(ClassStatistics.from_samples(X, np.arange(4)))
    0.4714045
    """
    return pairs_of(statistics, convention).excess.root_mean_square


nc2_equiangular_rms_head = of_head(nc2_equiangular_rms)


@metric(
    "NC2",
    sources=(by.after(by.PAPYAN),),
    interval="[0, sqrt(K)]",
    undefined=when.NO_DIRECTION,
    caveats=(when.no_simplex,),
)
def nc2_cosgram(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the cosine matrix of the class means from that of a simplex.

    .. math::
        \frac{\lVert U U^\top - G^\ast \rVert_F}{\lVert G^\ast \rVert_F}, \qquad
        G^\ast = \tfrac{K}{K-1} \left( I - \tfrac{1}{K} \mathbf{1}\mathbf{1}^\top
        \right)

    with the centered class means scaled to unit length as the rows of U.

    See Also
    --------
    nc2_etf : The same with lengths, and both matrices divided by their norms.

    Notes
    -----
    Equals ``nc2_equiangular_rms * (K - 1) / sqrt(K)``, so no K x K matrix is formed.
    The paper states the property; the norm is a common way to measure it. Above 0
    whenever K > D + 1.

    Examples
    --------
    A square: ``sqrt(2/9) * 3 / 2``.

    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cosgram(ClassStatistics.from_samples(X, np.arange(4)))
    0.7071068
    """
    n_classes = shape_of(statistics)[0]
    distance = pairs_of(statistics, convention).excess.root_mean_square
    return distance * (n_classes - 1) / math.sqrt(n_classes)


nc2_cosgram_head = of_head(nc2_cosgram)
