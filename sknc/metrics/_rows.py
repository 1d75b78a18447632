"""What metrics of means and of heads ask of rows and lengths."""

import math

from sknc._array import Array, namespace, row_squared_norms


def unit_rows(rows: Array) -> Array:
    """Return the rows at unit length; NaN for a row of zeros."""
    xp = namespace(rows)
    norms = xp.sqrt(row_squared_norms(rows))
    return rows / xp.where(norms > 0, norms, xp.nan * norms)[:, None]


def relative_spread(lengths: Array) -> float:
    """Return the standard deviation, of divisor K - 1, over the mean of lengths."""
    xp = namespace(lengths)
    mean = float(xp.mean(lengths))
    if not mean > 0:  # or is NaN
        return math.nan
    return float(xp.std(lengths, correction=1)) / mean
