"""Coordinates in the span of the class means, and covariances."""

from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc.convention import Convention
from sknc.estimators._inputs.docs import NEW_SAMPLES
from sknc.metrics._shared.geometry import centered_means, spectrum
from sknc.statistics.class_statistics import ClassStatistics


class ClassMeanCoordinates(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """The part of an analyzer for coordinates and covariances."""

    convention: str | Convention
    statistics_: ClassStatistics

    @documented(NEW_SAMPLES)
    def transform(self, X: Any) -> Array:
        """
        Project features onto the span of the centered class means.

        Returns
        -------
        array of shape (n_samples, rank)
            Coordinates about the global mean along orthonormal directions, by
            descending variance of the class means; at most n_classes - 1 of them.
        """
        with arrays.plain_arithmetic(X):
            features = self._check_new(X, "transform")
            seen, xp = self.statistics_.observed_only(), namespace(features)
            origin, directions = self._global_mean(seen), self._directions(seen).T

            def project(rows: Array) -> Array:
                wide = xp.astype(rows, xp.float64) - origin
                return xp.astype(wide @ directions, rows.dtype)

            return arrays.map_rows(project, features)

    def _directions(self, seen: ClassStatistics) -> Array:
        """Return orthonormal directions of the class means, signs fixed, (R, D)."""
        found = spectrum(seen, Convention.preset(self.convention)).directions
        xp = namespace(found)
        largest = xp.max(found, axis=1, keepdims=True)
        least = xp.min(found, axis=1, keepdims=True)
        return xp.where(largest >= -least, found, -found)

    @property
    def _n_features_out(self) -> int:
        seen = self.statistics_.observed_only()
        if seen.n_classes < 2:
            msg = "With one class there are no directions between classes."
            raise AttributeError(msg)
        return int(self._directions(seen).shape[0])

    # Fitted attributes ------------------------------------------------------------

    @property
    def global_mean_(self) -> Array:
        """The convention's global mean, float64, (D,)."""
        return self._global_mean(self.statistics_.observed_only())

    def _global_mean(self, seen: ClassStatistics) -> Array:
        weights = Convention.preset(self.convention).center_weights(seen.counts)
        return weights @ seen.class_means

    @property
    def within_class_covariance_(self) -> Array:
        """Pooled within-class covariance, divided by the count, (D, D)."""
        return self._within_covariance(self.statistics_)

    def _within_covariance(self, statistics: ClassStatistics) -> Array:
        scatter = statistics.within_scatter
        if scatter is None:
            msg = (
                "within_class_covariance_ requires the scatter, which covariance=False "
                "does not store: use covariance=True."
            )
            raise AttributeError(msg)
        xp = namespace(scatter)
        found = statistics.cached("within", lambda: scatter / xp.sum(statistics.counts))
        return arrays.read_only(found)

    @property
    def between_class_covariance_(self) -> Array:
        """The convention's covariance of the class means, (D, D)."""
        convention = Convention.preset(self.convention)
        return self._covariance_of_means(self.statistics_, convention)

    @property
    def total_covariance_(self) -> Array:
        """Covariance of all samples about their mean, divided by the count, (D, D)."""
        statistics, frequency = self.statistics_, Convention.preset("frequency")
        between = self._covariance_of_means(statistics, frequency)
        return self._within_covariance(statistics) + between

    def _covariance_of_means(
        self, statistics: ClassStatistics, convention: Convention
    ) -> Array:
        seen = statistics.observed_only()

        def product() -> Array:
            xp = namespace(seen.counts)
            root = xp.sqrt(convention.between_weights(seen.counts))
            return arrays.gram(centered_means(seen, convention) * root[:, None])

        if seen.n_classes < 2:
            return 0 * arrays.gram(seen.class_means)
        return arrays.read_only(seen.cached(("between", convention), product))
