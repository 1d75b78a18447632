"""NC5: out-of-distribution samples are orthogonal to all classes."""

import math

from sknc._utils.arrays import (
    Array,
    move_like,
    namespace,
)
from sknc.convention import Convention
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import centered_means, check_two_classes
from sknc.metrics._shared.rows import unit_rows
from sknc.metrics.ood_scores import neco_scores
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics

_RAISES = (
    "If fewer than two classes have samples, or `ood_mean` does not have D features."
)
_ZERO_MEAN = when.otherwise("`ood_mean` or a class mean is zero")
_AT_CENTER = when.otherwise("`ood_mean` or a class mean is the global mean")
_NO_LENGTH = when.otherwise("there are no samples, or one equals the mean")


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
    nc5_orthogonality_centered : Independent of the origin.

    Notes
    -----
    After a ReLU, features and so cosines are non-negative; the value is then zero only
    if the active units are disjoint.

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
    nc5_orthogonality : As published, without centering.

    Notes
    -----
    At collapse `nc5_orthogonality` is zero if the OOD mean is orthogonal to the span of
    the uncentered class means. This one is zero if its offset from the global mean is
    orthogonal to the simplex, wherever the origin is.

    Examples
    --------
    Seen from (1/2, 1/2), the OOD mean is on the line through both class means:

    >>> statistics = ClassStatistics.from_samples(np.eye(2), np.array([0, 1]))
    >>> nc5_orthogonality_centered(statistics, np.array([3.0, -2.0]))
    1.0
    """
    convention = Convention.preset(convention)
    centers = statistics.centers.observed_only()
    means = centered_means(centers, convention)
    if convention.center == "none":
        return _mean_absolute_cosine(means, _mean_about(None, ood_mean, means))
    # Both relative to a point among the features, so a common offset costs no digits.
    xp, weights = namespace(means), convention.center_weights(centers.counts)
    origin = xp.astype(centers.moments.anchors[0, :], xp.float64)
    offset = _mean_about(origin, ood_mean, means) - weights @ centers.means_about(
        origin
    )
    return _mean_absolute_cosine(means, offset)


@metric(
    "NC5",
    needs=("scatter",),
    lower_is_collapsed=None,
    ideal="1 for the fitted classes, lower otherwise",
    sources=(by.AMMAR,),
    interval="[0, 1]",
    undefined=(_NO_LENGTH,),
    unchanged_by="shifts, rotations and uniform scaling of all samples",
    raises=(
        "If fewer than two classes have samples, the scatter was not kept, `X` does "
        "not have D features, or `n_directions` is not in 1, ..., D."
    ),
)
def nc5_neco(
    statistics: AnyStatistics, X: Array, *, n_directions: int | None = None
) -> float:
    r"""
    Mean fraction of the samples' length that lies in the principal subspace.

    .. math::
        \operatorname{mean}_i \lVert P_d z_i \rVert / \lVert z_i \rVert, \qquad
        z_i = x_i - \mu_S

    Parameters
    ----------
    n_directions : int, optional
        Number d of directions, by default K - 1, at most D.

    See Also
    --------
    neco_scores : The score of each sample, and how it differs from the paper.

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
    """Return the mean of out-of-distribution samples minus a point, (D,)."""
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
    return min(float(xp.mean(xp.abs(cosines))), 1.0)  # this order keeps NaN
