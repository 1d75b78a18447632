"""Statistics of samples about the centers of other samples."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

from sknc._utils.arrays import Array, namespace, row_squared_norms
from sknc._utils.cached import Cached
from sknc.statistics._moments import Moments
from sknc.statistics.class_statistics import ClassStatistics


@dataclass(frozen=True, eq=False)
class Projection:
    """Squared lengths of residuals from the anchors along some directions."""

    directions: Array  # (D, R) float64, as columns
    energies: Array  # (K,) float64, sums of ``w |(x - anchor) directions|^2``
    unit: float  # of lengths along the directions
    key: tuple[str, ...]  # which spectrum the directions come from


@dataclass(frozen=True, eq=False)
class HeldOutStatistics(Cached):
    """
    Statistics of samples about the class means of fitted samples.

    Metrics accept it in place of `ClassStatistics`: its class means are the fitted
    ones, and its variances are second moments of the new samples about them.

    Parameters
    ----------
    centers : ClassStatistics
        The fitted statistics; all classes have samples.
    samples : ClassStatistics
        The new samples, with the classes and anchors of `centers`.
    projection : Projection or None
        The input of ``nc1_pinv`` if the scatter was not kept.
    """

    centers: ClassStatistics
    samples: ClassStatistics
    projection: Projection | None = None

    def merge(self, other: "HeldOutStatistics") -> "HeldOutStatistics":
        """Return the statistics of both samples about the same centers."""
        projection = self.projection
        if projection is not None and other.projection is not None:
            energies = projection.energies + other.projection.energies
            projection = replace(projection, energies=energies)
        samples = self.samples.merge(other.samples)
        return HeldOutStatistics(self.centers, samples, projection)

    @property
    def n_classes(self) -> int:
        """Number of classes of the centers, K."""
        return self.centers.n_classes

    @property
    def n_features(self) -> int:
        """Number of features, D."""
        return self.centers.n_features

    @property
    def n_samples(self) -> int:
        """Number of new samples."""
        return self.samples.n_samples

    @property
    def input_dtype(self) -> str:
        """Name of the dtype of the new features."""
        return self.samples.input_dtype

    @property
    def counts(self) -> Array:
        """Number of new samples of each class or sum of their weights, (K,)."""
        return self.samples.counts

    @property
    def weighted(self) -> bool:
        """Whether the new or the fitted samples had weights."""
        return self.samples.weighted or self.centers.weighted

    @property
    def _mean_offsets(self) -> Array:
        return self.centers.moments.sums / self.centers.counts[:, None]

    @cached_property
    def _about_centers(self) -> Moments:
        return self.samples.moments.shifted(-self._mean_offsets)

    @cached_property
    def class_variances(self) -> Array:
        """Mean squared distance to the class's center, (K,); NaN without samples."""
        xp = namespace(self.counts)
        counts = xp.where(self.counts > 0, self.counts, xp.nan)
        return self._about_centers.squares / counts

    @cached_property
    def are_fitted(self) -> bool:
        """
        Whether the centers are the means of these samples.

        Means of other samples differ from the centers by more than a thousandth of the
        expected noise of the centers.
        """
        xp = namespace(self.counts)
        if not bool(xp.all(self.counts == self.centers.counts)):
            return False
        gaps = row_squared_norms(self._about_centers.sums) / self.counts**2
        noise = self.centers.class_variances / self.counts
        rounding = self.centers.mean_rounding() ** 2
        return bool(xp.all(gaps <= 1e-6 * noise + rounding))

    @property
    def all_singletons(self) -> bool:
        """Whether each center is its only sample, so that no variance is known."""
        return self.centers.all_singletons and self.are_fitted

    @property
    def within_scatter(self) -> Array | None:
        """Sum over samples of ``(x - center)(x - center)^T``, (D, D), or None."""
        return self._about_centers.scatter

    def class_projected_squares(self, key: tuple[str, ...]) -> Array | None:
        """Return each class's sum of ``|(x - center) P|^2`` for spectrum `key`."""
        projection = self.projection
        if projection is None or projection.key != key:
            return None
        return self.cached(("energies", *key), lambda: self._energies(projection))

    def _energies(self, projection: Projection) -> Array:
        xp = namespace(self.counts)
        offsets = self._mean_offsets @ projection.directions
        sums = self.samples.moments.sums @ projection.directions
        energies = projection.energies - 2 * xp.sum(offsets * sums, axis=1)
        energies = energies + self.counts * row_squared_norms(offsets)
        energies = xp.where(energies < 0, 0 * energies, energies)
        return energies / projection.unit / projection.unit  # its square may overflow


AnyStatistics: TypeAlias = ClassStatistics | HeldOutStatistics
