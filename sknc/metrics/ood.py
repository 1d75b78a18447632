"""NC5: samples of no class are orthogonal to all classes."""

import math

from sknc._utils.arrays import (
    Array,
    device_of,
    gram,
    move_like,
    namespace,
    plain_arithmetic,
    row_squared_norms,
    tiles,
)
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_integer
from sknc.convention import Convention
from sknc.metrics._catalogue import conditions as when
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import centered_means, check_two_classes, sample_mean
from sknc.metrics._shared.rows import unit_rows
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics

_TILE_ELEMENTS = 1 << 19  # 4 MiB of float64

_RAISES = "If fewer than two classes have samples, or `ood_mean` is not of D features."
_ZERO_MEAN = when.otherwise("`ood_mean` or a class mean is zero")
_AT_CENTER = when.otherwise("`ood_mean` or a class mean is the global mean")
_NO_LENGTH = when.otherwise("there are no samples, or one is at the mean")


@metric(
    "NC5",
    sources=(by.AMMAR,),
    interval="[0, 1]",
    undefined=(_ZERO_MEAN,),
    unchanged_by="rotations and uniform scaling, but not by shifts",
    raises=_RAISES,
)
def nc5_orthogonality(
    statistics: AnyStatistics, ood_mean: Array | ClassStatistics
) -> float:
    r"""
    Mean absolute cosine between class means and the out-of-distribution mean.

    .. math::
        \operatorname{mean}_k \left| \cos(\mu_k, \mu_{OOD}) \right|

    See Also
    --------
    nc5_orthogonality_centered : Tells whether it is an effect of the origin.

    Notes
    -----
    Non-negative features, as behind a ReLU, have non-negative cosines: there it takes
    disjoint units to be zero.

    Examples
    --------
    Cosines 3/5 and 4/5:

    >>> statistics = ClassStatistics.from_samples(np.eye(2), np.array([0, 1]))
    >>> nc5_orthogonality(statistics, np.array([3.0, -4.0]))
    0.7
    """
    centers = statistics.centers.observed_only()
    check_two_classes(centers)
    means = centers.class_means
    return _mean_absolute_cosine(means, _mean_about(None, ood_mean, means))


@metric(
    "NC5",
    ideal=None,
    sources=(by.after(by.AMMAR, "centered"),),
    interval="[0, 1]",
    undefined=(_AT_CENTER,),
    unchanged_by="shifts of all samples, rotations and uniform scaling",
    raises=_RAISES,
)
def nc5_orthogonality_centered(
    statistics: AnyStatistics,
    ood_mean: Array | ClassStatistics,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Mean absolute cosine between class means and the OOD mean, all centered.

    .. math::
        \operatorname{mean}_k \left| \cos(\mu_k - \mu_G, \mu_{OOD} - \mu_G) \right|

    See Also
    --------
    nc5_orthogonality : As published, without a center.

    Notes
    -----
    At collapse the published one is zero for an OOD mean that is orthogonal to the span
    of the uncentered class means; this one for an OOD mean whose offset from the global
    mean is orthogonal to the simplex, wherever the origin is.

    Examples
    --------
    Seen from (1/2, 1/2) the OOD mean is on the line through both class means:

    >>> statistics = ClassStatistics.from_samples(np.eye(2), np.array([0, 1]))
    >>> nc5_orthogonality_centered(statistics, np.array([3.0, -2.0]))
    1.0
    """
    convention = Convention.preset(convention)
    centers = statistics.centers.observed_only()
    means = centered_means(centers, convention)
    if convention.center == "none":
        return _mean_absolute_cosine(means, _mean_about(None, ood_mean, means))
    # Both about a point among the features, so that a common offset costs no digits.
    xp, weights = namespace(means), convention.center_weights(centers.counts)
    origin = xp.astype(centers.moments.anchors[0, :], xp.float64)
    offset = _mean_about(origin, ood_mean, means) - weights @ centers.means_about(
        origin
    )
    return _mean_absolute_cosine(means, offset)


@documented(by.references(by.AMMAR))
def neco_scores(
    statistics: AnyStatistics, X: Array, *, n_directions: int | None = None
) -> Array:
    r"""
    Share of each sample's length that lies in the principal subspace.

    .. math::
        \lVert P_d z \rVert / \lVert z \rVert, \qquad z = x - \mu_S

    with :math:`\mu_S` the mean of the fitted samples and :math:`P_d` the projection
    on the first d principal directions of their total covariance.

    Parameters
    ----------
    statistics : ClassStatistics or HeldOutStatistics
        Statistics of K classes of D features, with their scatter. Of held-out ones
        the fitted samples, from which the centers come.
    X : array of shape (B, D)
        Features to score, in any array library.
    n_directions : int, optional
        Number d of directions, by default K - 1, at most D.

    Returns
    -------
    array of shape (B,)
        In [0, 1], float64, in the library and on the device of the statistics; high
        for samples like the fitted ones, 1 at collapse, low for others. NaN for a
        sample at the mean. Unchanged by shifts, rotations and uniform scaling of
        all samples.

    Raises
    ------
    ValueError
        If fewer than two classes have samples, the scatter was not kept, `X` is not
        of D features, or `n_directions` is not in 1, ..., D.

    See Also
    --------
    nc5_neco : The mean score.

    Notes
    -----
    The NECO score of [1]_ without its factor, the largest logit, and without
    standardizing the features, which its code does first. Where the d-th and the next
    variance are equal the directions are not unique.

    Examples
    --------
    The fitted samples vary most along the first axis:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics.ood import neco_scores
    >>> X = np.array([[9.0, 1], [9, -1], [-9, 1], [-9, -1]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> neco_scores(statistics, np.array([[5.0, 0], [3, 4], [0, 2]]))
    array([1. , 0.6, 0. ])
    """
    centers = statistics.centers.observed_only()
    check_two_classes(centers)
    n_features = centers.n_features
    if n_directions is None:
        n_directions = min(centers.n_classes - 1, n_features)
    expected = f"a whole number in 1, ..., {n_features}"
    check_integer(
        "n_directions", n_directions, expected, lambda n: 1 <= n <= n_features
    )
    if X.ndim != 2 or X.shape[1] != n_features:
        msg = f"X must be of shape (B, {n_features}), got {tuple(X.shape)}."
        raise ValueError(msg)
    directions = _principal_directions(centers)[:, -n_directions:]
    return _shares_of_length(X, sample_mean(centers), directions)


@metric(
    "NC5",
    needs=("scatter",),
    lower_is_collapsed=None,
    ideal="1 for the fitted classes, lower elsewhere",
    sources=(by.AMMAR,),
    interval="[0, 1]",
    undefined=(_NO_LENGTH,),
    unchanged_by="shifts, rotations and uniform scaling of all samples",
    raises=(
        "If fewer than two classes have samples, the scatter was not kept, `X` is not "
        "of D features, or `n_directions` is not in 1, ..., D."
    ),
)
def nc5_neco(
    statistics: AnyStatistics, X: Array, *, n_directions: int | None = None
) -> float:
    r"""
    Mean share of the samples' length that lies in the principal subspace.

    .. math::
        \operatorname{mean}_i \lVert P_d z_i \rVert / \lVert z_i \rVert, \qquad
        z_i = x_i - \mu_S

    Parameters
    ----------
    n_directions : int, optional
        Number d of directions, by default K - 1, at most D.

    See Also
    --------
    neco_scores : The score of each sample, and how it differs from the paper's.

    Examples
    --------
    Scores 1, 3/5 and 0:

    >>> X = np.array([[9.0, 1], [9, -1], [-9, 1], [-9, -1]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> nc5_neco(statistics, np.array([[5.0, 0], [3, 4], [0, 2]]))
    0.5333333
    """
    scores = neco_scores(statistics, X, n_directions=n_directions)
    return float(namespace(scores).mean(scores)) if scores.shape[0] else math.nan


def _mean_about(
    origin: Array | None, ood_mean: Array | ClassStatistics, like: Array
) -> Array:
    """Return the mean of samples that belong to no class, less a point, (D,)."""
    if isinstance(ood_mean, ClassStatistics):
        return ood_mean.means_about(origin)[0, :]
    moved = move_like(ood_mean, like, namespace(like).float64)
    if moved.shape != like.shape[1:]:
        msg = f"ood_mean must be of shape {tuple(like.shape[1:])}, got {moved.shape}."
        raise ValueError(msg)
    return moved if origin is None else moved - origin


def _mean_absolute_cosine(rows: Array, vector: Array) -> float:
    xp = namespace(rows)
    cosines = unit_rows(rows) @ unit_rows(vector[None, :])[0, :]
    return min(float(xp.mean(xp.abs(cosines))), 1.0)  # in this order NaN passes


def _principal_directions(samples: ClassStatistics) -> Array:
    """Return the eigenvectors of the total covariance, by ascending variance."""
    scatter = samples.within_scatter
    if scatter is None:
        msg = "NECO needs the scatter, which covariance=False does not keep."
        raise ValueError(msg)

    def eigenvectors() -> Array:
        xp, counts = namespace(samples.counts), samples.counts
        means = samples.centered_means(counts / xp.sum(counts))
        total = scatter + gram(means * xp.sqrt(counts)[:, None])
        return xp.linalg.eigh(total)[1]

    return samples.cached(("principal_directions",), eigenvectors)


def _shares_of_length(X: Array, mean: Array, directions: Array) -> Array:
    """Return ``|(x - mean) directions| / |x - mean|`` of each row, in blocks."""
    xp = namespace(mean)
    parts = [xp.zeros((0,), dtype=mean.dtype, device=device_of(mean))]
    with plain_arithmetic(mean):
        for block in tiles(X.shape[0], max(1, _TILE_ELEMENTS // X.shape[1])):
            rows = move_like(X[block, :], mean, xp.float64) - mean
            lengths = row_squared_norms(rows)
            lengths = xp.where(lengths > 0, lengths, xp.nan)
            shares = xp.sqrt(row_squared_norms(rows @ directions) / lengths)
            parts.append(xp.where(shares > 1, xp.ones_like(shares), shares))
    return xp.concat(parts)
