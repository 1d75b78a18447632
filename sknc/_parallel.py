"""
Threads for what NumPy does in one thread, or a BLAS shares badly among its own.

A team holds the BLAS to the threads that are left. How many there are is what the BLAS
would use: the usual variables and `threadpool_limits` hold.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

Job: TypeAlias = Callable[[], Any]

# The number of threads of a BLAS belongs to the process: two teams at once would
# restore it in the wrong order. Whoever comes second works alone.
_free = threading.Semaphore()


@dataclass(frozen=True)
class Team:
    """
    The calling thread, and some others.

    Parameters
    ----------
    size : int
        How many work at once.
    pool : ThreadPoolExecutor or None
        The other threads; None if the caller works alone.
    """

    size: int = 1
    pool: ThreadPoolExecutor | None = None

    def do(self, jobs: Sequence[Job]) -> list[Any]:
        """
        Do all jobs, begun in their order, and return what they return.

        However this ends, no job is at work any more: what they share may be used.
        """
        if self.pool is None or len(jobs) < 2:
            return [job() for job in jobs]
        waiting, results = deque(enumerate(jobs)), [None] * len(jobs)
        handling = np.geterr()

        def work() -> None:
            while waiting:
                try:
                    place, job = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                with np.errstate(**handling):  # threads do not inherit it
                    results[place] = job()

        others: list[Future[None]] = []
        try:
            # It fails while the interpreter shuts down: no more threads then.
            with suppress(RuntimeError):
                while len(others) < min(self.size, len(jobs)) - 1:
                    others.append(self.pool.submit(work))
            work()
            wait(others)
        except BaseException:
            waiting.clear()
            wait(others)
            raise
        for other in others:
            other.result()
        return results


def cut(n_rows: int, n_parts: int) -> list[slice]:
    """Cut ``range(n_rows)`` into slices of nearly equal length."""
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
            yield Team(size, _threads(n_threads - 1))
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
