"""A number for each sample and class: scores, probabilities, distances."""

from collections.abc import Callable
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc.estimators._inputs.docs import NEW_SAMPLES
from sknc.estimators.base import CenterEstimator
from sknc.estimators.center_model import CenterModel


class ClassValues(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CenterEstimator):
    """The part of `NearestClassCenter` that returns a number for each class."""

    def _model(self) -> CenterModel:
        """Return the model of the current state and parameters."""
        raise NotImplementedError

    @documented(NEW_SAMPLES)
    def decision_function(self, X: Any) -> Array:
        """
        Return how much each class is favored; the greatest one is predicted.

        Returns
        -------
        array of shape (n_samples, n_classes) or (n_samples,)
            Minus half the squared distance to each center, or the cosine. Priors that
            are not uniform add the variance times the logarithm of the prior over the
            uniform one. For two classes the second less the first. Minus infinity for
            classes that are never chosen.
        """
        with arrays.plain_arithmetic(X):
            model = self._model()
            return self._by_blocks(X, "decision_function", model.decision_values)

    def _by_blocks(
        self, X: Any, method: str, function: Callable[[Array], Array]
    ) -> Array:
        """Return ``function(rows)`` of all rows, in their working dtype."""
        features = self._check_new(X, method)

        def narrow(rows: Array) -> Array:
            return namespace(rows).astype(function(rows), rows.dtype)

        return arrays.map_rows(narrow, features, self.statistics_.n_classes)

    @documented(NEW_SAMPLES)
    def predict_proba(self, X: Any) -> Array:
        """
        Return class probabilities of a Gaussian model with one shared variance.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Rows sum to one. With ``metric="euclidean"``, the posterior under `priors`
            and the mean within-class variance of the features; if that is zero, all on
            the nearest center. With "cosine", a softmax of cosines.
        """
        with arrays.plain_arithmetic(X):
            model = self._model()
            return self._by_blocks(X, "predict_proba", model.probabilities)

    @documented(NEW_SAMPLES)
    def predict_log_proba(self, X: Any) -> Array:
        """
        Return the logarithms of the class probabilities.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Logarithms of `predict_proba`, at most 0. They are finite where
            probabilities are rounded to 0. Minus infinity for classes that are never
            chosen, and for all but the nearest if the variance is zero.
        """
        with arrays.plain_arithmetic(X):
            model = self._model()
            return self._by_blocks(X, "predict_log_proba", model.log_probabilities)

    @documented(NEW_SAMPLES)
    def transform(self, X: Any) -> Array:
        """
        Return the distance of each sample to each center.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Euclidean distance, or one minus the cosine. Infinite without samples.
        """
        with arrays.plain_arithmetic(X):
            return self._by_blocks(X, "transform", self._model().distances)

    @property
    def _n_features_out(self) -> int:
        return self.statistics_.n_classes
