"""Functions of rows and lengths, for metrics of class means and of heads."""

import math

from sknc._utils.arrays import (
    Array,
    device_of,
    namespace,
    row_products,
    row_squared_norms,
)


def unit_rows(rows: Array, least: Array | float = 0.0) -> Array:
    """Return the rows scaled to unit length; NaN for rows not longer than `least`."""
    xp = namespace(rows)
    norms = xp.sqrt(row_squared_norms(rows))
    return rows / xp.where(norms > least, norms, xp.nan)[:, None]


def unit_product(left: Array, right: Array) -> Array:
    """Return ``left right^T`` at unit norm; NaN if it is only rounding errors."""
    xp = namespace(left)
    product = left @ right.T
    first, second = (xp.sqrt(xp.max(row_squared_norms(r))) for r in (left, right))
    eps = float(xp.finfo(product.dtype).eps)
    noise = 8 * eps * math.sqrt(left.shape[1]) * first * second
    largest = xp.max(xp.abs(product))
    # The squares of numbers up to one do not overflow.
    product = product / xp.where(largest > noise, largest, xp.nan)
    return product / xp.linalg.matrix_norm(product)


def distance_from_identity(left: Array, right: Array) -> float:
    """Return ``|A/|A| - I/sqrt(K)|``, ``A = left right^T``; NaN for products of 0."""
    # Where the distance can be zero, A is formed and I subtracted from it. With more
    # classes it cannot be zero, and D x D products suffice without forming K x K.
    xp = namespace(left)
    n_classes, n_features = left.shape
    root = math.sqrt(n_classes)
    if n_classes <= n_features:
        return _norm_less_identity(unit_product(left, right), root)
    inner = float(xp.sum(row_products(left, right)))
    cosine = _over_norm_of_product(inner, left, right) / root
    return math.sqrt(max(2 - 2 * cosine, 0.0))  # this order keeps NaN


def distance_from_simplex(left: Array, right: Array) -> float:
    """Return ``|A/|A| - T|``, ``A = left right^T`` and T of a simplex; NaN for 0."""
    xp = namespace(left)
    n_classes, n_features = left.shape
    root = math.sqrt(n_classes - 1)
    if n_classes <= n_features + 1:
        product = unit_product(left, right) + 1 / (n_classes * root)
        return _norm_less_identity(product, root)
    ones = xp.sum(left, axis=0) @ xp.sum(right, axis=0)
    inner = float(xp.sum(row_products(left, right)) - ones / n_classes) / root
    cosine = _over_norm_of_product(inner, left, right)
    return math.sqrt(max(2 - 2 * cosine, 0.0))


def _norm_less_identity(product: Array, root: float) -> float:
    xp, place = namespace(product), device_of(product)
    identity = xp.eye(product.shape[0], dtype=product.dtype, device=place)
    return float(xp.linalg.matrix_norm(product - identity / root))


def _over_norm_of_product(inner: float, left: Array, right: Array) -> float:
    """Return ``inner / |left right^T|`` from D x D products; NaN if only rounding."""
    xp = namespace(left)
    first, second = left.T @ left, right.T @ right
    norms = [float(xp.linalg.trace(product)) for product in (first, second)]
    if not all(norms):
        return math.nan
    squared = float(xp.sum((first / norms[0]) * (second / norms[1])))
    if squared < 8 * float(xp.finfo(left.dtype).eps):
        return math.nan  # orthogonal up to rounding
    return inner / math.sqrt(norms[0]) / math.sqrt(norms[1]) / math.sqrt(squared)


def relative_spread(lengths: Array) -> float:
    """Return the sample standard deviation over the mean of lengths."""
    xp = namespace(lengths)
    largest = xp.max(lengths)
    if not float(largest) > 0:  # or is NaN
        return math.nan
    lengths = lengths / largest  # so that no square overflows
    return float(xp.std(lengths, correction=1) / xp.mean(lengths))
