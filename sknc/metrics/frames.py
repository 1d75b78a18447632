"""NC2 beyond the headline: the class means as a frame."""

from dataclasses import replace

from sknc.convention import Convention
from sknc.held_out import AnyStatistics
from sknc.metrics._frames import (
    above,
    coherence,
    cosgram,
    etf_floor,
    log_equinorm,
    min_angle,
    orthoframe,
    tightness,
    welch,
)
from sknc.metrics._geometry import (
    centered_means,
    check_two_classes,
    spectrum,
)
from sknc.metrics.dispersion import class_mean_directions
from sknc.metrics.simplex import nc2_etf
from sknc.metrics.variability import class_mean_pairs


def nc2_equiangular_max(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Greatest distance of a cosine between class means from those of a simplex.

    .. math::
        \max_{i<j} \left| c_{ij} + \tfrac{1}{K-1} \right|, \qquad
        c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse.
        Above 0 whenever K > D + 1. NaN if a class mean is the global mean. Unchanged by
        shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_equiangular : The mean of the same distances.

    Notes
    -----
    The paper takes the mean over pairs; this is its worst pair.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    A square: the opposite corners have ``|-1 + 1/3|``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_equiangular_max
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_max(ClassStatistics.from_samples(X, np.arange(4)))
    0.6666667
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return pairs.absolute_excess.greatest


def nc2_equiangular_rms(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Root mean square distance of the cosines between class means from a simplex.

    .. math::
        \sqrt{\operatorname{mean}_{i<j} \left( c_{ij} + \tfrac{1}{K-1} \right)^2}

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1 + 1/(K-1)]; lower is more collapsed, 0 at collapse.
        Above 0 whenever K > D + 1. NaN if a class mean is the global mean. Unchanged by
        shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_equiangular : The mean absolute distance.
    nc2_cosgram : The same sum, divided by the norm of the simplex.

    Notes
    -----
    The paper takes the mean absolute distance. Some published code averages over all
    K^2 pairs, the diagonal of zeros included.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    A square: ``sqrt((2 (2/3)^2 + 4 (1/3)^2) / 6)``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_equiangular_rms
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_equiangular_rms(ClassStatistics.from_samples(X, np.arange(4)))
    0.4714045
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return pairs.excess.root_mean_square


def nc2_log_equinorm(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Spread of the logarithms of the norms of the centered class means.

    .. math::
        \operatorname{std}_k \log \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, inf); lower is more collapsed, 0 at collapse. NaN if a
        class mean is the global mean. Unchanged by shifts, rotations and uniform
        scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_equinorm : Coefficient of variation of the norms themselves.

    Notes
    -----
    The standard deviation has divisor K - 1. To first order it is `nc2_equinorm`, but a
    class of tiny norm weighs as much as one of huge norm.

    References
    ----------
    .. [1] R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large)
       language models." NeurIPS 2024. https://arxiv.org/abs/2405.17767

    Examples
    --------
    Centered means at distance 2, 1 and 1: ``log(2) / sqrt(3)``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_log_equinorm
    >>> X = np.array([[2.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> nc2_log_equinorm(ClassStatistics.from_samples(X, np.arange(3)))
    0.4001887
    """
    means = centered_means(statistics, Convention.preset(convention))
    return log_equinorm(means)


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

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(K)]; lower is more collapsed, 0 at collapse. Above 0
        whenever K > D + 1. NaN if a class mean is the global mean. Unchanged by shifts,
        rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf : The same with lengths: both matrices are divided by their norms.

    Notes
    -----
    Equal to ``nc2_equiangular_rms * (K - 1) / sqrt(K)``: no K x K matrix is formed. The
    paper states the property; the norm is a common way to measure it.

    References
    ----------
    .. [1] V. Papyan, X. Y. Han, D. L. Donoho. "Prevalence of neural collapse
       during the terminal phase of deep learning training." PNAS 117 (40), 2020.
       https://doi.org/10.1073/pnas.2015509117

    Examples
    --------
    A square: ``sqrt(2/9) * 3 / 2``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_cosgram
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_cosgram(ClassStatistics.from_samples(X, np.arange(4)))
    0.7071068
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return cosgram(pairs, statistics.n_classes)


def nc2_etf_floor(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Least value of ``nc2_etf`` that the numbers of classes and features allow.

    .. math::
        \sqrt{2 - 2 \sqrt{D / (K-1)}} \quad \text{if } K > D + 1, \text{ else } 0

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Makes no difference to this metric.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)). Says nothing about collapse, only about K and D.
        Never NaN.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf_excess : What is above the floor.

    Notes
    -----
    A matrix of rank D has at most D equal eigenvalues where those of a simplex are K -
    1. The paper defines the distance; its least value follows.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    Four classes in the plane: ``sqrt(2 - 2 sqrt(2/3))``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_etf_floor
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_floor(ClassStatistics.from_samples(X, np.arange(4)))
    0.6058109
    """
    Convention.preset(convention)
    check_two_classes(statistics)
    return etf_floor(statistics.n_classes, statistics.n_features)


def nc2_etf_excess(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Excess of ``nc2_etf`` over the least value that K and D allow.

    .. math::
        \left\lVert \frac{\bar M \bar M^\top}{\lVert \bar M \bar M^\top \rVert_F}
        - \frac{I - \mathbf{1}\mathbf{1}^\top/K}{\sqrt{K-1}} \right\rVert_F
        - \sqrt{2 - 2 \sqrt{\min(1, D / (K-1))}}

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)]; lower is more collapsed. 0 at collapse and, with
        K > D + 1, where all directions have equal between-class variance. NaN if all
        class means coincide. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf : The distance itself.
    nc2_etf_floor : The least value.

    Notes
    -----
    With K > D + 1 the value 0 asks for equal variance in all directions only, not for
    equal norms or angles; see `nc2_welch` and `gnc2_margin` for these.

    References
    ----------
    .. [1] Z. Zhu, T. Ding, J. Zhou, X. Li, C. You, J. Sulam, Q. Qu. "A geometric
       analysis of neural collapse with unconstrained features." NeurIPS 2021.
       https://arxiv.org/abs/2105.02375

    Examples
    --------
    Squared singular values 8 and 2: ``sqrt(2 - 2 sqrt(100/68/3))`` is 0.7744159, the
    floor is 0.6058109.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_etf_excess
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_etf_excess(ClassStatistics.from_samples(X, np.arange(4)))
    0.1686050
    """
    value = nc2_etf(statistics, convention=convention)
    return above(value, etf_floor(statistics.n_classes, statistics.n_features))


def nc2_orthoframe(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the Gram matrix of the uncentered class means from the identity.

    .. math::
        \left\lVert \frac{A}{\lVert A \rVert_F} - \frac{I}{\sqrt{K}} \right\rVert_F,
        \qquad A = M M^\top

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Makes no difference to this metric, which never centers.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(2)); 0 if the class means are orthogonal and of one
        length, which is the collapse of networks without bias or with nonnegative
        features, and is not that of a simplex: there, ``sqrt(2 - 2 sqrt((K-1)/K))``
        about the origin. At least ``sqrt(2 - 2 sqrt(D/K))`` for K > D. NaN if all class
        means are zero. Unchanged by rotations and uniform scaling, but not by shifts.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf : The distance from a simplex, of centered class means.

    References
    ----------
    .. [1] T. Tirer, J. Bruna. "Extended unconstrained features model for exploring
       deep neural collapse." ICML 2022. https://arxiv.org/abs/2202.08087
    .. [2] H. Dang, T. Tran, S. Osher, H. Tran-The, N. Ho, T. Nguyen. "Neural
       collapse in deep linear networks: from balanced to imbalanced data." ICML
       2023. https://arxiv.org/abs/2301.00437

    Examples
    --------
    Orthogonal means of lengths 2 and 1: ``sqrt(2 - 10 / sqrt(34))``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_orthoframe
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> nc2_orthoframe(ClassStatistics.from_samples(X, np.arange(2)))
    0.5338671
    """
    Convention.preset(convention)
    check_two_classes(statistics)
    centers = statistics.centers
    # Not kept: these means are no other metric's, and as large as the centered ones.
    return orthoframe(centers.centered_means(0 * centers.counts))


def nc2_tightness(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Distance of the centered class means from a tight frame.

    .. math::
        \frac{1}{\sqrt{r}} \left\lVert \frac{r}{\lVert \bar M \rVert_F^2}
        \bar M^\top \bar M - P \right\rVert_F = \sqrt{r / \mathrm{PR} - 1}, \qquad
        r = \min(K - 1, D)

    with P the projector on the r leading principal directions of the class means and PR
    the participation ratio of the eigenvalues of :math:`\bar M^\top \bar M`.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, sqrt(r - 1)]; lower is more collapsed, 0 at collapse, and
        defined for any K and D. NaN if all class means coincide. Unchanged by shifts,
        rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_etf : For K <= D + 1 and the default center, another measure of the same.

    Notes
    -----
    r is the rank of a simplex, not that of the class means: means that span fewer
    directions are not tight. The second form is for centered means. Where the
    convention does not center, directions beyond the first r add their squared shares
    to the norm.

    References
    ----------
    .. [1] J. J. Benedetto, M. Fickus. "Finite normalized tight frames." Advances in
       Computational Mathematics 18, 2003. https://doi.org/10.1023/A:1021323312367

    Examples
    --------
    Squared singular values 8 and 2 are 8/5 and 2/5 of their mean.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_tightness
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [0.0, -1.0]])
    >>> nc2_tightness(ClassStatistics.from_samples(X, np.arange(4)))
    0.6
    """
    convention = replace(Convention.preset(convention), between="uniform")
    values = spectrum(statistics, convention).values
    return tightness(values, statistics.n_classes, statistics.n_features)


def nc2_coherence(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Greatest absolute cosine between class means.

    .. math::
        \max_{i<j} |c_{ij}|, \qquad c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center. The lower bound is that of ``center="class"``.

    Returns
    -------
    float
        Dimensionless, in [1/(K-1), 1]; lower is more collapsed, 1/(K-1) at collapse,
        the least value of means about their mean. NaN if a class mean is the global
        mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_welch : The same above its least value, for K > D.

    References
    ----------
    .. [1] T. Strohmer, R. W. Heath. "Grassmannian frames with applications to
       coding and communication." Applied and Computational Harmonic Analysis 14,
       2003. https://doi.org/10.1016/S1063-5203(03)00023-X

    Examples
    --------
    A square has opposite corners.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_coherence
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_coherence(ClassStatistics.from_samples(X, np.arange(4)))
    1.0
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return coherence(pairs, statistics.n_classes)


def nc2_welch(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Excess of the coherence of the class means over the Welch bound.

    .. math::
        \max_{i<j} |c_{ij}| - \sqrt{\frac{K - D}{D (K - 1)}} \quad \text{for } K > D

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1); lower is more collapsed. 0 for a simplex of K = D + 1
        classes and for other equiangular tight frames, which exist for few K and D and
        never for K > D (D + 1) / 2. NaN for K <= D, where there is no bound, or if a
        class mean is the global mean. Unchanged by shifts, rotations and uniform
        scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    nc2_coherence : The greatest absolute cosine.

    References
    ----------
    .. [1] L. R. Welch. "Lower bounds on the maximum cross correlation of signals."
       IEEE Transactions on Information Theory 20 (3), 1974.
       https://doi.org/10.1109/TIT.1974.1055219
    .. [2] T. Strohmer, R. W. Heath. "Grassmannian frames with applications to
       coding and communication." Applied and Computational Harmonic Analysis 14,
       2003. https://doi.org/10.1016/S1063-5203(03)00023-X

    Examples
    --------
    A square: ``1 - sqrt(1/3)``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_welch
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_welch(ClassStatistics.from_samples(X, np.arange(4)))
    0.4226497
    """
    pairs = class_mean_pairs(statistics, Convention.preset(convention))
    return welch(pairs, statistics.n_classes, statistics.n_features)


def nc2_min_angle(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Least angle between two class means, in radians.

    .. math::
        \arccos \max_{i<j} c_{ij}, \qquad c_{ij} = \cos(\bar\mu_i, \bar\mu_j)

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Radians, in [0, arccos(-1/(K-1))]; higher is more collapsed, arccos(-1/(K-1)) at
        collapse. NaN if a class mean is the global mean. Unchanged by shifts, rotations
        and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    Notes
    -----
    Small angles are taken from the distance between the two directions, of which the
    arc cosine would lose half the digits.

    References
    ----------
    .. [1] W. Liu, L. Yu, A. Weller, B. Schölkopf. "Generalizing and decoupling
       neural collapse via hyperspherical uniformity gap." ICLR 2023.
       https://arxiv.org/abs/2303.06484

    Examples
    --------
    A square: neighbors are at right angles.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import nc2_min_angle
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> nc2_min_angle(ClassStatistics.from_samples(X, np.arange(4)))
    1.5707963
    """
    convention = Convention.preset(convention)
    return min_angle(
        centered_means(statistics, convention),
        class_mean_pairs(statistics, convention),
        lambda: class_mean_directions(statistics, convention),
    )
