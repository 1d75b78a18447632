"""Whatever is interrupted, a batch is in or it is not, and nothing gets lost."""

from functools import partial
from pathlib import Path

import interrupts
import numpy as np
import pytest
import two_passes

from sknc import ClassStatistics
from sknc._utils import arrays, thread_pool
from sknc.statistics._accumulation import (
    Accumulator,
    State,
    accumulator,
    products,
    residuals,
)

FILES = (str(Path(accumulator.__file__).parent),)


def batch(size, classes, dtype="float32", *, weighted=False):
    rng = np.random.default_rng(size)
    y = rng.choice(classes, size)
    X = rng.standard_normal((size, 8))
    X[:3] *= 30  # anchors that will have to be moved
    weights = rng.uniform(0.5, 2, size) if weighted else None
    return X.astype(dtype), y, weights


def begun(batches, n_classes, **options):
    """Return an accumulator of batches, with room for some classes only."""
    empty = State.empty(batches[0][0], n_classes, **options)
    made = Accumulator(empty, waiting_blocks=1)
    for item in batches:
        add(made, item)
    return made


def add(made, item):
    made.grow(int(item[1].max()) + 1)
    assert made.update(*item, None)


def statistics(made):
    moments = made.moments()
    labels = np.arange(len(moments.counts))
    return ClassStatistics(labels, moments, made.n_samples, "float32")


def assert_right(made, batches, rtol):
    two_passes.assert_all_same(statistics(made), batches, rtol=rtol)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Let small batches go all ways."""
    monkeypatch.setattr(accumulator, "_NARROW", 4)
    monkeypatch.setattr(accumulator, "_MOST_ROWS", 64)
    monkeypatch.setattr(residuals, "_FEWEST_ROWS", 16)
    monkeypatch.setattr(residuals, "_TILE_ELEMENTS", 16)


FEW, MANY = range(3), range(300)
CASES = {
    "waits": ([batch(30, FEW)], batch(10, FEW)),
    "new class": ([batch(30, FEW)], batch(20, range(2, 9))),
    "does not fit": ([batch(30, FEW)], batch(60, FEW)),
    "several blocks": ([batch(30, FEW)], batch(200, FEW)),
    "weights": ([batch(30, FEW)], batch(20, FEW, weighted=True)),
    "wider": ([batch(30, FEW)], batch(20, FEW, "float64")),
    "many classes": ([batch(50, MANY)], batch(40, MANY)),
    "many, in blocks": ([batch(50, MANY)], batch(200, MANY)),
}


@pytest.mark.parametrize(
    "most", [24, pytest.param(200, marks=pytest.mark.slow)], ids=["some", "all"]
)
@pytest.mark.parametrize("covariance", [True, False])
@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_at_any_line(case, read_first, covariance, most, monkeypatch):
    monkeypatch.setattr(thread_pool, "blas_threads", lambda: 2)
    batches, new = CASES[case]
    rtol = 3e-6

    def before():
        made = begun(batches, 3, covariance=covariance)
        if read_first:
            made.moments()
        return made

    whole = [*batches, new]
    calls = {
        "update": (before, lambda made: add(made, new)),
        "read": (lambda: begun(whole, 3, covariance=covariance), Accumulator.moments),
    }
    for name, (make, call) in calls.items():
        lines = interrupts.run(partial(call, make()), files=FILES)
        assert len(lines) >= 10
        places, n_in = interrupts.places(lines, most), 0
        for place in places:
            made = make()
            handed_out = made.moments() if read_first and name == "update" else None
            copied = None if handed_out is None else handed_out.copied()
            interrupts.run(partial(call, made), place, FILES)
            is_in = name == "read" or made.n_samples > len(batches[0][1])
            n_in += is_in
            assert_right(made, whole if is_in else batches, rtol)
            for field in ("counts", "anchors", "sums", "squares") if copied else ():
                same = getattr(handed_out, field) == getattr(copied, field)
                assert same.all()
        assert name == "read" or n_in < len(places)


@pytest.mark.parametrize("n_classes", [3, 300])
@pytest.mark.parametrize(
    ("module", "function"),
    [
        (arrays, "sums_by_index"),
        (arrays, "row_squared_norms"),
        (arrays, "put_rows"),
        (products, "_multiply"),
    ],
)
def test_a_failed_reading_loses_nothing(module, function, n_classes, monkeypatch):
    batches = [batch(20, range(n_classes)) for _ in range(3)]
    made = begun(batches, n_classes)

    def fail(*arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(module, function, fail)
        if function != "put_rows" or n_classes > 3:
            with pytest.raises(MemoryError):
                made.moments()
    assert_right(made, batches, 3e-6)
