"""The state: mergeable sufficient statistics of labeled features."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import in_common, union
from sknc._utils.numeric import checked_samples, positive_weights
from sknc._utils.parameters import refuse
from sknc.statistics._accumulation import Accumulator, State
from sknc.statistics._merge_checks import check_mergeable
from sknc.statistics._moments import Moments, scatter_of_means
from sknc.statistics._plain_arrays import PlainArrays
from sknc.statistics.class_scatters import ClassScatters, all_merged

_TILE_ELEMENTS = 1 << 21


_frozen = partial(arrays.read_only, copy=False)


@dataclass(frozen=True, eq=False)
class ClassStatistics(PlainArrays):
    """
    Counts, class means and within-class scatter of labeled features.

    A commutative monoid: `merge` combines the statistics of two samples, in any order
    and with any classes, and the statistics without classes are neutral. Memory is O(K
    D + D^2), or O(K D) without the scatter.

    Parameters
    ----------
    classes : ndarray of shape (K,)
        Sorted class labels. A class without samples has count zero and is ignored by
        all metrics.
    moments : Moments
        Sums of residuals about one anchor per class. They do not cancel when the
        classes are tight and far from the origin.
    n_samples : int
        Number of samples with nonzero weight.
    input_dtype : str
        Name of the dtype of the features, such as ``"float32"``.
    class_scatters : ClassScatters or None
        The scatter of each class, if requested: O(K D^2).

    See Also
    --------
    NeuralCollapseAnalyzer : Accumulates these statistics from batches.

    Notes
    -----
    Sums are float64. The scatter is computed from residuals, in the precision of the
    features, by one product per block; blocks are added in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> X = np.array([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    >>> first = ClassStatistics.from_samples(X[:3], np.array(["a", "a", "b"]))
    >>> second = ClassStatistics.from_samples(X[3:], np.array(["b"]))
    >>> both = first.merge(second)
    >>> both.class_means
    array([[ 2.,  0.],
           [-2.,  0.]])
    >>> both.within_scatter
    array([[4., 0.],
           [0., 0.]])
    """

    classes: np.ndarray
    moments: Moments
    n_samples: int
    input_dtype: str
    class_scatters: ClassScatters | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, where their library can."""
        object.__setattr__(self, "classes", _frozen(self.classes))
        object.__setattr__(self, "moments", self.moments.map_all(_frozen))

    @classmethod
    def from_samples(
        cls,
        X: Array,
        y: Array,
        sample_weight: Array | None = None,
        *,
        covariance: bool | Literal["by_class"] = True,
    ) -> "ClassStatistics":
        """
        Compute the statistics of finite features and their labels.

        `NeuralCollapseAnalyzer` accepts more kinds of input, and explains errors.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Features, NumPy or torch.
        y : array of shape (n_samples,)
            Labels.
        sample_weight : array of shape (n_samples,), optional
            Positive weights.
        covariance : bool or "by_class", default=True
            Whether to keep the (n_features, n_features) scatter; or also that of each
            class.

        Returns
        -------
        ClassStatistics
            The statistics of these samples.

        Raises
        ------
        ValueError
            If shapes differ, numbers are not finite, or weights are not positive.
        """
        labels = arrays.to_numpy(y)
        X = checked_samples(X, labels)
        weights = positive_weights(sample_weight, X)
        classes, index = np.unique(labels, return_inverse=True)
        empty = State.empty(X, len(classes), covariance=bool(covariance))
        accumulator = Accumulator(empty)
        accumulator.update(X, arrays.move_like(index, X, namespace(X).int64), weights)
        moments, scatters = accumulator.moments(), None
        if covariance == "by_class":
            scatters = ClassScatters().including(X, labels, weights, len(classes))
        n_samples, dtype = len(classes[index]), arrays.dtype_name(X)
        return cls(classes, moments, n_samples, dtype, scatters)

    # Counts and classes -------------------------------------------------------

    @property
    def centers(self) -> "ClassStatistics":
        """The statistics whose class means are the centers: these."""
        return self

    @property
    def n_classes(self) -> int:
        """Number of classes, K."""
        return len(self.classes)

    @property
    def n_features(self) -> int:
        """Number of features, D."""
        return int(self.moments.sums.shape[1])

    @cached_property
    def counts(self) -> Array:
        """Number of samples of each class or sum of their weights, float64, (K,)."""
        xp = namespace(self.moments.sums)
        return _frozen(xp.astype(self.moments.counts, xp.float64))

    @property
    def weighted(self) -> bool:
        """Whether samples had weights, so that counts are sums of weights."""
        return "float" in str(self.moments.counts.dtype)

    @property
    def all_singletons(self) -> bool:
        """Whether no class has two samples, so that no variance is known."""
        return self.n_samples <= len(self.observed)

    @cached_property
    def observed(self) -> np.ndarray:
        """Rows of the classes with samples."""
        return np.flatnonzero(arrays.to_numpy(self.moments.counts))

    # Derived quantities -------------------------------------------------------

    @property
    def class_means(self) -> Array:
        """Class means, float64, (K, D); NaN for a class without samples."""
        xp = namespace(self.moments.sums)
        counts = xp.where(self.counts > 0, self.counts, xp.nan)
        offsets = self.moments.sums / counts[:, None]
        return xp.astype(self.moments.anchors, xp.float64) + offsets

    @cached_property
    def class_variances(self) -> Array:
        """Trace of each class's covariance, divided by its count, float64, (K,)."""
        xp = namespace(self.moments.sums)
        counts = xp.where(self.counts > 0, self.counts, xp.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # what reads it checks it
            variances = self.moments.squares / counts - self._squared_offsets
        return _frozen(xp.where(variances < 0, xp.zeros_like(variances), variances))

    @cached_property
    def _squared_offsets(self) -> Array:
        """Squared distance of each class mean from its anchor, (K,)."""
        # Computed from sums over counts, which do not overflow for large weights.
        squares = namespace(self.counts).empty_like(self.counts)
        step = max(1, _TILE_ELEMENTS // self.n_features)
        with np.errstate(over="ignore", invalid="ignore"):  # or 0/0
            for tile in arrays.tiles(self.n_classes, step):
                offsets = self.moments.sums[tile, :] / self.counts[tile, None]
                squares[tile] = arrays.row_squared_norms(offsets)
        return squares

    def mean_rounding(self) -> Array:
        """
        Estimate the rounding error of each class mean.

        Returns
        -------
        array of shape (K,)
            Rounding errors as lengths, in units of the features.
        """
        xp = namespace(self.moments.sums)
        counts = self.counts
        # Sums of a block are computed in the precision of the residuals. Their errors
        # grow with the root of its rows if the anchor is not the mean.
        offsets = xp.sqrt(self._squared_offsets)
        rows = xp.sqrt(xp.where(counts < 4096, counts, 4096.0))
        spread = xp.sqrt(self.class_variances)
        return float(xp.finfo(self.moments.anchors.dtype).eps) * (
            spread + rows * offsets
        )

    def centered_means(self, weights: Array) -> Array:
        """
        Return the class means minus their weighted sum, float64, (K, D).

        Parameters
        ----------
        weights : array of shape (K,)
            Weights that sum to one; or zeros, to subtract nothing.

        Returns
        -------
        array of shape (K, D)
            Centered class means. The anchors are subtracted from each other before the
            small offsets are added, so a common offset costs no digits.
        """
        xp = namespace(self.moments.sums)
        if not bool(xp.any(weights != 0)):
            return self.means_about(None)
        origin = xp.astype(self.moments.anchors[0, :], xp.float64)
        means = self.means_about(origin)
        means -= weights @ means
        means -= weights @ means  # twice, because the first sum had an offset
        return means

    @cached_property
    def equally_centered_means(self) -> Array:
        """Class means minus their unweighted mean, float64, (K, D)."""
        equal = 0 * self.counts + 1 / self.n_classes
        return _frozen(self.centered_means(equal))

    def means_about(self, origin: Array | None) -> Array:
        """
        Return the class means minus a point, float64, (K, D).

        Parameters
        ----------
        origin : float64 array of shape (D,), or None
            The point, or None to subtract nothing. It is subtracted from the anchors
            before the small offsets are added.

        Returns
        -------
        array of shape (K, D)
            The differences.
        """
        xp, moments = namespace(self.moments.sums), self.moments
        means = xp.empty_like(moments.sums)
        step = max(1, _TILE_ELEMENTS // self.n_features)
        for tile in arrays.tiles(self.n_classes, step):
            anchors = xp.astype(moments.anchors[tile, :], xp.float64)
            if origin is not None:
                anchors = anchors - origin
            means[tile, :] = anchors + moments.sums[tile, :] / self.counts[tile, None]
        return means

    @cached_property
    def within_scatter(self) -> Array | None:
        """Sum over samples of ``(x - mean)(x - mean)^T``, (D, D), or None."""
        scatter = self.moments.scatter
        if scatter is None:
            return None
        seen = self.moments.take(self.observed)
        with np.errstate(over="ignore", invalid="ignore"):  # what reads it checks it
            return _frozen(scatter - scatter_of_means(seen.sums, seen.counts))

    def class_projected_squares(self, key: tuple[str, ...]) -> None:
        """
        Return None: energies are only summed for samples about fitted centers.

        Parameters
        ----------
        key : tuple of str
            The spectrum they would belong to.
        """

    def observed_only(self) -> "ClassStatistics":
        """
        Drop the classes without samples.

        Returns
        -------
        ClassStatistics
            The same object if every class has samples.
        """
        if len(self.observed) == self.n_classes:
            return self
        return self.cached(
            "observed_only",
            lambda: replace(
                self,
                classes=self.classes[self.observed],
                moments=self.moments.take(self.observed),
            ),
        )

    # The monoid -----------------------------------------------------------------

    def aligned(self, classes: np.ndarray) -> Moments:
        """
        Return the moments with rows for the given classes.

        Parameters
        ----------
        classes : ndarray of shape (R,)
            Labels; rows of unknown labels are zero.

        Returns
        -------
        Moments
            In the order of `classes`.
        """
        xp = namespace(self.moments.sums)
        if not self.n_classes:
            return self.moments.grown(len(classes))
        mine, classes = in_common(self.classes, classes)
        position = np.minimum(np.searchsorted(mine, classes), self.n_classes - 1)
        known = mine[position] == classes
        moments = self.moments.take(np.where(known, position, 0))
        if known.all():
            return moments
        zero = xp.asarray(~known, device=arrays.device_of(moments.sums))

        def blank(array: Array) -> Array:
            mask = zero if array.ndim == 1 else zero[:, None]
            return xp.where(mask, xp.zeros_like(array), array)

        return moments.map(blank)

    def merge(self, other: "ClassStatistics") -> "ClassStatistics":
        """
        Return the statistics of both samples; neither input changes.

        Parameters
        ----------
        other : ClassStatistics
            Statistics of the same features, of any classes, in the same array library
            and on the same device.

        Returns
        -------
        ClassStatistics
            Statistics over the union of the classes. Scatters are kept only if both
            have them.

        Raises
        ------
        ValueError
            If the widths, libraries, devices or kinds of labels differ.
        """
        if not isinstance(other, ClassStatistics):
            refuse("other", "ClassStatistics", other, "Pass analyzer.statistics_.")
        check_mergeable(self, other)
        xp = namespace(self.moments.sums)
        classes = union(self.classes, other.classes)
        mine, theirs = self.aligned(classes), other.aligned(classes)
        if mine.scatter is None or theirs.scatter is None:
            mine, theirs = mine.without_scatter(), theirs.without_scatter()
        wide = xp.result_type(mine.anchors.dtype, theirs.anchors.dtype)
        my_anchors = xp.astype(mine.anchors, wide)
        their_anchors = xp.astype(theirs.anchors, wide)
        anchors = xp.where((mine.counts > 0)[:, None], my_anchors, their_anchors)
        # If one side is empty the shift is zero, or of zero samples.
        theirs = theirs.moved_to(anchors)
        moments = replace(mine, anchors=anchors).plus(theirs)
        dtype = arrays.common_dtype_name(self.input_dtype, other.input_dtype)
        n_samples = self.n_samples + other.n_samples
        held = [part.class_scatters for part in (self, other) if part.n_samples]
        scatters = all_merged(held)
        return ClassStatistics(classes, moments, n_samples, dtype, scatters)

    def __add__(self, other: "ClassStatistics") -> "ClassStatistics":
        """Return ``merge(other)``."""
        if not isinstance(other, ClassStatistics):
            return NotImplemented
        return self.merge(other)
