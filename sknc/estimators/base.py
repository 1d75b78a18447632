"""Shared by classification estimators: fitting, merging, class statistics."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.docstrings import documented
from sknc._version import STATE_VERSION, __version__
from sknc.estimators._fitting.groups import (
    AnyStream,
    merged_parts,
    new_stream,
    resumed_stream,
)
from sknc.estimators._fitting.stream import Covariance, check_same_place
from sknc.estimators._inputs.docs import BATCHES, ONE_BATCH, TRAINING_SAMPLES
from sknc.estimators._inputs.validation import (
    Batch,
    check_batch,
    check_features,
    check_finite,
)
from sknc.estimators.stream_estimator import StreamEstimator
from sknc.statistics.class_statistics import ClassStatistics


class CenterEstimator(StreamEstimator):
    """
    Base of estimators whose fitted state is `ClassStatistics`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels; always NumPy.
    class_count_ : array of shape (n_classes,)
        Number of samples of each class, or sum of their weights.
    class_means_ : array of shape (n_classes, n_features)
        Class means, float64.
    n_samples_seen_ : int
        Number of samples accumulated.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they had any.
    statistics_ : ClassStatistics
        Frozen state, from which everything else is computed.
    """

    _stream: AnyStream
    _pickled = ("_parts", "_classes_fixed")
    feature_names_in_: np.ndarray

    @property
    def _keeps_scatter(self) -> Covariance:
        return True

    @property
    def _n_groups(self) -> int:
        return 0

    def _default_classes(self, batch: Batch) -> Any:
        """Return all possible classes, if the parameters determine them."""
        return None

    def _check_first(self, batch: Batch, classes: Any) -> None:
        """Check the parameters against the first batch."""

    def _pickled_parts(self, stream: AnyStream) -> dict[str, Any]:
        return {
            "_parts": stream.read()[1],
            "_classes_fixed": stream.fixed,
            "_written_by": (__version__, STATE_VERSION),
        }

    def _resumed_stream(self, parts: Any, fixed: bool = False) -> AnyStream:
        return resumed_stream(parts, covariance=self._keeps_scatter, fixed=fixed)

    # Fitting --------------------------------------------------------------------

    @documented(TRAINING_SAMPLES)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, classes: Any = None
    ) -> Self:
        """
        Fit all samples; earlier samples are dropped.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class labels of any kind that scikit-learn accepts, or an integer tensor.
        classes : array-like of shape (n_classes,), default=None
            All possible labels, as in `partial_fit`.
        """
        self._take_fit_of(self._fitted_on(X, y, sample_weight, classes=classes))
        return self

    def _check_batch(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Batch:
        return check_batch(self, X, y, sample_weight, reset=reset)

    def _first_stream(self, batch: Batch, *, classes: Any = None) -> AnyStream:
        if classes is None:
            classes = self._default_classes(batch)
        self._check_first(batch, classes)
        stream = new_stream(covariance=self._keeps_scatter, n_groups=self._n_groups)
        stream.update(batch, classes)
        return stream

    @documented(ONE_BATCH, fit)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """
        Accumulate a batch.

        The result does not depend on how samples are split into batches.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Class labels. Classes may be missing in a batch.
        classes : array-like of shape (n_classes,), default=None
            All possible labels. Other labels then raise an error, and a CUDA batch
            waits for the device once. By default those of the head's rows, if known;
            otherwise classes are added as they appear.

        Notes
        -----
        After an interruption, ``n_samples_seen_`` shows whether the batch was added.

        Threads that share an estimator wait for each other, for each batch and for
        reading. To fit in parallel, use one estimator per thread, and `merge`.
        """
        return self._add(X, y, sample_weight, classes=classes)

    @documented(fit, BATCHES)
    def fit_batches(
        self, batches: Iterable[Any], *, classes: Any = None, progress: bool = False
    ) -> Self:
        """
        Fit all batches of an iterable; earlier samples are dropped.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight)
            Any iterable of features, which are the inputs of the last layer, not of the
            model. A third item must be sample weights: remove anything else that a data
            set yields, such as sample indices.

        Raises
        ------
        ValueError
            If a batch is malformed, or there are no batches. The estimator is then
            unchanged.

        Notes
        -----
        The estimator keeps its earlier fit until the last batch was added.
        """
        return self._fit_each(batches, progress, classes=classes)

    # Merging --------------------------------------------------------------------

    def merge(self, *others: Any) -> Self:
        """
        Add the samples of other estimators, which are not changed.

        Parameters
        ----------
        *others : estimators of the same type, or one list or iterator of them
            Fitted on other samples of the same features, of any classes. Other
            parameters, such as the head and the convention, are those of `self`.

        Returns
        -------
        self : object
            The estimator with all samples.

        Raises
        ------
        ValueError
            If widths, feature names, array libraries, devices, kinds of labels or
            numbers of groups differ.
        TypeError
            If another estimator has another type.
        """
        return self._merge(others)

    def _merged_stream(self, fitted: Sequence[Any]) -> AnyStream:
        n_groups = None if self in fitted else self._n_groups
        parts = merged_parts([item._stream for item in fitted], n_groups)
        self._check_parameters()
        return self._resumed_stream(parts, all(item._stream.fixed for item in fitted))

    def _restore(
        self, parts: Sequence[ClassStatistics | None], *, fixed: bool = False
    ) -> None:
        """Continue from statistics."""
        self._check_parameters()
        stream = self._resumed_stream(parts, fixed)
        self._resume(stream, stream.statistics().n_features)

    # Reading --------------------------------------------------------------------

    @property
    def statistics_(self) -> ClassStatistics:
        """Frozen statistics of all samples so far."""
        found: ClassStatistics = self._fitted().statistics()
        return found

    @property
    def classes_(self) -> np.ndarray:
        """Sorted class labels, always NumPy, (K,)."""
        return self.statistics_.classes

    @property
    def class_count_(self) -> Array:
        """Number of samples of each class, or sum of their weights, (K,)."""
        return arrays.read_only(self.statistics_.moments.counts)

    @property
    def class_means_(self) -> Array:
        """Class means, float64, (K, D); NaN for a class without samples."""
        statistics = self.statistics_
        means = statistics.cached("class_means", lambda: statistics.class_means)
        return arrays.read_only(means)

    @property
    def n_samples_seen_(self) -> int:
        """Number of samples accumulated, without those with weight zero."""
        return self.statistics_.n_samples

    def _check_new(self, X: Any, method: str) -> Array:
        """Check features to which the fitted centers are applied."""
        statistics = self.statistics_
        features, invalid = check_features(self, X, reset=False)
        name = f"{type(self).__name__}.{method}()"
        check_same_place(features, statistics.moments.sums, f"The input of {name}")
        check_finite(features, invalid)
        return features


# Errors about arguments show the qualified name, and users do not know this class.
for _method in (
    CenterEstimator.fit,
    CenterEstimator.partial_fit,
    CenterEstimator.fit_batches,
    CenterEstimator.merge,
):
    _method.__qualname__ = _method.__name__
