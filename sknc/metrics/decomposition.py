r"""
The mean squared error of a head, in parts that add up for any class counts.

With one-hot targets e_k, weight decay :math:`\lambda`, and a bias that is decayed
like the weights, the loss of a head (W, b) is

.. math::
    L(W, b) = \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i
    \lVert W x_i + b - e_{y_i} \rVert^2
    + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right].

Its least value is that of the least-squares head. Both split into a part within
classes and one of the class means, because residuals sum to zero in each class:

.. math::
    L = \tfrac{1}{2} \left[ \operatorname{tr}(W \Sigma_W W^\top)
    + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right]
    + \tfrac{1}{2} \sum_k p_k \lVert W \mu_k + b - e_k \rVert^2 .
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils.arrays import Array, device_of, gram, namespace, put_rows, tiles
from sknc._utils.parameters import check_not_negative
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.define import metric
from sknc.metrics._shared.geometry import check_observed
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics, HeldOutStatistics

_TILE_ELEMENTS = 1 << 21

_LINEAR_MAPS = (
    "rotations; without decay also by shifts and by every invertible linear map"
)
_LOSS: dict[str, Any] = {
    "needs": ("scatter",),
    "sources": (by.HAN,),
    "interval": "[0, inf)",
    "unit": "In squared units of the targets",
    "unchanged_by": "rotations of both sides",
    "raises": "If `weight_decay` is negative or not finite.",
}


@metric("MSE", ideal=None, **_LOSS)
def mse_total(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Mean squared error of the head against one-hot targets, halved, with decay.

    .. math::
        \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i \lVert W x_i + b - e_{y_i} \rVert^2
        + \lambda (\lVert W \rVert_F^2 + \lVert b \rVert^2) \right]

    See Also
    --------
    mse_lnc1, mse_lnc23, mse_lperp : Its parts, which add up to it.

    Notes
    -----
    The sum over all K outputs, not their mean, of each sample. From class means and
    scatter; the samples are not needed. Held-out samples are measured about their own
    class means. A head without bias counts as one with a bias of zero. At collapse the
    value is 0 if there is no decay and the head fits.

    Examples
    --------
    Logits (1, 0) and (0, 0) for the targets (1, 0) and (0, 1):

    >>> X = np.array([[1.0], [0.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 1]))
    >>> head = LinearHead(np.array([[1.0], [0.0]]), None)
    >>> mse_total(statistics, head)  # (0 + 1) / 2 / 2
    0.25
    >>> mse_total(statistics, head, weight_decay=0.5)  # and 0.5 * 1 / 2
    0.5
    """
    problem = _problem(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.loss(problem.map_of(head))


@metric("MSE", ideal=None, **_LOSS | {"unchanged_by": _LINEAR_MAPS})
def mse_lnc1(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Part of the least-squares loss that is due to variance within classes.

    .. math::
        \tfrac{1}{2} \left[ \operatorname{tr}(W_{LS} \Sigma_W W_{LS}^\top)
        + \lambda (\lVert W_{LS} \rVert_F^2 + \lVert b_{LS} \rVert^2) \right]

    with :math:`(W_{LS}, b_{LS})` the head of least loss for these features.

    See Also
    --------
    mse_total : The loss it is a part of.

    Notes
    -----
    The bias is eliminated, which leaves a symmetric D x D system of the centered
    features, solved by its eigenvectors. Eigenvalues at or below max(K, D) * 2.2e-16 of
    the largest count as zero, which makes the solution a pseudo-inverse where features
    are linearly dependent and nothing decays; every least-squares head gives the same
    parts then. Directions that do vary, but by less than that, are left out too, and
    the parts then add up only as far. Of the head only the number of rows matters.
    Without decay the value at collapse is 0.

    Examples
    --------
    Two classes at +2 and -2, each of variance 1: the least-squares weights are
    (1, -1) / 5, and 2 / 25 is their variance.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lnc1(statistics, LinearHead(np.array([[1.0], [0.0]]), None))
    0.04
    """
    problem = _problem(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.within(problem.least_squares(head.weights.shape[0]))


@metric("MSE", ideal=None, **_LOSS | {"unchanged_by": _LINEAR_MAPS})
def mse_lnc23(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Part of the least-squares loss that is due to where the class means lie.

    .. math::
        \tfrac{1}{2} \sum_k p_k \lVert W_{LS} \mu_k + b_{LS} - e_k \rVert^2

    with :math:`(W_{LS}, b_{LS})` the head of least loss for these features and p_k
    the share of the samples that are of class k.

    See Also
    --------
    mse_total : The loss it is a part of.
    mse_lnc1 : Says how the least-squares head is found.

    Notes
    -----
    Of the head only the number of rows matters. Without decay the value at collapse is
    0.

    Examples
    --------
    Two classes at +2 and -2, each of variance 1: the least-squares head takes the
    means to (0.9, 0.1) and (0.1, 0.9), so each is off by 0.02.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lnc23(statistics, LinearHead(np.array([[1.0], [0.0]]), None))
    0.01
    """
    problem = _problem(statistics, weight_decay)
    if problem is None:
        return math.nan
    return problem.of_means(problem.least_squares(head.weights.shape[0]), target=1.0)


@metric("MSE", **_LOSS)
def mse_lperp(
    statistics: AnyStatistics, head: LinearHead, *, weight_decay: float = 0.0
) -> float:
    r"""
    Loss of the head over that of the least-squares head.

    .. math::
        \tfrac{1}{2} \left[ \tfrac{1}{N} \sum_i \lVert \Delta W x_i + \Delta b
        \rVert^2 + \lambda (\lVert \Delta W \rVert_F^2 + \lVert \Delta b \rVert^2)
        \right], \qquad \Delta = (W, b) - (W_{LS}, b_{LS})

    See Also
    --------
    mse_total : The loss it is a part of.
    mse_lnc1 : Says how the least-squares head is found.

    Notes
    -----
    Computed from the difference of the heads, so that it is not the small difference of
    two losses. It is 0 on the central path, where the head is the least-squares head.
    That one has a bias even if the given head has none.

    Examples
    --------
    Two classes at +2 and -2, each of variance 1: the least-squares head is
    ``+-x / 5 + 1/2``, and a head of zeros is off by ``2 (1/5 + 1/4)``, halved.

    >>> X = np.array([[3.0], [1.0], [-1.0], [-3.0]])
    >>> statistics = ClassStatistics.from_samples(X, np.array([0, 0, 1, 1]))
    >>> mse_lperp(statistics, LinearHead(np.zeros((2, 1)), None))
    0.45
    """
    problem = _problem(statistics, weight_decay)
    if problem is None:
        return math.nan
    given, best = problem.map_of(head), problem.least_squares(head.weights.shape[0])
    return problem.loss(given.minus(best), target=0.0)


# The affine map and the problem it solves ----------------------------------------


@dataclass(frozen=True, eq=False)
class _AffineMap:
    """
    An affine map of features, ``W (x - mean) + level = W x + b``.

    The level is kept beside the bias because far from the origin the bias has lost
    the digits that tell the level.
    """

    weights: Array
    bias: Array
    level: Array

    def minus(self, other: "_AffineMap") -> "_AffineMap":
        """Return the difference of two maps."""
        return _AffineMap(
            self.weights - other.weights,
            self.bias - other.bias,
            self.level - other.level,
        )


@dataclass(frozen=True, eq=False)
class _Problem:
    """
    Regression of one-hot targets on features, by their moments.

    Parameters
    ----------
    statistics : ClassStatistics
        The samples' own, of classes that all have samples, with scatter.
    rows : ndarray of shape (n_observed,)
        Output that belongs to each of these classes.
    weight_decay : float
        Factor of the squared norms.
    """

    statistics: ClassStatistics
    rows: np.ndarray
    weight_decay: float

    @property
    def shares(self) -> Array:
        """Share of the samples in each class."""
        counts = self.statistics.counts
        return counts / namespace(counts).sum(counts)

    @property
    def mean(self) -> Array:
        """Mean of the samples, (D,)."""
        return self.shares @ self.statistics.class_means

    @property
    def means(self) -> Array:
        """Class means about the mean of the samples."""
        samples, shares = self.statistics, self.shares
        key = ("centered_means", "sample")
        return samples.cached(key, lambda: samples.centered_means(shares))

    @property
    def within_covariance(self) -> Array:
        """Covariance within classes, (D, D)."""
        counts = self.statistics.counts
        return self.statistics.within_scatter / namespace(counts).sum(counts)

    def map_of(self, head: LinearHead) -> _AffineMap:
        """Return the map of a head; no bias is a bias of zero."""
        xp = namespace(head.weights)
        bias = xp.zeros_like(head.weights[:, 0]) if head.bias is None else head.bias
        return _AffineMap(head.weights, bias, head.weights @ self.mean + bias)

    def loss(self, affine: _AffineMap, target: float = 1.0) -> float:
        """Return the loss against one-hot targets of that height."""
        return self.within(affine) + self.of_means(affine, target)

    def within(self, affine: _AffineMap) -> float:
        """Return the loss due to variance in classes, and to decay."""
        xp = namespace(affine.weights)
        along = affine.weights @ self.within_covariance
        # Rounding may leave it slightly negative; in this order NaN passes.
        variance = max(float(xp.sum(along * affine.weights)), 0.0)
        if not self.weight_decay:
            return variance / 2
        squares = float(xp.sum(affine.weights**2) + xp.sum(affine.bias**2))
        return (variance + self.weight_decay * squares) / 2

    def of_means(self, affine: _AffineMap, target: float) -> float:
        """Return the loss of the class means, in tiles of classes."""
        xp, device = namespace(affine.weights), device_of(affine.weights)
        n_outputs = affine.weights.shape[0]
        outputs = xp.arange(n_outputs, device=device)
        total = xp.zeros((), dtype=affine.weights.dtype, device=device)
        for tile in tiles(len(self.rows), max(1, _TILE_ELEMENTS // n_outputs)):
            own = xp.asarray(self.rows[tile], device=device)[:, None]
            wanted = target * xp.astype(own == outputs[None, :], total.dtype)
            gaps = self.means[tile, :] @ affine.weights.T + (affine.level - wanted)
            total = total + self.shares[tile] @ xp.sum(gaps**2, axis=1)
        return float(total) / 2

    def least_squares(self, n_outputs: int) -> _AffineMap:
        """Return the map of least loss, computed once for these statistics."""
        key = ("least_squares", n_outputs, self.rows.tobytes(), self.weight_decay)
        return self.statistics.cached(key, lambda: self._least_squares(n_outputs))

    def _least_squares(self, n_outputs: int) -> _AffineMap:
        # With the best bias for given weights, (p - W mean) / (1 + decay), the loss
        # is that of centered features and targets, plus a decay along the mean.
        means, shares, mean = self.means, self.shares, self.mean
        xp = namespace(means)
        shrunk = self.weight_decay / (1 + self.weight_decay)
        system = self.within_covariance + gram(means * xp.sqrt(shares)[:, None])
        moments = self._on_outputs(means * shares[:, None], n_outputs)
        levels = self._on_outputs(shares[:, None], n_outputs)[:, 0]
        if self.weight_decay:
            shape, device = mean.shape[0], device_of(mean)
            identity = xp.eye(shape, dtype=mean.dtype, device=device)
            system = system + self.weight_decay * identity
            system = system + shrunk * (mean[:, None] * mean[None, :])
            moments = moments + shrunk * (levels[:, None] * mean[None, :])
        weights = _times_pseudo_inverse(moments, system)
        along = weights @ mean
        bias = (levels - along) / (1 + self.weight_decay)
        return _AffineMap(weights, bias, levels - shrunk * (levels - along))

    def _on_outputs(self, rows: Array, n_outputs: int) -> Array:
        """Return the rows of classes as rows of outputs, zero for other outputs."""
        xp, device = namespace(rows), device_of(rows)
        shape = (n_outputs, rows.shape[1])
        blank = xp.zeros(shape, dtype=rows.dtype, device=device)
        return put_rows(blank, xp.asarray(self.rows, device=device), rows)


def _times_pseudo_inverse(rows: Array, symmetric: Array) -> Array:
    """Return ``rows symmetric^+`` for a positive semidefinite matrix."""
    xp = namespace(symmetric)
    values, vectors = xp.linalg.eigh(symmetric)
    relative = max(rows.shape) * float(xp.finfo(values.dtype).eps)
    kept = values > relative * float(values[-1])
    inverse = xp.where(kept, 1 / xp.where(kept, values, 1.0), 0.0)
    return ((rows @ vectors) * inverse) @ vectors.T


def _problem(statistics: AnyStatistics, weight_decay: float) -> _Problem | None:
    """Return the regression of the samples, or None without their scatter."""
    check_observed(statistics)
    weight_decay = check_not_negative("weight_decay", weight_decay)
    samples: ClassStatistics = (
        statistics.samples if isinstance(statistics, HeldOutStatistics) else statistics
    )
    if samples.moments.scatter is None:
        return None
    seen = samples.observed_only()
    return _Problem(seen, np.asarray(samples.observed), float(weight_decay))
