"""
Threads for matrix products of NumPy that a BLAS does not share well among its own.

A team cuts the rows, and holds the BLAS to the threads that are left. How many there
are is what the BLAS would use: the usual variables and `threadpool_limits` hold.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

# The number of threads of a BLAS belongs to the process: two teams at once would
# restore it in the wrong order. Whoever comes second works alone.
_free = threading.Semaphore()


@dataclass(frozen=True)
class Team:
    """
    Some threads.

    Parameters
    ----------
    size : int
        How many work at once.
    pool : ThreadPoolExecutor or None
        The threads; None if the caller works alone.
    """

    size: int = 1
    pool: ThreadPoolExecutor | None = None

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        """
        Apply a function to each item; results are in the order of the items.

        The threads begin at once. A caller who works alone does so item by item, when
        it asks for the result.
        """
        if self.pool is None:
            return map(function, items)
        try:
            return self.pool.map(function, items)
        except RuntimeError:  # the interpreter is shutting down: no more threads
            return map(function, items)

    def do(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all jobs, begun in their order, and return what they return."""
        return list(self.map(lambda job: job(), jobs))

    def cut(self, n_rows: int, most: int) -> list[slice]:
        """Cut ``range(n_rows)`` for all threads, in slices of at most `most` rows."""
        n_parts = self.size * -(-n_rows // (self.size * most))
        edges = [n_rows * part // n_parts for part in range(n_parts + 1)]
        return [slice(*pair) for pair in pairwise(edges)]


@contextmanager
def team(most: int) -> Iterator[Team]:
    """Hold at most `most` threads, as far as the BLAS has some and they are free."""
    n_threads = blas_threads() if most > 1 else 1
    size = min(most, n_threads)
    if size < 2 or not _free.acquire(blocking=False):
        yield Team()
        return
    try:
        with _blas().limit(limits=n_threads // size):
            yield Team(size, _threads(n_threads))
    finally:
        _free.release()


def blas_threads() -> int:
    """
    Return how many threads a matrix product of NumPy uses; 1 if nobody knows.

    An OpenBLAS on OpenMP counts as one: what holds it holds the calling thread only.
    """
    libraries = _blas().lib_controllers
    if any(getattr(item, "threading_layer", "") == "openmp" for item in libraries):
        return 1
    return max((library.num_threads or 1 for library in libraries), default=1)


@cache
def _threads(most: int) -> ThreadPoolExecutor:
    """Return threads, always the same: starting them takes as long as a block."""
    return ThreadPoolExecutor(most, thread_name_prefix="sknc")


@cache
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


def _forget() -> None:
    """Start anew in a child process, in which the threads of its parent are gone."""
    global _free
    _free = threading.Semaphore()
    _threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
