"""Check whether the squares that metrics compute fit into float64."""

import numpy as np

from sknc._utils.arrays import Array, namespace
from sknc.head import LinearHead
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import AnyStatistics

# Squares of differences of 2^-53 of this size are still normal numbers.
_SMALLEST = 2.0**-450
_LARGEST = 2.0**500
_MOST_SAMPLES = 2.0**60  # larger counts are sums of weights
_TOO_LARGE = "the squares of such large {0} overflow. Divide the {0} by a constant"
_TOO_HEAVY = "sums of such large sample weights overflow. Divide them by a constant"
_TOO_SMALL = "the squares of such small {0} underflow. Multiply the {0} by a constant"
_OF_HEAD = "weights of the head"


def statistics_out_of_range(statistics: AnyStatistics) -> str | None:
    """Return why metrics of the features are wrong, if their squares do not fit."""
    return statistics.cached("out_of_range", lambda: _why(statistics))


def head_out_of_range(head: LinearHead) -> str | None:
    """Return why metrics of the head are wrong, if squares of its rows do not fit."""
    return head.cached("out_of_range", lambda: _words(_size(head.weights), _OF_HEAD))


def _why(statistics: AnyStatistics) -> str | None:
    xp, scatter = namespace(statistics.counts), statistics.within_scatter
    with np.errstate(over="ignore", invalid="ignore"):
        held = statistics.counts > 0
        squares = xp.where(held, statistics.class_variances, 0.0)
        fits = bool(xp.all(xp.isfinite(squares)))
        if fits and scatter is not None:
            fits = bool(xp.isfinite(xp.linalg.trace(scatter)))
        size = _feature_size(statistics.centers) if fits else np.inf
    heaviest = max(float(xp.max(s.counts)) for s in (statistics, statistics.centers))
    if not size < _LARGEST and heaviest > _MOST_SAMPLES:
        return _TOO_HEAVY
    return _words(size, "features")


def _feature_size(centers: ClassStatistics) -> float:
    """Return the largest magnitude of a number in the class means."""
    moments, xp = centers.moments, namespace(centers.counts)
    offsets = xp.maximum(xp.max(moments.sums, axis=1), -xp.min(moments.sums, axis=1))
    held = centers.counts > 0
    offsets = xp.where(held, offsets / xp.where(held, centers.counts, 1.0), 0.0)
    spread = xp.sqrt(xp.where(held, centers.class_variances, 0.0))
    parts = _size(moments.anchors), float(xp.max(offsets)), float(xp.max(spread))
    return max(parts)


def _size(rows: Array) -> float:
    xp = namespace(rows)
    return max(float(xp.max(rows)), -float(xp.min(rows)))


def _words(size: float, what: str) -> str | None:
    if not size < _LARGEST:
        return _TOO_LARGE.format(what)
    return _TOO_SMALL.format(what) if 0 < size < _SMALLEST else None
