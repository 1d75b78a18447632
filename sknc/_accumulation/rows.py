"""What every way to take residuals of NumPy rows begins with."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from sknc import _array
from sknc._accumulation.block import Block

_CACHE_ELEMENTS = 1 << 19  # 2 MiB of float32 residuals


def in_cache(n_features: int, n_classes: int = 0) -> int:
    """
    Return how many rows to sum at once, so that they stay in a core's cache.

    Sums that take more memory than their rows leave it in any case.
    """
    return max(256, _CACHE_ELEMENTS // n_features, 4 * n_classes)


def fill(block: Block, points: np.ndarray, out: np.ndarray) -> np.ndarray | None:
    """
    Write residuals of rows from the points of their classes, times sqrt(weight).

    Parameters
    ----------
    block : Block
        The rows.
    points : ndarray of shape (K, D)
        One point a class.
    out : ndarray of shape (B, D)
        Memory for the residuals.

    Returns
    -------
    ndarray of shape (B,), or None
        The square roots of the weights, if there are weights.
    """
    np.take(points, block.index, axis=0, out=out, mode="clip")
    np.subtract(block.features, out, out=out)
    if block.weights is None:
        return None
    roots: np.ndarray = np.sqrt(block.weights).astype(out.dtype)
    out *= roots[:, None]
    return roots


def quiet(check: bool) -> AbstractContextManager[object]:
    """Keep warnings of numbers from who is going to check them."""
    if check:
        return np.errstate(over="ignore", invalid="ignore")
    return nullcontext()


def finite(squares: np.ndarray, features: np.ndarray) -> bool:
    """Whether features are finite, given the squared lengths of their residuals."""
    # Squares of finite numbers may overflow, so ask each number then.
    return bool(np.isfinite(np.sum(squares))) or _array.all_finite(features)
