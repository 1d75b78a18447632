"""`OutOfDistributionDetector`: finds samples that belong to no fitted class."""

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc._utils.parameters import (
    check_choice,
    check_flag,
    check_integer,
    check_not_negative,
    check_number,
    refuse,
)
from sknc.estimators._fitting.stream import check_same_place
from sknc.estimators._inputs.heads import check_head
from sknc.estimators._inputs.labels import check_labels
from sknc.estimators._inputs.validation import check_features, check_finite
from sknc.estimators.stream_estimator import HeadEstimator
from sknc.head import LinearHead
from sknc.metrics import nci_scores, neco_scores
from sknc.metrics._catalogue import sources as by
from sknc.metrics._shared.spectra import singular_values_of_features
from sknc.statistics.class_statistics import ClassStatistics

_VARIANCE = 0.9  # explained by the directions that are kept without labels


@documented(by.references(by.AMMAR, by.LIU_QIN))
class OutOfDistributionDetector(OutlierMixin, HeadEstimator):
    """
    Find samples that belong to none of the fitted classes, using neural collapse.

    The features of collapsed classes span few directions. Samples with little length in
    these, or that point away from all rows of the head, are out of distribution.

    Parameters
    ----------
    method : {"neco", "nci"}, default="neco"
        `sknc.metrics.neco_scores`, the share of a sample in the principal directions;
        or `sknc.metrics.nci_scores`, how far it lies along its row of the head.
    head : object, default=None
        A linear head, as in `NeuralCollapseAnalyzer`. "nci" requires one. With "neco"
        the share is multiplied by the largest logit, which must mostly be positive.
    n_directions : int, default=None
        Number of principal directions of "neco", less than the number of features
        unless there is a head. By default one less than the number of classes; without
        labels, or if there are too many classes, as many as explain 90 % of the
        variance.
    center : bool, default=True
        Whether "neco" subtracts the mean of the fitted samples.
    alpha : float, default=0.0
        Weight of the L1 norm of the features in "nci".
    contamination : float, default=0.05
        Share of the fitted samples classified as outliers, in (0, 0.5].

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels; one class if there were no labels.
    n_directions_ : int
        Number of directions of "neco".
    offset_ : float
        Samples with scores below it are outliers.
    statistics_ : ClassStatistics
        Statistics of the fitted samples.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if they had any.

    See Also
    --------
    NeuralCollapseAnalyzer.score_ood : How such samples relate to the classes (NC5).

    Notes
    -----
    A sample equal to the mean of the fitted ones has the score 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import OutOfDistributionDetector
    >>> X = np.array([[9.0, 1, 0], [9, -1, 0], [-9, 0, 1], [-9, 0, -1]])
    >>> detector = OutOfDistributionDetector().fit(X, [0, 0, 1, 1])
    >>> detector.predict(np.array([[9.0, 0.5, 0], [0, 5, 5]]))
    array([ 1, -1])
    """

    def __init__(
        self,
        method: Literal["neco", "nci"] = "neco",
        *,
        head: Any = None,
        n_directions: int | None = None,
        center: bool = True,
        alpha: float = 0.0,
        contamination: float = 0.05,
    ) -> None:
        self.method = method
        self.head = head
        self.n_directions = n_directions
        self.center = center
        self.alpha = alpha
        self.contamination = contamination

    def __sklearn_tags__(self) -> Tags:
        """Describe the estimator to scikit-learn."""
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        return tags

    def _check_parameters(self) -> None:
        check_choice("method", self.method, ("neco", "nci"))
        check_flag("center", self.center)
        check_not_negative("alpha", self.alpha)
        check_number(
            "contamination", self.contamination, "in (0, 0.5]", lambda c: 0 < c <= 0.5
        )
        if self.method == "nci" and self.head is None:
            refuse("head", 'a linear head with method="nci"', self.head)

    def fit(self, X: Any, y: Any = None) -> Self:
        """
        Learn the directions of the classes, and the threshold of the score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features: NumPy array, data frame or torch tensor on any device.
        y : array-like of shape (n_samples,), default=None
            Class labels, for the number of directions and the rows of the head.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If the input or a parameter is malformed.
        """
        self._check_parameters()
        new = object.__new__(type(self))
        new.__dict__ = dict(vars(self))
        with arrays.plain_arithmetic(X):
            new._learn(X, y)
        # Replaced as a whole, or not at all after an error.
        self.__dict__ = new.__dict__
        return self

    def _learn(self, X: Any, y: Any) -> None:
        features = self._checked(X, reset=True)
        n_samples = int(features.shape[0])
        labels = np.zeros(n_samples, dtype=np.int64)
        if y is not None:
            labels = check_labels(y, n_samples, type(self).__name__)
        statistics = ClassStatistics.from_samples(features, labels)
        self.statistics_, self.classes_ = statistics, statistics.classes
        self._head = self._linear_head(statistics, labeled=y is not None)
        self.n_directions_ = self._checked_directions(statistics)
        scores = arrays.to_numpy(self._scores(features))
        if self.method == "neco" and self._head is not None and np.median(scores) < 0:
            msg = (
                "The head's largest logit is negative for most of the fitted samples, "
                'so method="neco", which multiplies by it, would prefer outliers. Add '
                "a constant to all of the head's biases, or pass head=None."
            )
            raise ValueError(msg)
        self.offset_ = float(np.percentile(scores, 100 * self.contamination))

    def _checked(self, X: Any, *, reset: bool) -> Array:
        features, invalid = check_features(self, X, reset=reset)
        check_finite(features, invalid)
        return features

    def _linear_head(
        self, statistics: ClassStatistics, *, labeled: bool
    ) -> LinearHead | None:
        if self.head is None:
            return None
        if not labeled:
            msg = (
                "A head requires the classes of its rows: pass y to fit, with one "
                "class label per sample."
            )
            raise ValueError(msg)
        return check_head(self.head, statistics.classes, statistics.moments.anchors)

    def _checked_directions(self, statistics: ClassStatistics) -> int:
        """Return the number of directions; without a head, it must be less than D."""
        width, alone = statistics.n_features, self.method == "neco" and not self._head
        most = width - 1 if alone else width
        if not most:
            msg = (
                "Found 1 feature(s), all of which lie along one direction: expected at "
                'least 2, or a head with method="neco".'
            )
            raise ValueError(msg)
        if self.n_directions is not None:
            expected = f"an integer in 1, ..., {most}, or None"
            return check_integer(
                "n_directions", self.n_directions, expected, lambda n: 1 <= n <= most
            )
        if 1 < statistics.n_classes <= most + 1:
            return statistics.n_classes - 1
        values = singular_values_of_features(statistics, centered=bool(self.center))
        squares = arrays.to_numpy(values) ** 2
        shares = np.cumsum(squares) / max(float(np.sum(squares)), 1e-300)
        return min(most, int(np.searchsorted(shares, _VARIANCE)) + 1)

    def _scores(self, features: Array) -> Array:
        statistics = self.statistics_
        if self.method == "nci":
            assert self._head is not None
            alpha = float(self.alpha)
            scores = nci_scores(statistics, features, self._head, alpha=alpha)
        else:
            scores = neco_scores(
                statistics,
                features,
                n_directions=self.n_directions_,
                center=bool(self.center),
                head=self._head,
            )
        xp = namespace(scores)
        return xp.where(xp.isnan(scores), xp.zeros_like(scores), scores)

    def score_samples(self, X: Any) -> Array:
        """
        Return a score for each sample, lower for out-of-distribution samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples,)
            Scores, float64.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If the features are malformed.
        """
        return self._scored(X, "score_samples")

    def _scored(self, X: Any, method: str) -> Array:
        """Return scores of samples for one of the methods."""
        check_is_fitted(self)
        with arrays.plain_arithmetic(X):
            features = self._checked(X, reset=False)
            name = f"{type(self).__name__}.{method}"
            held = self.statistics_.moments.sums
            check_same_place(features, held, f"The input of {name}()")
            return self._scores(features)

    @documented(score_samples)
    def decision_function(self, X: Any) -> Array:
        """
        Return the score of each sample minus the offset.

        Returns
        -------
        array of shape (n_samples,)
            Negative for outliers.
        """
        return self._scored(X, "decision_function") - self.offset_

    @documented(score_samples)
    def predict(self, X: Any) -> Array:
        """
        Separate samples of the fitted classes from others.

        Returns
        -------
        int array of shape (n_samples,)
            1 for samples of the classes, -1 for others; on the device of X.
        """
        outside = self._scored(X, "predict") < self.offset_
        xp = namespace(outside)
        return 1 - 2 * xp.astype(outside, xp.int64)
