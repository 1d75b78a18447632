"""`NearestClassCenter`: the classifier that neural collapse leads to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from sknc import _array
from sknc._array import Array, namespace
from sknc._estimator import CenterEstimator
from sknc._heads import check_head, is_head
from sknc._labels import ClassIndex
from sknc._parameters import check_choice
from sknc._validation import check_labels, check_weights
from sknc.decisions import AffineRule, decide_all, head_rule, nearest_center_rule
from sknc.statistics import ClassStatistics


@dataclass(frozen=True, eq=False)
class AgreementReport:
    """
    How often a linear head decides as the nearest class center does.

    Parameters
    ----------
    rate : float
        Share of samples on which they agree, in [0, 1]; higher is more collapsed.
    mismatch : float
        One minus the rate: ``nc4_mismatch``.
    classes : ndarray of shape (K,)
        Class labels.
    per_class : ndarray of shape (K,)
        Rate by true class if labels were given, else by the head's decision; NaN for a
        class without samples.
    contingency : scipy.sparse array of shape (K, K)
        Number of samples by decision of the head (row) and nearest center (column).
    ncc_accuracy, head_accuracy : float or None
        Share of correct decisions, if labels were given.
    """

    rate: float
    mismatch: float
    classes: np.ndarray
    per_class: np.ndarray
    contingency: Any
    ncc_accuracy: float | None = None
    head_accuracy: float | None = None

    def __str__(self) -> str:
        """Return the rates in a line."""
        text = f"agreement {self.rate:.4f}, mismatch {self.mismatch:.4f}"
        if self.ncc_accuracy is None:
            return text
        return (
            f"{text}, accuracy of nearest center {self.ncc_accuracy:.4f}, "
            f"of head {self.head_accuracy:.4f}"
        )


class NearestClassCenter(
    ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, CenterEstimator
):
    """
    Assign each sample to the class with the nearest mean.

    The rule that a fully collapsed network's head follows (NC4). Fits in one pass,
    from batches, mergeably; decides in the features' precision as float64 would; and
    measures how far a given linear head agrees.

    Parameters
    ----------
    metric : {"euclidean", "cosine"}, default="euclidean"
        Nearest by distance, or by the angle between sample and class mean as seen from
        the origin.

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
        Frozen state: everything else follows from it.

    See Also
    --------
    NeuralCollapseAnalyzer : Measures how near a network is to this rule.
    sklearn.neighbors.NearestCentroid : The same rule, without batches or weights.

    Notes
    -----
    Of equally near centers the first in the order of ``classes_`` is chosen. Classes
    without samples are never chosen.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sknc import NearestClassCenter
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NearestClassCenter().fit(X, y)
    >>> round(model.score(X, y), 4)
    0.9267
    >>> head = LogisticRegression(max_iter=1000).fit(X, y)
    >>> print(model.agreement(X, head, y))
    agreement 0.9267, mismatch 0.0733, accuracy of nearest center 0.9267, of head 0.9733
    """

    def __init__(self, metric: Literal["euclidean", "cosine"] = "euclidean") -> None:
        self.metric = metric

    @property
    def _keeps_scatter(self) -> bool:
        return False

    def _check_parameters(self) -> None:
        check_choice("metric", self.metric, ("euclidean", "cosine"))

    @classmethod
    def from_statistics(
        cls,
        statistics: ClassStatistics,
        *,
        metric: Literal["euclidean", "cosine"] = "euclidean",
    ) -> Self:
        """
        Return a fitted classifier that shares the statistics of an analyzer.

        Parameters
        ----------
        statistics : ClassStatistics
            Such as ``analyzer.statistics_``.
        metric : {"euclidean", "cosine"}, default="euclidean"
            As in the constructor.

        Returns
        -------
        NearestClassCenter
            Fitted, without another pass.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NearestClassCenter, NeuralCollapseAnalyzer
        >>> X, y = load_iris(return_X_y=True)
        >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
        >>> NearestClassCenter.from_statistics(analyzer.statistics_).predict(X[:2])
        array([0, 0])
        """
        self = cls(metric)
        self._adopt([statistics])
        return self

    # Decisions --------------------------------------------------------------------

    def _rule(self) -> AffineRule:
        self._check_parameters()  # they may have been set after fit
        seen = self.statistics_.observed_only()
        if self.metric == "euclidean":
            return seen.once("nearest_center_rule", lambda: nearest_center_rule(seen))
        return seen.once("nearest_angle_rule", lambda: _nearest_angle_rule(seen))

    def predict(self, X: Any) -> Array:
        """
        Return the class of the nearest center of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples,)
            Class labels: beside X if they are numbers, NumPy if they are not.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.
        """
        with _array.plain_arithmetic(X):
            features = self._check_new(X, "predict")
            return self._labels(self._rule().decide(features))

    def _labels(self, index: Array) -> Array:
        """Return the labels of indices of classes with samples."""
        labels = self.statistics_.observed_only().classes
        if isinstance(index, np.ndarray) or labels.dtype.kind not in "biuf":
            return labels[_array.to_numpy(index)]
        return namespace(index).take(_array.move_like(labels, index), index, axis=0)

    def decision_function(self, X: Any) -> Array:
        """
        Return how much each class is favored; the greatest one is predicted.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples, n_classes) or (n_samples,)
            Minus half the squared distance to each center, or the cosine. For two
            classes the second less the first. Minus infinity without samples.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.
        """
        with _array.plain_arithmetic(X):
            return self._by_blocks(X, "decision_function", self._decision_values)

    def _by_blocks(
        self, X: Any, method: str, function: Callable[[Array], Array]
    ) -> Array:
        """Return ``function(rows)`` of all rows, in their working dtype."""
        features = self._check_new(X, method)

        def narrow(rows: Array) -> Array:
            return namespace(rows).astype(function(rows), rows.dtype)

        return _array.map_rows(narrow, features, self.statistics_.n_classes)

    def _decision_values(self, features: Array) -> Array:
        scores = self._scores(features)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: Any) -> Array:
        """
        Return class probabilities of a Gaussian model with one shared variance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Rows sum to one. With ``metric="euclidean"``, equal priors and the mean
            within-class variance of the features; with "cosine", a softmax of cosines.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.
        """
        with _array.plain_arithmetic(X):
            return self._by_blocks(X, "predict_proba", self._probabilities)

    def _probabilities(self, features: Array) -> Array:
        xp, variance = namespace(features), self._shared_variance()
        scores = self._scores(features)
        scores = scores - xp.max(scores, axis=1, keepdims=True)
        if variance:
            scores = xp.exp(scores / variance)
        else:  # the limit: all on the nearest
            scores = xp.astype(scores == 0, xp.float64)
        return scores / xp.sum(scores, axis=1, keepdims=True)

    def _shared_variance(self) -> float:
        if self.metric == "cosine":
            return 1.0
        seen = self.statistics_.observed_only()
        xp = namespace(seen.counts)
        total = xp.sum(seen.counts * seen.class_variances) / xp.sum(seen.counts)
        return float(total) / seen.n_features

    def transform(self, X: Any) -> Array:
        """
        Return the distance of each sample to each center.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Euclidean distance, or one minus the cosine. Infinite without samples.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the features are malformed.
        """
        with _array.plain_arithmetic(X):
            return self._by_blocks(X, "transform", self._distances)

    def _distances(self, features: Array) -> Array:
        scores = self._scores(features)
        if self.metric == "cosine":
            return 1 - scores
        squared = self._with_exact_small(features, -2 * scores)
        return namespace(features).sqrt(squared)

    def _with_exact_small(self, features: Array, squared: Array) -> Array:
        """Take squared distances anew from differences where products cancelled."""
        xp = namespace(features)
        rule = self._rule()
        wide = xp.astype(features, xp.float64)
        lengths = _array.row_squared_norms(wide - rule.origin)
        rows, columns = xp.nonzero(squared < 1e-6 * lengths[:, None])
        means = self.class_means_
        flat = xp.reshape(squared, (-1,))
        for part in _array.tiles(rows.shape[0], max(1, (1 << 21) // features.shape[1])):
            i, j = rows[part], columns[part]
            gap = xp.take(wide, i, axis=0) - xp.take(means, j, axis=0)
            where = i * squared.shape[1] + j
            flat = _array.set_at(flat, where, _array.row_squared_norms(gap))
        return xp.reshape(flat, squared.shape)

    @property
    def _n_features_out(self) -> int:
        return self.statistics_.n_classes

    def _scores(self, features: Array) -> Array:
        """Minus half the squared distance, or the cosine, in float64, (B, K)."""
        rule = self._rule()
        xp = namespace(features)
        rows = xp.astype(features, xp.float64) - rule.origin
        scores = rows @ rule.weights.T + rule.offsets
        lengths = _array.row_squared_norms(rows)[:, None]
        if self.metric == "euclidean":
            scores = scores - lengths / 2
        else:
            scores = scores / xp.where(lengths > 0, xp.sqrt(lengths), 1.0)
        statistics = self.statistics_
        if len(statistics.observed) == statistics.n_classes:
            return scores
        full = xp.full(
            (statistics.n_classes, scores.shape[0]),
            -xp.inf,
            dtype=xp.float64,
            device=_array.device_of(scores),
        )
        rows_seen = _array.move_like(statistics.observed, scores, xp.int64)
        return _array.put_rows(full, rows_seen, scores.T).T

    # Judging ----------------------------------------------------------------------

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """
        Return the share of samples that are nearest to their own class's center.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.
        y : array-like of shape (n_samples,)
            True labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        float
            Accuracy, in [0, 1]; higher is better.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the input is malformed.
        """
        predicted = _array.to_numpy(self.predict(X))
        labels = _array.to_numpy(check_labels(y, len(predicted), type(self).__name__))
        ClassIndex.of(self.classes_).check_kind(labels)
        weights = check_weights(sample_weight, predicted)
        return float(np.average(predicted == labels, weights=weights))

    def agreement(self, X: Any, head: Any, y: Any = None) -> AgreementReport:
        """
        Measure how often a linear head decides as the nearest center does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, in the array library and on the device of the fitted ones.
        head : object
            ``torch.nn.Linear``, fitted scikit-learn linear classifier, ``(W, b)`` or W,
            as in `NeuralCollapseAnalyzer`. Its bias counts. It decides among the
            classes that were fitted or named, even if it knows more.
        y : array-like of shape (n_samples,), default=None
            True labels, for accuracies and rates by true class.

        Returns
        -------
        AgreementReport
            Rate, mismatch, rates by class, contingency table, and accuracies.

        Raises
        ------
        NotFittedError
            If nothing was accumulated.
        ValueError
            If the input is malformed or the head does not fit.
        """
        statistics = self.statistics_
        if is_head(y):
            msg = (
                f"agreement expected class labels as y, got {type(y).__name__}, which "
                "is a head: the order is agreement(X, head, y)."
            )
            raise TypeError(msg)
        with _array.plain_arithmetic(X):
            features = self._check_new(X, "agreement")
            truth = None
            if y is not None:
                truth = self._true_rows(features, y)
            rule = self._rule()
            linear = check_head(head, statistics.classes, statistics.moments.anchors)
            found = decide_all((rule, head_rule(linear, rule.origin)), features)
            nearest, chosen = (_array.to_numpy(index) for index in found)
        return _agreement(
            statistics.classes, statistics.observed[nearest], chosen, truth
        )

    def _true_rows(self, features: Array, y: Any) -> np.ndarray:
        labels = check_labels(y, features.shape[0], type(self).__name__)
        index = ClassIndex.of_fitted(self.classes_)
        rows, unknown = index.encode(labels, features)
        if unknown:
            raise index.unknown_label(labels)
        return _array.to_numpy(rows)


def _nearest_angle_rule(statistics: ClassStatistics) -> AffineRule:
    means = statistics.class_means
    xp = namespace(means)
    norms = xp.sqrt(_array.row_squared_norms(means))
    units = means / xp.where(norms > 0, norms, xp.ones_like(norms))[:, None]
    return AffineRule(xp.zeros_like(means[0, :]), units, xp.zeros_like(norms))


def _agreement(
    classes: np.ndarray,
    nearest: np.ndarray,
    chosen: np.ndarray,
    truth: np.ndarray | None,
) -> AgreementReport:
    agree = nearest == chosen
    by = chosen if truth is None else truth
    counts = np.bincount(by, minlength=len(classes))
    hits = np.bincount(by, agree, minlength=len(classes))
    shape = (len(classes), len(classes))
    ones = np.ones(len(nearest), dtype=np.int64)
    rate = float(np.mean(agree))
    return AgreementReport(
        rate=rate,
        mismatch=1 - rate,
        classes=classes,
        per_class=np.where(counts > 0, hits / np.maximum(counts, 1), np.nan),
        contingency=sparse.coo_array((ones, (chosen, nearest)), shape).tocsr(),
        ncc_accuracy=None if truth is None else float(np.mean(nearest == truth)),
        head_accuracy=None if truth is None else float(np.mean(chosen == truth)),
    )
