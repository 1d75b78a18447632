"""
Threads for work that NumPy does in one thread, or that a BLAS parallelizes badly.

A pool has as many threads as the BLAS would use, so the usual variables and
`threadpool_limits` apply. The number of BLAS threads belongs to the process: only while
a pool multiplies matrices is the BLAS limited to the remaining threads. Another thread
that enters `threadpool_limits` in these milliseconds, as KMeans does, would restore the
limited number for good. So there is no pool in a program with other threads, except
daemons, which rarely compute.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from threadpoolctl import ThreadpoolController

Job: TypeAlias = Callable[[], Any]

# The work that the threads are doing, if any, under one key; other callers work
# alone. Unlike a lock it records its owner, so an interruption cannot leave it taken.
_current: dict[str, "_Work"] = {}


@dataclass(frozen=True)
class ThreadPool:
    """The calling thread, and others that work with it."""

    size: int = 1  # 1 is the calling thread alone

    def run(self, jobs: Sequence[Job], *, hold_blas: bool = False) -> list[Any]:
        """
        Run all jobs, started in order, and return their results.

        When this returns or is interrupted, no job is running and the BLAS has its
        threads back. Jobs that multiply matrices `hold_blas`, so that each uses only
        its share of the BLAS threads.
        """
        if self.size < 2 or len(jobs) < 2:
            return [job() for job in jobs]
        work = _Work(jobs, min(self.size, len(jobs)) - 1)
        try:
            try:
                return work.results(blas_threads() // self.size if hold_blas else 0)
            finally:
                work.end()
        except BaseException:
            work.end()  # again, in case the end was interrupted
            raise


class _Work:
    """Jobs that the calling thread and `n_others` take until none is left."""

    def __init__(self, jobs: Sequence[Job], n_others: int) -> None:
        self._jobs = jobs
        self._waiting = deque(enumerate(jobs))
        self._results: list[Any] = [None] * len(jobs)
        self._errors: list[BaseException] = []
        self._handling = np.geterr()
        self._others = [threading.RLock() for _ in range(n_others)]
        self._held: list[tuple[Any, int, int]] = []

    def results(self, n_blas_threads: int) -> list[Any]:
        """Run all jobs, with the BLAS limited to this many threads unless 0."""
        if _current.setdefault("work", self) is not self:
            return [job() for job in self._jobs]
        with self._hold(n_blas_threads) if n_blas_threads else nullcontext():
            with suppress(RuntimeError):  # no more threads at interpreter shutdown
                _threads().start([partial(self._help, lock) for lock in self._others])
            self._take_jobs()
            self._wait()
        if self._errors:
            raise self._errors[0]
        return self._results

    def _hold(self, n_threads: int) -> Any:
        libraries = _blas().lib_controllers
        self._held = [(b, b.num_threads, n_threads) for b in libraries]
        return _blas().limit(limits=n_threads)

    def _take_jobs(self) -> None:
        while self._waiting:
            try:
                place, job = self._waiting.popleft()
            except IndexError:  # another thread took the last job
                return
            self._results[place] = job()

    def _help(self, lock: Any) -> None:
        # Before taking a job: the owner of the lock knows that none is running.
        if not lock.acquire(blocking=False):
            return  # already ended
        try:
            with np.errstate(**self._handling):  # threads do not inherit it
                self._take_jobs()
        except BaseException as error:
            self._errors.append(error)
        finally:
            lock.release()

    def _wait(self) -> None:
        for lock in self._others:
            with lock:
                pass

    def end(self) -> None:
        """Start no more jobs, wait for running ones, and release the BLAS."""
        if _current.get("work") is not self:
            return
        self._waiting.clear()
        self._wait()
        self.release_blas()
        del _current["work"]

    def release_blas(self) -> None:
        """Give the BLAS its threads back, if an interruption left it limited."""
        for library, before, held in self._held:
            if held != before and library.num_threads == held:
                library.set_num_threads(before)


def new_pool(max_threads: int) -> ThreadPool:
    """Return a pool of at most `max_threads`, and no more than the BLAS uses."""
    if max_threads < 2 or not _alone():
        return ThreadPool()
    return ThreadPool(max(1, min(max_threads, blas_threads())))


def _alone() -> bool:
    """Whether no other thread of the program could limit the BLAS too."""
    here = threading.current_thread()
    return all(item is here or item.daemon for item in threading.enumerate())


def cut(n_rows: int, n_parts: int) -> list[slice]:
    """Split ``range(n_rows)`` into slices of nearly equal length."""
    edges = [n_rows * part // n_parts for part in range(n_parts + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def blas_threads() -> int:
    """
    Return how many threads a NumPy matrix product uses; 1 if unknown.

    An OpenBLAS with OpenMP counts as 1, because limiting it affects only the calling
    thread.
    """
    libraries = _blas().lib_controllers
    if any(getattr(item, "threading_layer", "") == "openmp" for item in libraries):
        return 1
    return max((library.num_threads or 1 for library in libraries), default=1)


class _Threads:
    """
    Threads that wait for tasks, because starting one takes as long as a block.

    The locks of `ThreadPoolExecutor` are written in Python, so an interruption can
    leave them locked forever.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Job] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, tasks: Sequence[Job]) -> None:
        """Start tasks, each in a separate thread."""
        while len(self._threads) < len(tasks):
            thread = threading.Thread(target=self._run, name="sknc", daemon=True)
            thread.start()
            self._threads.append(thread)
        for task in tasks:
            self._tasks.put(task)

    def _run(self) -> None:
        while True:
            self._tasks.get()()


@cache
def _threads() -> _Threads:
    return _Threads()


@cache
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


def _forget() -> None:
    """Drop the threads of the parent, which a child process does not have."""
    for work in _current.values():
        work.release_blas()
    _current.clear()
    _threads.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
