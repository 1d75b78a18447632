"""`NearestClassCenter`: the classifier that neural collapse leads to."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc._utils.label_kinds import in_common
from sknc._utils.parameters import check_choice, check_not_negative, refuse
from sknc.estimators._inputs.class_index import ClassIndex, distinct_labels
from sknc.estimators._inputs.docs import NEW_SAMPLES
from sknc.estimators._inputs.heads import check_head, is_head
from sknc.estimators._inputs.labels import check_classes, check_labels
from sknc.estimators._inputs.validation import Batch, check_weights
from sknc.estimators._scoring.head_rule import head_rule
from sknc.estimators.agreement import AgreementReport, compare_decisions
from sknc.estimators.base import CenterEstimator
from sknc.estimators.center_model import CenterMetric, CenterModel
from sknc.estimators.priors import check_length, check_priors, class_priors
from sknc.estimators.scaled_centers import ScaledCenterModel
from sknc.estimators.stored_estimator import StoredEstimator
from sknc.statistics.affine_rule import decide_all
from sknc.statistics.class_statistics import ClassStatistics

_SCALED = ("standardized", "mahalanobis")


@documented(CenterEstimator)
class NearestClassCenter(
    ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, StoredEstimator
):
    r"""
    Assign each sample to the class with the nearest mean.

    This is the rule of a fully collapsed network's head (NC4). It is fitted in one pass
    over batches and can be merged. Decisions are those of float64, whatever the
    precision of the features. `agreement` measures how often a linear head decides like
    it.

    Parameters
    ----------
    metric : {"euclidean", "cosine", "standardized", "mahalanobis"}, default="euclidean"
        Nearest by distance; by the angle about the origin; by distance of features over
        their within-class standard deviations; or by Mahalanobis distance with the
        within-class covariance. The last two keep the scatter.
    priors : {"uniform", "empirical"} or array-like, default="uniform"
        Prior probabilities of the classes: equal, their shares of the samples (or of
        the weights), or proportional to n_classes non-negative numbers, in the order of
        `classes_`. With ``metric="cosine"`` only "uniform" is allowed, because angles
        have no variance that a prior could be compared with.
    shrink_threshold : float, default=None
        Shrink the centers towards the mean of all samples, as ``NearestCentroid`` does:
        each coordinate by at most this many standard errors. Keeps the scatter.

    Attributes
    ----------
    centers_ : array of shape (n_classes, n_features)
        Class means, possibly shrunk; NaN for classes without samples.
    class_prior_ : array of shape (n_classes,)
        Prior probabilities, float64; zero for classes without samples.

    See Also
    --------
    NeuralCollapseAnalyzer : Measures how close a network is to this rule.
    sklearn.neighbors.NearestCentroid : Without batches or weights; equal predictions
        with uniform priors, and with ``metric="standardized"`` for other priors.

    Notes
    -----
    If centers are equally near, up to float64 rounding, the first in the order of
    ``classes_`` is chosen. Classes without samples, or with a prior of zero, are never
    chosen.

    Priors and probabilities assume a Gaussian about each class mean, with one variance
    for all classes and features: the mean squared residual of the fitted samples. The
    chosen class maximizes

    .. math::
        -\tfrac{1}{2} \lVert x - \mu_k \rVert^2 + \sigma^2 \log \pi_k .

    With "standardized" and "mahalanobis" the variance is 1, because distances are
    divided by it. Variances of "standardized" have the number of samples minus that of
    classes as divisor. The covariance of "mahalanobis" has the number of samples as
    divisor, as in `LinearDiscriminantAnalysis`, and ignores directions without
    within-class variance. If class means differ only along these, as at exact collapse,
    "mahalanobis" raises an error.

    A weight of 2 counts as two samples. So "standardized" and `shrink_threshold` depend
    on the scale of weights: scale weights that sum to 1 so that they sum to the number
    of samples.

    ``NearestCentroid`` standardizes features only if priors are not uniform. Its
    probabilities are the softmax of twice that log-likelihood.

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

    def __init__(
        self,
        metric: CenterMetric = "euclidean",
        *,
        priors: Any = "uniform",
        shrink_threshold: float | None = None,
    ) -> None:
        self.metric = metric
        self.priors = priors
        self.shrink_threshold = shrink_threshold

    @property
    def _keeps_scatter(self) -> bool:
        scaled = isinstance(self.metric, str) and self.metric in _SCALED
        return scaled or bool(self.shrink_threshold)

    def _check_parameters(self) -> None:
        check_choice("metric", self.metric, ("euclidean", "cosine", *_SCALED))
        if self.shrink_threshold is not None:
            check_not_negative("shrink_threshold", self.shrink_threshold)
            if self.metric == "cosine" and self.shrink_threshold:
                value = self.shrink_threshold
                refuse("shrink_threshold", 'None with metric="cosine"', value)
        check_priors(self.priors)
        if self.metric == "cosine" and not self._has_equal_priors:
            refuse(
                "priors",
                '"uniform" with metric="cosine"',
                self.priors,
                "Angles have no variance that priors could be compared with.",
            )

    @property
    def _has_equal_priors(self) -> bool:
        return isinstance(self.priors, str) and self.priors == "uniform"

    def _check_first(self, batch: Batch, classes: Any) -> None:
        """Check the number of priors against the classes of the first batch."""
        priors = check_priors(self.priors)
        if isinstance(priors, str):
            return
        if classes is not None:
            check_length(priors, len(check_classes(classes)))
        elif len(found := distinct_labels(batch.labels)) > len(priors):
            check_length(priors, len(found))

    @classmethod
    def from_statistics(
        cls,
        statistics: ClassStatistics,
        *,
        metric: CenterMetric = "euclidean",
        priors: Any = "uniform",
        shrink_threshold: float | None = None,
    ) -> Self:
        """
        Return a fitted classifier that shares the statistics of an analyzer.

        Parameters
        ----------
        statistics : ClassStatistics
            For example ``analyzer.statistics_``.
        metric, priors, shrink_threshold : object
            As in the constructor.

        Returns
        -------
        NearestClassCenter
            Fitted without another pass.

        Raises
        ------
        ValueError
            If `statistics` is another object.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sknc import NearestClassCenter, NeuralCollapseAnalyzer
        >>> X, y = load_iris(return_X_y=True)
        >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
        >>> NearestClassCenter.from_statistics(analyzer.statistics_).predict(X[:2])
        array([0, 0])
        """
        if not isinstance(statistics, ClassStatistics):
            refuse(
                "statistics",
                "ClassStatistics",
                statistics,
                "Pass analyzer.statistics_.",
            )
        self = cls(metric, priors=priors, shrink_threshold=shrink_threshold)
        self._restore([statistics])
        return self

    # Decisions --------------------------------------------------------------------

    @property
    def centers_(self) -> Array:
        """Class means, possibly shrunk, float64, (K, D); NaN without samples."""
        return arrays.read_only(self._model().positions, copy=False)

    @property
    def class_prior_(self) -> Array:
        """Prior probabilities of the classes, float64, (K,); zero without samples."""
        return class_priors(self.statistics_, self.priors)

    def _model(self) -> CenterModel:
        """Return the model of the current state and parameters."""
        self._check_parameters()
        statistics = self.statistics_
        priors = None
        if not self._has_equal_priors:
            priors = class_priors(statistics, self.priors)
        if not self._keeps_scatter:
            return CenterModel(statistics, self.metric, priors)
        threshold = float(self.shrink_threshold or 0.0)
        return ScaledCenterModel(statistics, self.metric, priors, threshold)

    @documented(NEW_SAMPLES)
    def predict(self, X: Any) -> Array:
        """
        Predict the class of each sample: the nearest center, adjusted for priors.

        Returns
        -------
        array of shape (n_samples,)
            Class labels: with the library and device of X if numbers, else NumPy.
        """
        with arrays.plain_arithmetic(X):
            features = self._check_new(X, "predict")
            return self._model().predicted(features)

    @documented(NEW_SAMPLES)
    def decision_function(self, X: Any) -> Array:
        """
        Return the score of each class; the class with the largest one is predicted.

        Returns
        -------
        array of shape (n_samples, n_classes) or (n_samples,)
            Minus half the squared distance to each center, or the cosine. Non-uniform
            priors add the variance times the logarithm of the prior over the uniform
            prior. For two classes the score of the second minus that of the first.
            Minus infinity for classes that are never chosen.
        """
        return self._by_blocks(X, "decision_function", CenterModel.decision_values)

    @documented(NEW_SAMPLES)
    def predict_proba(self, X: Any) -> Array:
        """
        Return class probabilities of a Gaussian model with a shared variance.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Rows sum to one. With ``metric="euclidean"``, the posterior for `priors` and
            the mean within-class variance of the features; if that is zero, 1 for the
            nearest center. With "cosine", a softmax of cosines.
        """
        return self._by_blocks(X, "predict_proba", CenterModel.probabilities)

    @documented(NEW_SAMPLES)
    def predict_log_proba(self, X: Any) -> Array:
        """
        Return the logarithms of the class probabilities.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Logarithms of `predict_proba`, at most 0, and finite where probabilities are
            rounded to 0. Minus infinity for classes that are never chosen, and for all
            but the nearest if the variance is zero.
        """
        return self._by_blocks(X, "predict_log_proba", CenterModel.log_probabilities)

    @documented(NEW_SAMPLES)
    def transform(self, X: Any) -> Array:
        """
        Return the distance of each sample to each center.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Euclidean distance, or one minus the cosine. Infinite without samples.
        """
        return self._by_blocks(X, "transform", CenterModel.distances)

    @property
    def _n_features_out(self) -> int:
        return self.statistics_.n_classes

    def _by_blocks(
        self, X: Any, method: str, function: Callable[[CenterModel, Array], Array]
    ) -> Array:
        """Return ``function(model, rows)`` for all rows, in their working dtype."""
        with arrays.plain_arithmetic(X):
            model = self._model()
            features = self._check_new(X, method)

            def narrow(rows: Array) -> Array:
                return namespace(rows).astype(function(model, rows), rows.dtype)

            return arrays.map_rows(narrow, features, model.statistics.n_classes)

    @documented(NEW_SAMPLES)
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """
        Return the share of samples nearest to the center of their true class.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels.

        Returns
        -------
        float
            Accuracy, in [0, 1]; higher is better.

        Raises
        ------
        ValueError
            If the input is malformed.
        """
        predicted = arrays.to_numpy(self.predict(X))
        labels = arrays.to_numpy(check_labels(y, len(predicted), type(self).__name__))
        ClassIndex.of(self.classes_).check_kind(labels)
        predicted, labels = in_common(predicted, labels)
        weights = check_weights(sample_weight, predicted)
        return float(np.average(predicted == labels, weights=weights))

    @documented(NEW_SAMPLES)
    def agreement(self, X: Any, head: Any, y: Any = None) -> AgreementReport:
        """
        Measure how often a linear head decides like `predict`.

        Parameters
        ----------
        head : object
            ``torch.nn.Linear``, fitted scikit-learn linear classifier, ``(W, b)`` or W,
            as in `NeuralCollapseAnalyzer`, including its bias. It decides among the
            fitted or given classes, even those without samples, and ignores its other
            classes.
        y : array-like of shape (n_samples,), default=None
            True labels, for accuracies and rates by true class.

        Returns
        -------
        AgreementReport
            Rate, mismatch, rates by class, contingency table, and accuracies.

        Raises
        ------
        ValueError
            If the input is malformed or the head does not fit.
        """
        model = self._model()
        statistics = model.statistics
        if is_head(y):
            msg = (
                f"agreement expected class labels as y, got {type(y).__name__}, which "
                "is a head. The order is agreement(X, head, y)."
            )
            raise TypeError(msg)
        with arrays.plain_arithmetic(X):
            features = self._check_new(X, "agreement")
            truth = None
            if y is not None:
                truth = self._true_rows(features, y, statistics.classes)
            rule, rows = model.rule()
            linear = check_head(head, statistics.classes, statistics.moments.anchors)
            found = decide_all((rule, head_rule(linear, rule)), features)
            nearest, chosen = (arrays.to_numpy(index) for index in found)
        return compare_decisions(statistics.classes, rows[nearest], chosen, truth)

    def _true_rows(self, features: Array, y: Any, classes: np.ndarray) -> np.ndarray:
        labels = check_labels(y, features.shape[0], type(self).__name__)
        rows = ClassIndex.of_fitted(classes).known_rows(labels, features)
        return arrays.to_numpy(rows)
