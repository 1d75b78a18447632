"""What every way to take residuals of NumPy rows begins with."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np

from sknc import _array
from sknc._accumulation.buffer import Block


def fill(
    block: Block,
    points: np.ndarray,
    roots: np.ndarray | None,
    near: np.ndarray,
    out: np.ndarray,
) -> None:
    """
    Write residuals of rows from the points of their classes, times `roots`.

    Parameters
    ----------
    block : Block
        The rows.
    points : ndarray of shape (K, D)
        One point a class.
    roots : ndarray of shape (B,), or None
        Square roots of the sample weights.
    near, out : ndarray of shape (B, D)
        Memory for the point of each row, and for its residual; may be the same.
    """
    np.take(points, block.index, axis=0, out=near, mode="clip")
    np.subtract(block.features, near, out=out)
    if roots is not None:
        out *= roots[:, None]


def quiet(check: bool) -> AbstractContextManager[object]:
    """Keep warnings of numbers from who is going to check them."""
    if check:
        return np.errstate(over="ignore", invalid="ignore")
    return nullcontext()


def finite(squares: np.ndarray, features: np.ndarray) -> bool:
    """Whether features are finite, given the squared lengths of their residuals."""
    # Squares of finite numbers may overflow, so ask each number then.
    return bool(np.isfinite(np.sum(squares))) or _array.all_finite(features)
