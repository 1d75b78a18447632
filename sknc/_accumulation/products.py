"""The product of rows with themselves, in jobs for a team of threads (NumPy only)."""

from functools import partial

import numpy as np

from sknc._parallel import Job, Team, cut

_MOST_ROWS = 4096  # in one product in float32, before it is added in float64
_LEAST_ROWS = 256  # that are worth a thread
# Up to this width each thread takes some of the rows, and has a product of its own.
# Beyond, these would take much memory, and each takes half of one product.
_WIDEST = 768


def most_threads(n_rows: int, n_features: int) -> int:
    """Return how many threads can share the products of rows."""
    return n_rows // _LEAST_ROWS if n_features <= _WIDEST else 2


def products(rows: np.ndarray, team: Team) -> tuple[list[np.ndarray], list[Job]]:
    """
    Return memory for products, of which the sum is ``rows.T @ rows``, and the work.

    Parameters
    ----------
    rows : ndarray of shape (B, D)
        The rows.
    team : Team
        Who will do the jobs, in any order.

    Returns
    -------
    products : list of ndarray of shape (D, D)
        They are filled once all jobs are done.
    jobs : list of callable
        The longest first.
    """
    n_rows, n_features = rows.shape
    by_columns = n_features > _WIDEST and team.size > 1
    n_threads = 1 if by_columns else team.size
    n_parts = n_threads * -(-n_rows // (n_threads * _MOST_ROWS))
    found: list[np.ndarray] = []
    jobs: list[Job] = []
    for part in cut(n_rows, n_parts):
        product = np.empty((n_features, n_features), rows.dtype)
        found.append(product)
        if by_columns:
            jobs += _by_columns(rows[part], product)
        else:
            jobs.append(partial(_multiply, rows[part], rows[part], product))
    return found, jobs


def _by_columns(rows: np.ndarray, product: np.ndarray) -> list[Job]:
    """Return the work for the corner, and for the two halves of the diagonal."""
    half = rows.shape[1] // 2
    left, right = slice(0, half), slice(half, None)

    def corner() -> None:
        _multiply(rows[:, left], rows[:, right], product[left, right])
        product[right, left] = product[left, right].T

    diagonal = [
        partial(_multiply, rows[:, side], rows[:, side], product[side, side])
        for side in (left, right)
    ]
    return [corner, *diagonal]


def _multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    # A symmetric update if both are the same memory.
    np.matmul(left.T, right, out=out)
