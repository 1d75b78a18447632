"""
Ctrl-C before any line of an update: the batch is in or out, and nothing else changes.

    pytest tests/estimators/test_interruptions.py -m slow -rP | grep points
"""

import contextlib
import threading
from collections import Counter
from functools import partial

import interrupts
import numpy as np
import pytest
from tolerances import CLOSE

from sknc import NeuralCollapseAnalyzer
from sknc._utils import thread_pool

METRICS = ["nc1_trace_ratio", "nc1_pinv", "nc2_equinorm"]


def batch(size, classes, seed, n_features=6, dtype=float):
    rng = np.random.default_rng(seed)
    y = rng.choice(classes, size)
    centers = 100 + np.random.default_rng(9).standard_normal((20, n_features))
    return (centers[y] + rng.standard_normal((size, n_features))).astype(dtype), y


def tensors(*arguments):
    torch = pytest.importorskip("torch")
    return tuple(map(torch.as_tensor, batch(*arguments)))


class Case:
    """An analyzer that has some batches, a call on it, and batches that follow."""

    def __init__(self, call, *, make=batch, sizes=(40, 30), more=(), **options):
        self.options = {"metrics": METRICS, **options}
        self.call, self.make, self.more = call, make, more
        classes = [[1, 2, 3], [1, 2, 3, 4]]
        self.before = [
            make(size, found, seed, *more)
            for seed, (size, found) in enumerate(zip(sizes, classes, strict=False))
        ]
        self.after = [make(20, [5, 1], 3, *more), make(25, [2, 7], 4, *more)]

    def analyzer(self):
        analyzer = NeuralCollapseAnalyzer(**self.options)
        for item in self.before:
            analyzer.partial_fit(*item)
        return analyzer

    def outcomes(self):
        """Return the right states with and without the call."""
        done = self.analyzer()
        self.call(done)
        return self.state(done), self.state(self.analyzer())

    def state(self, analyzer):
        """Return all that is known of an analyzer once more batches are in."""
        for item in self.after:
            analyzer.partial_fit(*item)
        report = analyzer.report()
        found = {name: getattr(analyzer, f"{name}_") for name in ATTRIBUTES}
        return {
            **{name: np.asarray(value) for name, value in found.items()},
            **report.to_dict(),
            **{f"error of {key}": v for key, v in report.standard_error.items()},
        }


ATTRIBUTES = "classes", "class_count", "class_means", "n_samples_seen", "n_features_in"


def same(one, other, rtol):
    return one.keys() == other.keys() and all(
        np.shape(one[key]) == np.shape(other[key])
        and np.allclose(one[key], other[key], rtol, atol=CLOSE, equal_nan=True)
        for key in one
    )


def new_classes(make=batch, size=25, more=()):
    item = make(size, [1, 3, 6], 2, *more)
    return lambda analyzer: analyzer.partial_fit(*item)


def weighted(analyzer):
    X, y = batch(25, [1, 3, 6], 2)
    analyzer.partial_fit(X, y, sample_weight=np.arange(25.0))


def fit_batches(analyzer):
    analyzer.fit_batches([batch(25, [1, 3, 6], 5), batch(25, [1, 3, 4], 6)])


def merge(analyzer, **options):
    other = NeuralCollapseAnalyzer(metrics=METRICS, **options)
    analyzer.merge(other.partial_fit(*batch(30, [1, 9], 7)))


def score(analyzer):
    analyzer.score_batches([batch(20, [1, 2], 5), batch(20, [1, 3], 6)])


def report(analyzer):
    analyzer.report()


WIDE = (300, np.float32)  # so that residuals are of float32, and wait
CASES = {
    "partial_fit": Case(new_classes()),
    "of first batch": Case(new_classes(), sizes=()),
    "without covariance": Case(new_classes(), covariance=False),
    "with groups": Case(new_classes(), n_jackknife=3),
    "of tensors": Case(new_classes(tensors), make=tensors),
    "of wide features": Case(new_classes(size=300, more=WIDE), sizes=(900,), more=WIDE),
    "of wider features": Case(new_classes(more=(300, float)), sizes=(900,), more=WIDE),
    "with weights": Case(weighted),
    "of many blocks": Case(new_classes(size=20_000), sizes=(40, 3000)),
    "of a full buffer": Case(new_classes(size=9000), sizes=(40, 9000)),
    "fit": Case(lambda analyzer: analyzer.fit(*batch(25, [1, 3, 6], 5))),
    "fit_batches": Case(fit_batches),
    "merge": Case(merge),
    "merge of groups": Case(partial(merge, n_jackknife=3), n_jackknife=3),
    "merge into none": Case(merge, sizes=()),
    "report": Case(report),
    "report of groups": Case(report, n_jackknife=2),
    "report by threads": Case(report, sizes=(3000,), more=WIDE),
    "score_batches": Case(score),
}


@pytest.mark.parametrize(
    "most", [20, pytest.param(1200, marks=pytest.mark.slow)], ids=["some", "all"]
)
@pytest.mark.parametrize("name", CASES)
def test_interrupted_at_any_line(name, most, monkeypatch):
    monkeypatch.setattr(thread_pool, "blas_threads", lambda: 2)
    monkeypatch.setattr(thread_pool, "_alone", lambda: True)
    case, found, wrong = CASES[name], Counter(), []
    done, undone = case.outcomes()
    lines = interrupts.run(partial(case.call, case.analyzer()))
    for place in interrupts.places(lines, most):
        analyzer = case.analyzer()
        interrupts.run(partial(case.call, analyzer), place)
        outcome = outcome_of(case, analyzer, done, undone)
        found[outcome] += 1
        if outcome == "wrong":
            wrong.append(place)
    print(f"{name}: {found.total()} points, {dict(found)}")
    assert not wrong
    assert found.keys() <= {"done", "not done"}


def outcome_of(case, analyzer, done, undone):
    try:
        state = case.state(analyzer)
    except RuntimeError as error:
        return f"refused: {error}"
    # Which rows are summed together may change, and some are summed in float32.
    rtol = 1e-6 if case.more == WIDE else 1e-10
    if same(state, done, rtol):
        return "done"
    return "not done" if same(state, undone, rtol) else "wrong"


def leaves(lock):
    with lock:
        number = 1
    with lock:
        return number, [
            number,
            number,
        ]


def leaves_early(lock):
    for _ in range(2):
        with lock, contextlib.suppress(ValueError):
            if lock:
                break


@pytest.mark.parametrize("function", [leaves, leaves_early])
def test_no_lock_is_left_taken(function):
    """As with signals, which Python sees at calls and jumps only."""
    lock, call = threading.Lock(), partial(function, threading.Lock())
    lines = interrupts.run(call, files=(__file__,))
    assert len(lines) >= 3
    for place in range(1, len(lines) + 1):
        interrupts.run(partial(function, lock), place, files=(__file__,))
        assert not lock.locked(), lines[place - 1]
