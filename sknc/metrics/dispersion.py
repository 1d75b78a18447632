"""GNC2: the directions of the class means spread evenly over the unit sphere."""

from sknc._parameters import check_positive
from sknc.convention import Convention
from sknc.held_out import AnyStatistics
from sknc.metrics._frames import directions_of


def gnc2_energy_log(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Logarithmic energy of the directions of the class means.

    .. math::
        \operatorname{mean}_{i<j} \log \frac{1}{\lVert u_i - u_j \rVert},
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [-log(2), inf]; lower is more collapsed, ``-log(2K/(K-1)) /
        2`` at collapse. Infinite if two directions coincide. NaN if a class mean is the
        global mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    gnc2_dispersion_log : The variance of the same values.

    Notes
    -----
    Differs from the energy over all ordered pairs by the number of pairs only.

    References
    ----------
    .. [1] W. Liu, L. Yu, A. Weller, B. Schölkopf. "Generalizing and decoupling
       neural collapse via hyperspherical uniformity gap." ICLR 2023.
       https://arxiv.org/abs/2303.06484
    .. [2] R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large)
       language models." NeurIPS 2024. https://arxiv.org/abs/2405.17767

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice: ``-2/3 log(2)``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.dispersion import gnc2_energy_log
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_energy_log(ClassStatistics.from_samples(X, np.arange(4)))
    -0.4620981
    """
    convention = Convention.preset(convention)
    return directions_of(statistics, convention).log_energy.mean


def gnc2_dispersion_log(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variance over pairs of the logarithmic energies of the directions.

    .. math::
        \operatorname{var}_{i<j} \log \frac{1}{\lVert u_i - u_j \rVert},
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, inf); lower is more collapsed, 0 at collapse and for two
        classes, which have one pair. NaN if two directions coincide or a class mean is
        the global mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    gnc2_energy_log : The mean of the same values.

    Notes
    -----
    The variance has divisor "number of pairs".

    References
    ----------
    .. [1] R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large)
       language models." NeurIPS 2024. https://arxiv.org/abs/2405.17767

    Examples
    --------
    A square: values ``-log(2)/2`` four times and ``-log(2)`` twice, ``log(2)^2 / 18``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.dispersion import gnc2_dispersion_log
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_dispersion_log(ClassStatistics.from_samples(X, np.arange(4)))
    0.0266918
    """
    convention = Convention.preset(convention)
    summary = directions_of(statistics, convention).log_energy
    return summary.population_variance


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
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.
    power : float, default=1.0
        The positive exponent s.

    Returns
    -------
    float
        Dimensionless, in [2^-s, inf]; lower is more collapsed, ``(2K/(K-1))^(-s/2)`` at
        collapse. Infinite if two directions coincide. NaN if a class mean is the global
        mean. Unchanged by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples,
        or if `power` is not positive.

    See Also
    --------
    gnc2_energy_log : The limit of ``(energy - 1) / s`` for s to 0.

    Notes
    -----
    Some published code takes s = D - 2, for which the energy of a few hundred features
    underflows or is that of the closest pair alone.

    References
    ----------
    .. [1] W. Liu, L. Yu, A. Weller, B. Schölkopf. "Generalizing and decoupling
       neural collapse via hyperspherical uniformity gap." ICLR 2023.
       https://arxiv.org/abs/2303.06484

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.dispersion import gnc2_energy_riesz
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_energy_riesz(ClassStatistics.from_samples(X, np.arange(4)))
    0.6380712
    """
    check_positive("power", power)
    convention = Convention.preset(convention)
    return directions_of(statistics, convention, power).riesz_energy.mean


def gnc2_dispersion_distance(
    statistics: AnyStatistics, *, convention: str | Convention = "default"
) -> float:
    r"""
    Variance over pairs of the distances between directions of class means.

    .. math::
        \operatorname{var}_{i<j} \lVert u_i - u_j \rVert,
        \qquad u_k = \bar\mu_k / \lVert \bar\mu_k \rVert

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes.
    convention : str or Convention, default="default"
        Its center.

    Returns
    -------
    float
        Dimensionless, in [0, 1]; lower is more collapsed, 0 at collapse and for two
        classes, which have one pair. NaN if a class mean is the global mean. Unchanged
        by shifts, rotations and uniform scaling.

    Raises
    ------
    ValueError
        If fewer than two classes have samples.

    See Also
    --------
    gnc2_dispersion_log : The same for the logarithms of the distances.

    Notes
    -----
    The variance has divisor "number of pairs".

    References
    ----------
    .. [1] R. Wu, V. Papyan. "Linguistic collapse: neural collapse in (large)
       language models." NeurIPS 2024. https://arxiv.org/abs/2405.17767

    Examples
    --------
    A square has distances sqrt(2) four times and 2 twice: ``2/9 (2 - sqrt(2))^2``.

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.dispersion import gnc2_dispersion_distance
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> gnc2_dispersion_distance(ClassStatistics.from_samples(X, np.arange(4)))
    0.0762546
    """
    convention = Convention.preset(convention)
    return directions_of(statistics, convention).distance.population_variance
