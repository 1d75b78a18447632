"""Mergeable second moments of features and targets, for regression."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.cached import Cached
from sknc._utils.numeric import checked_targets, positive_weights
from sknc._utils.parameters import refuse
from sknc.statistics._accumulation import JointAccumulator
from sknc.statistics._merge_checks import check_same_layer
from sknc.statistics._moments import Moments

# As in `_accumulation.anchors`: from here on an anchor costs digits.
_MOST_OF_SQUARES, _MOST_EIGENVALUES = 0.9, 8.0

_frozen = partial(arrays.read_only, copy=False)


@dataclass(frozen=True, eq=False)
class RegressionStatistics(Cached):
    """
    Means and covariances of features and targets, and of the directions of features.

    A commutative monoid: `merge` combines the statistics of two samples, in any order.
    Memory is O((D + n)^2) for D features and n targets.

    Parameters
    ----------
    joint : Moments
        Sums of the residuals of ``(x, y)``, of width D + n, about one anchor.
    directions : Moments
        The same for ``x / |x|``, of width D, without zero features.
    n_targets : int
        Number of targets, n.
    n_rows : tuple of two int
        Number of samples with nonzero weight, and of those with nonzero features.
    input_dtype : str
        Name of the dtype of the features, such as ``"float32"``.

    See Also
    --------
    NeuralRegressionCollapse : Accumulates these statistics from batches.

    Notes
    -----
    Residuals, their products and sums are float64 for all features, because the part
    outside a collapsed subspace is smaller than the rounding of float32 products.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import RegressionStatistics
    >>> X = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 1.0], [2.0, -1.0]])
    >>> Y = np.array([0.0, 2.0, 1.0, 1.0])
    >>> first = RegressionStatistics.from_samples(X[:1], Y[:1])
    >>> both = first.merge(RegressionStatistics.from_samples(X[1:], Y[1:]))
    >>> both.feature_covariance
    array([[0.5, 0. ],
           [0. , 0.5]])
    >>> both.cross_covariance
    array([[0.5],
           [0. ]])
    """

    joint: Moments
    directions: Moments
    n_targets: int
    n_rows: tuple[int, int]
    input_dtype: str

    def __post_init__(self) -> None:
        """Make the arrays read-only, where their library can."""
        for name in ("joint", "directions"):
            object.__setattr__(self, name, getattr(self, name).map_all(_frozen))

    @classmethod
    def from_samples(
        cls, X: Array, y: Array, sample_weight: Array | None = None
    ) -> "RegressionStatistics":
        """
        Compute the statistics of finite features and targets.

        `NeuralRegressionCollapse` accepts more kinds of input, and explains errors.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Features, NumPy or torch.
        y : array of shape (n_samples, n_targets) or (n_samples,)
            Targets.
        sample_weight : array of shape (n_samples,), optional
            Positive weights.

        Returns
        -------
        RegressionStatistics
            The statistics of these samples.

        Raises
        ------
        ValueError
            If shapes differ, numbers are not finite, or weights are not positive.
        """
        X, targets = checked_targets(X, y)
        return cls.of_checked(X, targets, positive_weights(sample_weight, X))

    @classmethod
    def of_checked(
        cls, X: Array, y: Array, weights: Array | None
    ) -> "RegressionStatistics":
        """
        Compute the statistics of checked arrays.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Finite features.
        y : float64 array of shape (n_samples, n_targets)
            Finite targets, in the library and on the device of `X`.
        weights : float64 array of shape (n_samples,), or None
            Positive weights, in the library and on the device of `X`.

        Returns
        -------
        RegressionStatistics
            The statistics of these samples.
        """
        accumulator = JointAccumulator(X, int(y.shape[1]))
        accumulator.update(X, y, weights)
        return cls.of_accumulator(accumulator, int(y.shape[1]), arrays.dtype_name(X))

    @classmethod
    def of_accumulator(
        cls, accumulator: JointAccumulator, n_targets: int, input_dtype: str
    ) -> "RegressionStatistics":
        """
        Return the statistics of an accumulator.

        Parameters
        ----------
        accumulator : JointAccumulator
            The sums.
        n_targets : int
            Number of targets.
        input_dtype : str
            Name of the dtype of the features.

        Returns
        -------
        RegressionStatistics
            Later updates of the accumulator do not change them.
        """
        joint, directions = accumulator.moments()
        return cls(joint, directions, n_targets, accumulator.n_rows, input_dtype)

    # Counts -------------------------------------------------------------------

    @property
    def n_samples(self) -> int:
        """Number of samples with nonzero weight."""
        return self.n_rows[0]

    @property
    def n_features(self) -> int:
        """Number of features, D."""
        return int(self.joint.sums.shape[1]) - self.n_targets

    @property
    def weighted(self) -> bool:
        """Whether samples had weights."""
        return "float" in str(self.joint.counts.dtype)

    @property
    def share_of_directions(self) -> float:
        """Share of the samples, by weight, with nonzero features."""
        return float(self.directions.counts[0]) / float(self.joint.counts[0])

    # Derived quantities -------------------------------------------------------

    @property
    def mean(self) -> Array:
        """Mean of ``(x, y)``, float64, (D + n,)."""
        return _mean(self.joint)

    @property
    def mean_direction(self) -> Array:
        """Mean of ``x / |x|``, float64, (D,); NaN if all features are zero."""
        return _mean(self.directions)

    @property
    def covariance(self) -> Array:
        """Covariance of ``(x, y)``, divided by the number of samples."""
        return self.cached("covariance", lambda: _covariance(self.joint))

    @property
    def direction_covariance(self) -> Array:
        """Covariance of ``x / |x|``, (D, D)."""
        return self.cached("directions", lambda: _covariance(self.directions))

    @property
    def feature_covariance(self) -> Array:
        """Covariance of the features, (D, D)."""
        return self.covariance[: self.n_features, : self.n_features]

    @property
    def cross_covariance(self) -> Array:
        """Covariance of features and targets, (D, n)."""
        return self.covariance[: self.n_features, self.n_features :]

    @property
    def target_covariance(self) -> Array:
        """Covariance of the targets, (n, n)."""
        return self.covariance[self.n_features :, self.n_features :]

    def mean_difference(self, other: "RegressionStatistics") -> Array:
        """
        Return this mean of ``(x, y)`` minus that of other samples.

        Parameters
        ----------
        other : RegressionStatistics
            Statistics of the same features and targets.

        Returns
        -------
        array of shape (n_features + n_targets,)
            Anchors are subtracted before the small offsets are added.
        """
        anchors = self.joint.anchors[0, :] - other.joint.anchors[0, :]
        return anchors + _offset(self.joint) - _offset(other.joint)

    # The monoid -----------------------------------------------------------------

    def merge(self, other: "RegressionStatistics") -> "RegressionStatistics":
        """
        Return the statistics of both samples; neither input changes.

        Parameters
        ----------
        other : RegressionStatistics
            Statistics of the same features and targets, in the same array library and
            on the same device.

        Returns
        -------
        RegressionStatistics
            The statistics of both.

        Raises
        ------
        ValueError
            If widths, libraries or devices differ.
        """
        if not isinstance(other, RegressionStatistics):
            refuse(
                "other", "RegressionStatistics", other, "Pass estimator.statistics_."
            )
        check_same_layer(
            (self.n_features, other.n_features), (self.joint.sums, other.joint.sums)
        )
        if self.n_targets != other.n_targets:
            msg = (
                f"Cannot merge statistics of {other.n_targets} targets into statistics "
                f"of {self.n_targets} targets. Merge only statistics of the same task."
            )
            raise ValueError(msg)
        return RegressionStatistics(
            _merged(self.joint, other.joint),
            _merged(self.directions, other.directions),
            self.n_targets,
            (self.n_rows[0] + other.n_rows[0], self.n_rows[1] + other.n_rows[1]),
            arrays.common_dtype_name(self.input_dtype, other.input_dtype),
        )

    def __add__(self, other: "RegressionStatistics") -> "RegressionStatistics":
        """Return ``merge(other)``."""
        if not isinstance(other, RegressionStatistics):
            return NotImplemented
        return self.merge(other)


def _count(moments: Moments) -> Array:
    """Return the number of samples, or the sum of their weights, float64, 0-d."""
    return namespace(moments.sums).astype(moments.counts, moments.sums.dtype)[0]


def _offset(moments: Moments) -> Array:
    return moments.sums[0, :] / _positive(_count(moments))


def _positive(count: Array) -> Array:
    xp = namespace(count)
    return xp.where(count > 0, count, xp.nan * count)


def _mean(moments: Moments) -> Array:
    return moments.anchors[0, :] + _offset(moments)


def _covariance(moments: Moments) -> Array:
    offset = _offset(moments)
    assert moments.scatter is not None
    with np.errstate(over="ignore", invalid="ignore"):  # what reads it checks it
        spread = moments.scatter / _positive(_count(moments))
        return _frozen(spread - offset[:, None] * offset[None, :])


def _merged(mine: Moments, theirs: Moments) -> Moments:
    """Return the moments of both, about the anchor of the larger one or their mean."""
    if float(_count(theirs)) > float(_count(mine)):
        mine, theirs = theirs, mine
    if not float(_count(theirs)):
        return mine
    if mine.counts.dtype != theirs.counts.dtype:
        mine, theirs = (_with_weights(each) for each in (mine, theirs))
    return _well_anchored(mine.plus(theirs.moved_to(mine.anchors)))


def _with_weights(moments: Moments) -> Moments:
    """Return the moments with a sum of weights instead of a count."""
    return Moments(**{**vars(moments), "counts": _count(moments)[None]})


def _well_anchored(moments: Moments) -> Moments:
    """Return the moments about their mean, if the anchor would cost digits."""
    most = min(_MOST_OF_SQUARES, _MOST_EIGENVALUES / moments.sums.shape[1])
    squared = arrays.row_squared_norms(moments.sums)
    if not bool(squared[0] > most * moments.squares[0] * _count(moments)):
        return moments
    return moments.moved_to(_mean(moments)[None, :])
