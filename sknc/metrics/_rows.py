"""What metrics of means and of heads ask of rows and lengths."""

import math

from sknc._array import Array, namespace, row_squared_norms


def unit_rows(rows: Array) -> Array:
    """Return the rows at unit length; NaN for a row of zeros."""
    xp = namespace(rows)
    norms = xp.sqrt(row_squared_norms(rows))
    return rows / xp.where(norms > 0, norms, xp.nan * norms)[:, None]


def unit_product(left: Array, right: Array) -> Array:
    """Return ``left right^T`` at unit norm, in any units; NaN if it is rounding."""
    xp = namespace(left)
    product = left @ right.T
    lengths = xp.max(row_squared_norms(left)) * xp.max(row_squared_norms(right))
    eps = float(xp.finfo(product.dtype).eps)
    noise = 8 * eps * math.sqrt(left.shape[1]) * xp.sqrt(lengths)
    largest = xp.max(xp.abs(product))
    # Of numbers up to one no square overflows.
    product = product / xp.where(largest > noise, largest, xp.nan * largest)
    return product / xp.linalg.matrix_norm(product)


def relative_spread(lengths: Array) -> float:
    """Return the standard deviation, of divisor K - 1, over the mean of lengths."""
    xp = namespace(lengths)
    mean = float(xp.mean(lengths))
    if not mean > 0:  # or is NaN
        return math.nan
    return float(xp.std(lengths, correction=1)) / mean
