"""Attributes of an estimator of features and targets."""

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc.estimators._fitting.regression import RegressionStream
from sknc.estimators.stream_estimator import StreamEstimator
from sknc.statistics.regression_statistics import RegressionStatistics


class RegressionValues(StreamEstimator):
    """The readable values of fitted statistics of features and targets."""

    _stream: RegressionStream

    @property
    def statistics_(self) -> RegressionStatistics:
        """Frozen statistics of all samples so far."""
        found: RegressionStatistics = self._fitted().statistics()
        return found

    @property
    def n_targets_(self) -> int:
        """Number of targets."""
        return self.statistics_.n_targets

    @property
    def n_samples_seen_(self) -> int:
        """Number of samples accumulated, without those with weight zero."""
        return self.statistics_.n_samples

    @property
    def feature_mean_(self) -> Array:
        """Mean of the features, float64, (D,)."""
        return arrays.read_only(self.statistics_.mean[: self.n_features_in_])

    @property
    def target_mean_(self) -> Array:
        """Mean of the targets, float64, (n,)."""
        return arrays.read_only(self.statistics_.mean[self.n_features_in_ :])

    @property
    def feature_covariance_(self) -> Array:
        """Covariance of the features, (D, D)."""
        return arrays.read_only(self.statistics_.feature_covariance)

    @property
    def cross_covariance_(self) -> Array:
        """Covariance of features and targets, (D, n)."""
        return arrays.read_only(self.statistics_.cross_covariance)

    @property
    def target_covariance_(self) -> Array:
        """Covariance of the targets, (n, n)."""
        return arrays.read_only(self.statistics_.target_covariance)
