"""The nearest class center as a rule; `AffineRule` breaks ties."""

from sknc._utils import arrays
from sknc._utils.arrays import namespace
from sknc.statistics.affine_rule import AffineRule, scaled
from sknc.statistics.class_statistics import ClassStatistics


def nearest_center_rule(statistics: ClassStatistics) -> AffineRule:
    """Return the rule that decides for the class with the nearest mean."""
    xp, moments = namespace(statistics.moments.sums), statistics.moments
    equal = xp.ones_like(statistics.counts) / statistics.n_classes
    # Rounded like the anchors, so that centers about it keep all their digits.
    origin = xp.astype(equal @ statistics.class_means, moments.anchors.dtype)
    origin = xp.astype(origin, xp.float64)
    centers, unit = scaled(statistics.means_about(origin))
    offsets = -arrays.row_squared_norms(centers) / 2
    return AffineRule(origin / unit, centers, offsets, unit)


def nearest_angle_rule(statistics: ClassStatistics) -> AffineRule:
    """Return the rule that decides for the mean at the smallest angle."""
    means, unit = scaled(statistics.class_means)
    xp = namespace(means)
    norms = xp.sqrt(arrays.row_squared_norms(means))
    directions = means / xp.where(norms > 0, norms, 1.0)[:, None]
    origin, offsets = xp.zeros_like(means[0, :]), xp.zeros_like(norms)
    return AffineRule(origin, directions, offsets, unit)
