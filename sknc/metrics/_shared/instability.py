"""How much of ``nc1_pinv`` may come from the sampling error of the class means."""

from sknc._utils.arrays import namespace
from sknc.convention import Convention
from sknc.metrics._catalogue import why_undefined as when
from sknc.metrics._shared.geometry import spectrum
from sknc.statistics.held_out import AnyStatistics

# Below it, repeated samples of Gaussian classes give values within a factor of about
# two; above it, some samples give many times the value of others.
_MOST_NOISE = 0.25
UNSTABLE = (
    "Unstable: in the directions that make up most of it, the class means differ by "
    "little more than their sampling error. Compare nc1_cdnv or nc1_trace_ratio, or "
    "fit more samples of each class."
)


def unstable(case: when.Case) -> str | None:
    """Return a note if sampling error is much of the distance of the class means."""
    share = noise_share(case.value, case.statistics, case.convention)
    return UNSTABLE if share > _MOST_NOISE else None


def noise_share(
    value: float, statistics: AnyStatistics, convention: Convention
) -> float:
    """
    Return the share of sampling error in the denominator of ``nc1_pinv``.

    A mean of n samples with variance w along a direction has an error of variance w/n.
    If the between-class variance along it is s^2, this is a share c/n, where c = w/s^2
    is the contribution of the direction to the value. The shares are averaged with
    these contributions as weights. w is assumed to be the same along all directions, so
    no scatter is needed. The result is about 1 or more if the true class means are
    equal.
    """
    if not value > 0:
        return 0.0
    centers, values = statistics.centers, spectrum(statistics, convention).values
    xp = namespace(values)
    trace = value * statistics.n_classes if convention.divide_by_classes else value
    parts = (values[-1] / values) ** 2
    largest_part = float(xp.sum(parts**2)) / float(xp.sum(parts)) ** 2
    n_samples = centers.counts * (centers.n_samples / xp.sum(centers.counts))
    weights = convention.between_weights(centers.counts)
    return trace * largest_part * float(xp.sum(weights / n_samples))
