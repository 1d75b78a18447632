"""Threads share products, and leave everything else as they found it."""

import contextlib
import multiprocessing
import os
import threading
import time
import warnings
from functools import cache, partial

import interrupts
import numpy as np
import pytest
import threadpoolctl
from threadpoolctl import threadpool_info, threadpool_limits
from tolerances import TIGHT
from toys import around

from sknc import NeuralCollapseAnalyzer
from sknc._utils import thread_pool
from sknc.statistics._accumulation import products

POSIX = hasattr(os, "fork")
MODULES = tuple(m.__file__ for m in (contextlib, threading, threadpoolctl))


@pytest.fixture
def four_threads(monkeypatch):
    """As if the BLAS had four threads and the program one, whatever is the case."""
    monkeypatch.setattr(thread_pool, "blas_threads", lambda: 4)
    monkeypatch.setattr(thread_pool, "_alone", lambda: True)


def blas_threads():
    """Return the number of threads of each BLAS, asked independently."""
    return [e["num_threads"] for e in threadpool_info() if e["user_api"] == "blas"]


pytestmark = pytest.mark.skipif(not blas_threads(), reason="no BLAS can be held")

# Teams ------------------------------------------------


@pytest.mark.parametrize("most", [2, 3, 4])
def test_a_team_works_at_once_and_in_order(most, four_threads):
    together = threading.Barrier(most, timeout=20)

    def square(number):
        together.wait()  # breaks unless all are at work
        return number**2

    pool = thread_pool.new_pool(most)
    assert pool.size == most
    jobs = [partial(square, number) for number in range(most)]
    assert pool.run(jobs) == [n**2 for n in range(most)]


@pytest.mark.parametrize("most", [-1, 0, 1])
def test_alone(most, four_threads):
    pool = thread_pool.new_pool(most)
    assert pool.size == 1
    assert pool.run([threading.get_ident] * 3) == [threading.get_ident()] * 3


def test_no_more_threads_than_the_blas_has():
    with threadpool_limits(1, user_api="blas"):
        assert thread_pool.blas_threads() == 1
        assert thread_pool.new_pool(8).size == 1
    assert thread_pool.blas_threads() == max(blas_threads())


@pytest.mark.parametrize(("size", "left"), [(2, 2), (4, 1)])
def test_products_hold_the_blas_to_the_threads_left(size, left, four_threads):
    before = blas_threads()
    found = thread_pool.new_pool(size).run([blas_threads] * size, hold_blas=True)
    assert found == [[left] * len(before)] * size
    assert blas_threads() == before
    # Other threads would see it too, so other jobs leave the BLAS alone.
    assert thread_pool.new_pool(size).run([blas_threads] * size) == [before] * size


def test_no_team_beside_other_threads(monkeypatch):
    """Whoever limits the BLAS in another thread would restore what a pool has set."""
    monkeypatch.setattr(thread_pool, "blas_threads", lambda: 4)
    done = threading.Event()
    sizes, others = [], [threading.Thread(target=done.wait, args=(60,))]
    others[0].start()
    try:
        sizes.append(thread_pool.new_pool(4).size)
        others.append(
            threading.Thread(target=lambda: sizes.append(thread_pool.new_pool(4).size))
        )
        others[1].start()
        others[1].join()
    finally:
        done.set()
        others[0].join()
    assert sizes == [1, 1]
    alone = [threading.current_thread(), threading.Thread(daemon=True)]
    monkeypatch.setattr(threading, "enumerate", lambda: alone)
    assert thread_pool.new_pool(4).size == 4


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one process")
def test_processes_of_the_tests_share_the_cores():
    n_processes = int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    assert n_processes * max(blas_threads()) <= max(n_processes, os.cpu_count())


def test_released_after_an_error(four_threads):
    before = blas_threads()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            thread_pool.new_pool(4).run([partial(divmod, 1, n) for n in (1, 0)] * 2)
        assert blas_threads() == before
        assert not thread_pool._current


def test_a_second_team_works_alone(four_threads):
    def inner():
        return thread_pool.new_pool(2).run(
            [threading.get_ident] * 4
        ), threading.get_ident()

    for found, here in thread_pool.new_pool(2).run([inner] * 2):
        assert set(found) == {here}


def test_threads_do_not_pile_up(four_threads):
    before = set(threading.enumerate())
    for most in (2, 3, 4, 3, 2):
        thread_pool.new_pool(most).run([partial(abs, n) for n in range(most)])
    assert len(set(threading.enumerate()) - before) <= 3  # and the caller


def test_alone_while_the_interpreter_shuts_down(monkeypatch):
    def start(thread):
        raise RuntimeError  # as in Python

    monkeypatch.setattr(thread_pool, "_threads", thread_pool._Threads)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert thread_pool.ThreadPool(2).run([partial(abs, n) for n in (-1, 2)]) == [1, 2]


@pytest.mark.parametrize("n_parts", [1, 2, 3])
@pytest.mark.parametrize("n_rows", [3, 4, 10, 11])
def test_cuts_cover_all_rows_once(n_rows, n_parts):
    rows = [range(n_rows)[part] for part in thread_pool.cut(n_rows, n_parts)]
    assert [row for part in rows for row in part] == list(range(n_rows))
    assert len(rows) == n_parts
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("place", range(3))
def test_nothing_is_at_work_after_an_error(error, place, four_threads):
    done = []

    def job(number):
        if number == place:
            raise error
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(error):
        thread_pool.new_pool(2).run([partial(job, number) for number in range(4)])
    finished = list(done)
    time.sleep(0.2)
    assert done == finished


@pytest.mark.parametrize("most", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_interrupted_at_any_line(most, four_threads):
    """Whatever line of ours or of a library a signal comes before."""
    before, n_running = blas_threads(), [0]

    def job():
        n_running[0] += 1
        time.sleep(1e-3)
        n_running[0] -= 1

    def work():
        thread_pool.new_pool(2).run([job] * 3, hold_blas=True)

    files = (interrupts.PACKAGE, *MODULES)
    lines = interrupts.run(work, files=files)
    assert len(lines) > 100
    for place in interrupts.places(lines, most):
        interrupts.run(work, place, files)
        found = blas_threads(), dict(thread_pool._current), n_running[0]
        assert found == (before, {}, 0), place


def test_no_more_at_once_than_the_team(four_threads):
    at_work, most, lock = [0], [0], threading.Lock()

    def job():
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.02)
        with lock:
            at_work[0] -= 1

    thread_pool.new_pool(2).run([job] * 9)
    assert most[0] in {1, 2}  # one if the other thread comes late


def size_in_child(queue):
    pool, here = thread_pool.new_pool(2), threading.get_ident()
    threads = pool.run([lambda: time.sleep(0.1) or threading.get_ident()] * 2)
    queue.put((pool.size, len({here, *threads}), blas_threads()))


@pytest.mark.skipif(not POSIX, reason="no fork")
def test_after_fork(four_threads):
    before, context = blas_threads(), multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def fork():
        child = context.Process(target=size_in_child, args=(queue,))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
            child.start()
        child.join(20)
        return child

    # The process forks while threads are at work and the BLAS is held.
    child, _ = thread_pool.new_pool(2).run([fork, partial(abs, 1)], hold_blas=True)
    child.terminate()
    assert child.exitcode == 0
    assert queue.get() == (2, 2, before)


# Accumulation ------------------------------------------------


@cache
def samples(dtype):
    item = around(np.random.default_rng(0).standard_normal((5, 300)), 2469, 0.7)
    return item.X.astype(dtype), item.y


def fitted(X, y, size, weights=None):
    analyzer = NeuralCollapseAnalyzer()
    for start in range(0, len(y), size):
        batch = slice(start, start + size)
        given = None if weights is None else weights[batch]
        analyzer.partial_fit(X[batch], y[batch], sample_weight=given)
    return analyzer


def within_class_covariance(X, y, weights):
    total = 0
    for k in np.unique(y):
        rows, w = X[y == k].astype(float), weights[y == k]
        rows = rows - np.average(rows, axis=0, weights=w)
        total = total + rows.T @ (rows * w[:, None])
    return total / weights.sum()


def some_weights(n):
    return np.random.default_rng(1).uniform(0.5, 2, n)


@cache
def covariance_of_samples(dtype, weighted):
    X, y = samples(dtype)
    weights = some_weights(len(y)) if weighted else np.ones(len(y))
    return within_class_covariance(X, y, weights)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [5000, 12345, 100])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_in_threads(dtype, size, weighted, four_threads, monkeypatch):
    sizes, do = set(), thread_pool.ThreadPool.run
    monkeypatch.setattr(
        thread_pool.ThreadPool,
        "run",
        lambda pool, *a, **b: sizes.add(pool.size) or do(pool, *a, **b),
    )
    X, y = samples(dtype)
    weights = some_weights(len(y)) if weighted else None
    got = fitted(X, y, size, weights).within_class_covariance_
    assert 4 in sizes  # or this says nothing of threads
    want = covariance_of_samples(dtype, weighted)
    error = np.abs(got - want).max() / np.abs(want).max()
    assert error <= {"float64": 1e-12, "float32": 1e-6}[dtype]


@pytest.mark.parametrize("size", [5000, 31, 33])
@pytest.mark.parametrize("n_features", [769, 1030])
def test_wide_products_in_threads(n_features, size, monkeypatch):
    monkeypatch.setattr(thread_pool, "_alone", lambda: True)
    monkeypatch.setattr(products, "blas_threads", lambda: 2)
    monkeypatch.setattr(thread_pool, "blas_threads", lambda: 2)
    halves, by_columns = [], products._by_columns
    monkeypatch.setattr(
        products, "_by_columns", lambda *a: halves.append(a) or by_columns(*a)
    )
    item = around(np.random.default_rng(0).standard_normal((5, n_features)), 400, 0.7)
    got = fitted(item.X, item.y, size).within_class_covariance_
    assert halves  # or this says nothing of threads
    want = within_class_covariance(item.X, item.y, np.ones(len(item.y)))
    assert np.abs(got - want).max() <= 1e-12 * np.abs(want).max()


def test_threads_handle_errors_as_the_caller_does(four_threads):
    with np.errstate(over="raise"):
        assert thread_pool.new_pool(2).run([np.geterr] * 4) == [np.geterr()] * 4


@pytest.mark.parametrize("n_features", [6, 300])
def test_weights_may_begin_and_end_between_blocks(n_features):
    X, y = samples("float64")
    X, ones = X[:, :n_features], np.ones(3000)
    analyzer = NeuralCollapseAnalyzer()
    for start, weights in ((0, None), (3000, 2 * ones), (6000, None), (9000, 3 * ones)):
        rows = slice(start, start + 3000)
        analyzer.partial_fit(X[rows], y[rows], sample_weight=weights)
    weights = np.repeat([1.0, 2, 1, 3], 3000)
    want = within_class_covariance(X[:12_000], y[:12_000], weights)
    np.testing.assert_allclose(analyzer.within_class_covariance_, want, atol=TIGHT)
