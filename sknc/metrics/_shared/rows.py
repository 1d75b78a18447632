"""What metrics of means and of heads ask of rows and lengths."""

import math

from sknc._utils.arrays import (
    Array,
    device_of,
    namespace,
    row_products,
    row_squared_norms,
)


def unit_rows(rows: Array) -> Array:
    """Return the rows at unit length; NaN for a row of zeros."""
    xp = namespace(rows)
    norms = xp.sqrt(row_squared_norms(rows))
    return rows / xp.where(norms > 0, norms, xp.nan)[:, None]


def unit_product(left: Array, right: Array) -> Array:
    """Return ``left right^T`` at unit norm, in any units; NaN if it is rounding."""
    xp = namespace(left)
    product = left @ right.T
    first, second = (xp.sqrt(xp.max(row_squared_norms(r))) for r in (left, right))
    eps = float(xp.finfo(product.dtype).eps)
    noise = 8 * eps * math.sqrt(left.shape[1]) * first * second
    largest = xp.max(xp.abs(product))
    # Of numbers up to one no square overflows.
    product = product / xp.where(largest > noise, largest, xp.nan)
    return product / xp.linalg.matrix_norm(product)


def distance_from_identity(left: Array, right: Array) -> float:
    """Return ``|A/|A| - I/sqrt(K)|``, ``A = left right^T``; NaN for products of 0."""
    xp = namespace(left)
    n_classes, n_features = left.shape
    root = math.sqrt(n_classes)
    if n_classes <= n_features:  # it can be zero, so A is formed and subtracted from
        identity = xp.eye(n_classes, dtype=left.dtype, device=device_of(left))
        return float(xp.linalg.matrix_norm(unit_product(left, right) - identity / root))
    first, second = left.T @ left, right.T @ right
    norms = [float(xp.linalg.trace(product)) for product in (first, second)]
    if not all(norms):
        return math.nan
    squared = float(xp.sum((first / norms[0]) * (second / norms[1])))
    if squared < 8 * float(xp.finfo(left.dtype).eps):
        return math.nan  # orthogonal up to rounding
    inner = float(xp.sum(row_products(left, right)))
    cosine = inner / math.sqrt(norms[0]) / math.sqrt(norms[1]) / math.sqrt(squared)
    return math.sqrt(max(2 - 2 * cosine / root, 0.0))


def relative_spread(lengths: Array) -> float:
    """Return the standard deviation, of divisor K - 1, over the mean of lengths."""
    xp = namespace(lengths)
    largest = xp.max(lengths)
    if not float(largest) > 0:  # or is NaN
        return math.nan
    lengths = lengths / largest  # so that no square overflows
    return float(xp.std(lengths, correction=1) / xp.mean(lengths))
