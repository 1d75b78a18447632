"""Products of rows with themselves, as jobs for a pool of threads (NumPy only)."""

from functools import partial

import numpy as np

from sknc._utils.thread_pool import Job, ThreadPool, blas_threads, cut

_MOST_ROWS = 4096  # in one float32 product, before it is added in float64
_LEAST_ROWS = 256  # worth a thread
_LEAST_WORK = 1 << 26  # multiplications worth a thread: some milliseconds
# Up to this width each thread takes some of the rows, with a separate product.
# Beyond, these would take too much memory, so each takes half of one product.
_WIDEST = 768


def most_threads(n_rows: int, n_features: int) -> int:
    """Return how many threads can share the products of rows."""
    most = min(n_rows // _LEAST_ROWS, n_rows * n_features**2 // _LEAST_WORK)
    if n_features <= _WIDEST:
        return most
    # Halves are for two threads; a BLAS with more threads splits wide products itself.
    return min(most, 2) if blas_threads() == 2 else 1


def gram_jobs(rows: np.ndarray, pool: ThreadPool) -> tuple[list[np.ndarray], list[Job]]:
    """Return memory for products whose sum is ``rows.T @ rows``, and jobs for them."""
    n_rows, n_features = rows.shape
    by_columns = n_features > _WIDEST and pool.size > 1
    n_threads = 1 if by_columns else pool.size
    n_parts = n_threads * -(-n_rows // (n_threads * _MOST_ROWS))
    found, jobs = [], []
    for part in cut(n_rows, n_parts):
        product = np.empty((n_features, n_features), rows.dtype)
        found.append(product)
        if by_columns:
            jobs += _by_columns(rows[part], product)
        else:
            jobs.append(partial(_multiply, rows[part], rows[part], product))
    return found, jobs


def _by_columns(rows: np.ndarray, product: np.ndarray) -> list[Job]:
    """Return jobs for the corner, and for the two halves of the diagonal."""
    half = rows.shape[1] // 2
    left, right = slice(0, half), slice(half, None)

    def corner() -> None:
        _multiply(rows[:, left], rows[:, right], product[left, right])
        product[right, left] = product[left, right].T

    upper, lower = rows[:, left], rows[:, right]
    return [
        corner,
        partial(_multiply, upper, upper, product[left, left]),
        partial(_multiply, lower, lower, product[right, right]),
    ]


def _multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    # A symmetric update if both are the same memory.
    np.matmul(left.T, right, out=out)
