"""More NC3: which aspects of the head and the class means agree."""

import math
from typing import Literal

from sknc._utils.arrays import Array, device_of, namespace, row_squared_norms, tiles
from sknc._utils.parameters import check_choice
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import centered_means, spectrum
from sknc.metrics._shared.rows import relative_spread, unit_rows
from sknc.statistics.held_out import AnyStatistics

_TILE_ROWS = 512  # square tiles of 2 MiB stay in cache

_SCHOENEMANN = by.Source(
    "Schönemann 1966",
    'P. H. Schönemann. "A generalized solution of the orthogonal Procrustes problem." '
    "Psychometrika 31, 1966.",
    "doi:10.1007/BF02289451",
)
_EACH_SIDE = "shifts, and by separate rotations and scaling of either side"


@metric(
    "NC3",
    sources=(by.after(by.WU),),
    interval="[0, 1] for cosines",
    undefined=(when.ZERO_ROW, *when.NO_DIRECTION),
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
    raises="If fewer than two classes have samples, or `product` is invalid.",
)
def nc3_uniform_duality(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
    product: Literal["cosine", "dot"] = "cosine",
) -> float:
    r"""
    Variance over classes of the alignment of head and class mean.

    .. math::
        \operatorname{var}_k \cos(w_k, \bar\mu_k)
        \quad\text{or}\quad \operatorname{var}_k \langle w_k, \bar\mu_k \rangle

    Parameters
    ----------
    product : {"cosine", "dot"}, default="cosine"
        Whether rows and means are scaled to unit length first.

    Notes
    -----
    The variance has divisor K. It is also zero if all classes are equally badly
    aligned, which `nc3_cosine` reveals. Called UNC3 in [1]_, whose code uses the sample
    variance, with divisor K - 1. The variance of dot products is in [0, inf), in units
    of the squared logits, and depends on scale.

    Examples
    --------
    One row is aligned, the other orthogonal: cosines 1 and 0.

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[4.0, 0.0], [0.0, 2.0]]), None)
    >>> nc3_uniform_duality(statistics, head)
    0.25
    >>> nc3_uniform_duality(statistics, head, product="dot")  # of 4 and 0
    4.0
    """
    check_choice("product", product, ("cosine", "dot"))
    means = centered_means(statistics, Convention.preset(convention))
    xp = namespace(means)
    if product == "dot":
        return float(xp.var(xp.sum(head.weights * means, axis=1)))
    # cos = 1 - |u - v|^2 / 2, whose spread keeps its digits for cosines near 1.
    gaps = row_squared_norms(unit_rows(head.weights) - unit_rows(means))
    return float(xp.var(gaps)) / 4


@metric(
    "NC3",
    sources=(by.after(by.PAPYAN, "who compare angles"),),
    interval="[0, sqrt(2)]",
    undefined=(when.ZERO_ROW, *when.NO_DIRECTION),
    unchanged_by=(
        "shifts, and by separate rotations of either side and positive scaling of any "
        "row"
    ),
)
def nc3_gram(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Difference between the cosines of the class means and those of the head.

    .. math::
        \tfrac{1}{K} \lVert U_M U_M^\top - U_W U_W^\top \rVert_F

    with :math:`U_M` and :math:`U_W` the rows of the centered class means and of the
    head, scaled to unit length.

    See Also
    --------
    nc3_procrustes : Also independent of rotations, but not of the norms of rows.

    Notes
    -----
    The difference is formed in tiles of classes, in O(K^2 D) time and O(K D) memory.
    Expanding it into D x D products would lose half its digits near zero.

    Examples
    --------
    The means have a cosine of -1, the rows one of 0: sqrt(2) / 2.

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> nc3_gram(statistics, LinearHead(np.array([[4.0, 0.0], [0.0, 2.0]]), None))
    0.7071068
    """
    means = centered_means(statistics, Convention.preset(convention))
    squared = _squared_gram_distance(unit_rows(means), unit_rows(head.weights))
    return math.sqrt(squared) / statistics.n_classes


@metric(
    "NC3",
    sources=(by.after(by.PAPYAN), _SCHOENEMANN),
    interval="[0, 1]",
    undefined=(when.ZERO_WEIGHTS, when.MEANS_COINCIDE),
    unchanged_by=_EACH_SIDE,
)
def nc3_procrustes(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Distance of the head from the class means that no rotation removes.

    .. math::
        1 - \frac{\lVert W^\top \bar M \rVert_*}
        {\lVert W \rVert_F \lVert \bar M \rVert_F}
        = \tfrac{1}{2} \min_{R^\top R = I} \left\lVert
        \frac{W R}{\lVert W \rVert_F} - \frac{\bar M}{\lVert \bar M \rVert_F}
        \right\rVert_F^2

    See Also
    --------
    nc3_self_duality : The same distance without a rotation.

    Notes
    -----
    If this is zero and `nc3_self_duality` is not, both have the same shape but are
    rotated. The least distance is computed directly, because one minus the nuclear norm
    would lose small values. Takes a singular value decomposition of size min(K, D).

    Examples
    --------
    A head that is rotated by 90 degrees, and one with a different shape:

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[0.0, 1.0], [0.0, -1.0]]), None)
    >>> round(nc3_procrustes(statistics, head), 12)
    0.0
    >>> nc3_procrustes(statistics, LinearHead(np.eye(2), None))  # 1 - sqrt(2) / 2
    0.2928932
    """
    means = centered_means(statistics, Convention.preset(convention))
    xp = namespace(means)
    norms = [float(xp.linalg.matrix_norm(rows)) for rows in (head.weights, means)]
    if not all(norms):
        return math.nan
    rows = _short_rows(head.weights / norms[0])
    targets = _short_rows(means / norms[1])
    left, _, right = xp.linalg.svd(rows.T @ targets)
    return float(xp.linalg.matrix_norm(rows @ (left @ right) - targets)) ** 2 / 2


@metric(
    "NC3",
    sources=(by.after(by.PAPYAN, "the part of self-duality due to norms"),),
    interval="[0, sqrt(K)]",
    undefined=(when.ZERO_WEIGHTS, *when.NO_DIRECTION),
    unchanged_by=_EACH_SIDE,
)
def nc3_norm_ratio(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Coefficient of variation of the ratio of the norms of head and means.

    .. math::
        \operatorname{std}_k \rho_k / \operatorname{mean}_k \rho_k, \qquad
        \rho_k = \lVert w_k \rVert / \lVert \bar\mu_k \rVert

    Notes
    -----
    The standard deviation has divisor K - 1. Self-duality requires aligned directions,
    see `nc3_cosine`, and proportional norms, which this measures.

    Examples
    --------
    Ratios 3 and 1: standard deviation sqrt(2), mean 2.

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> nc3_norm_ratio(statistics, LinearHead(np.array([[0, 3.0], [1, 0]]), None))
    0.7071068
    """
    means = centered_means(statistics, Convention.preset(convention))
    xp = namespace(means)
    norms = xp.sqrt(row_squared_norms(means))
    defined = xp.where(norms > 0, norms, xp.nan)
    return relative_spread(xp.sqrt(row_squared_norms(head.weights)) / defined)


@metric(
    "NC3",
    lower_is_collapsed=False,
    ideal=1.0,
    sources=(by.RANGAMANI,),
    interval="[0, 1]",
    undefined=(when.ZERO_WEIGHTS, when.NO_RANK),
    unchanged_by="shifts, rotations of both sides, and positive scaling of either",
)
def nc3_principal_angles(
    statistics: AnyStatistics,
    head: LinearHead,
    *,
    convention: str | Convention = "default",
) -> float:
    r"""
    Mean cosine of the principal angles between the spans of head and means.

    .. math::
        \tfrac{1}{r} \lVert V_W^\top V_M \rVert_*

    with :math:`V_M` an orthonormal basis of the span of the centered class means, of
    dimension r, and :math:`V_W` the first r right singular vectors of W.

    Notes
    -----
    It is one whenever the means span all D dimensions and the head has full rank. A
    head of rank q < r has no direction for r - q of the angles, which count as right
    angles. If the r-th and the next singular value of W are equal, the span of the
    first r, and so the value, is not unique.

    Examples
    --------
    The means span the first axis, the head a line at 60 degrees to it:

    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> row = np.array([1.0, 3.0**0.5])
    >>> nc3_principal_angles(statistics, LinearHead(np.stack([row, -row]), None))
    0.5
    """
    found = spectrum(statistics, Convention.preset(convention))
    xp = namespace(head.weights)
    _, values, directions = xp.linalg.svd(head.weights, full_matrices=False)
    largest = float(values[0])
    if not found.rank or not largest:
        return math.nan
    cutoff = max(head.weights.shape) * float(xp.finfo(values.dtype).eps) * largest
    rank = int(xp.sum(xp.astype(values > cutoff, xp.int64)))
    between = directions[: min(rank, found.rank), :] @ found.directions.T
    cosines = xp.linalg.svdvals(between)
    return min(float(xp.sum(cosines)) / found.rank, 1.0)


def _squared_gram_distance(left: Array, right: Array) -> float:
    """Return ``|left left^T - right right^T|^2``, from tiles of one triangle."""
    xp = namespace(left)
    total = xp.zeros((), dtype=left.dtype, device=device_of(left))
    edges = list(tiles(left.shape[0], _TILE_ROWS))
    for place, rows in enumerate(edges):
        for cols in edges[place:]:
            gap = left[rows, :] @ left[cols, :].T - right[rows, :] @ right[cols, :].T
            total = total + (1 if cols == rows else 2) * xp.sum(gap * gap)
    return float(total)


def _short_rows(rows: Array) -> Array:
    """Return the rows in coordinates of their span, if it is smaller than D."""
    if rows.shape[0] >= rows.shape[1]:
        return rows
    return namespace(rows).linalg.qr(rows.T)[1].T
