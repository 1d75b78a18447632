"""Estimators that are merged, changed while they are read, or shared by threads."""

import multiprocessing
import os
import threading
import warnings
from functools import partial

import numpy as np
import pytest
from joblib import Parallel, delayed
from tolerances import SINGLE

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.convention import Convention
from sknc.estimators import stream_estimator
from sknc.estimators._fitting import stream
from sknc.statistics.affine_rule import AffineRule

RNG = np.random.default_rng(0)
CENTERS = 50 + RNG.standard_normal((4, 300))
Y = RNG.integers(0, 4, 2400)
X = (CENTERS[Y] + RNG.standard_normal((2400, 300))).astype(np.float32)
BATCHES = [(X[i : i + 60], Y[i : i + 60]) for i in range(0, 2400, 60)]
METRICS = ["nc1_trace_ratio", "nc1_pinv", "nc2_equinorm"]


def fitted(batches=BATCHES, **options):
    analyzer = NeuralCollapseAnalyzer(metrics=METRICS, **options)
    for batch in batches:
        analyzer.partial_fit(*batch)
    return analyzer


def assert_same(one, other, rtol=1e-5):
    assert one.n_samples_seen_ == other.n_samples_seen_
    np.testing.assert_array_equal(one.class_count_, other.class_count_)
    np.testing.assert_allclose(one.class_means_, other.class_means_, rtol=1e-7)
    np.testing.assert_allclose(one.report().values(), other.report().values(), rtol)


# Merging ------------------------------------------------


@pytest.mark.parametrize("make", [list, tuple, iter])
def test_merge_of_an_iterable(make):
    parts = [fitted(BATCHES[i::3]) for i in range(3)]
    assert_same(NeuralCollapseAnalyzer(metrics=METRICS).merge(make(parts)), fitted())
    assert NearestClassCenter().merge([]).__sklearn_is_fitted__() is False


def test_sum():
    parts = [fitted(BATCHES[i::3]) for i in range(3)]
    whole = sum(parts)
    assert_same(whole, fitted())
    alone = sum(parts[:1])
    assert alone is not parts[0]
    alone.partial_fit(*BATCHES[1])
    assert parts[0].n_samples_seen_ == 14 * 60
    with pytest.raises(TypeError, match="unsupported operand"):
        1 + parts[0]


def frames(columns):
    pd = pytest.importorskip("pandas")
    return [pd.DataFrame(X[rows, :4], columns=list("abcd"))[columns] for rows in HALVES]


HALVES = slice(0, None, 2), slice(1, None, 2)


@pytest.mark.parametrize("columns", ["dcba", "abdc"])
def test_features_of_other_names_are_not_merged(columns):
    first = NearestClassCenter().fit(frames(list("abcd"))[0], Y[HALVES[0]])
    other = NearestClassCenter().fit(frames(list(columns))[1], Y[HALVES[1]])
    before = first.class_means_
    message = (
        r"^Cannot merge estimators with different features: expected \['a', 'b', "
        r"'c', 'd'\], got \['.', '.', '.', '.'\]\. Fit all of them on the same "
        r"columns in the same order\.$"
    )
    for merge in (first.merge, first.__add__):
        with pytest.raises(ValueError, match=message):
            merge(other)
    assert np.array_equal(first.class_means_, before)


def test_names_stay_when_merged():
    parts = [
        NearestClassCenter().fit(frame, Y[rows])
        for frame, rows in zip(frames(list("abcd")), HALVES, strict=True)
    ]
    merged = sum(parts)
    assert merged.feature_names_in_.tolist() == list("abcd")
    whole = NearestClassCenter().fit(X[:, :4], Y)
    np.testing.assert_allclose(merged.class_means_, whole.class_means_)


def test_groups_of_the_fit_are_what_is_merged():
    first, second = fitted(BATCHES[::2]), fitted(BATCHES[1::2])
    first.set_params(n_jackknife=3)  # holds from the next fit on
    second.set_params(n_jackknife=3)
    assert_same(first.merge(second), fitted())
    message = (
        r"^Cannot merge estimators with different n_jackknife, got \[0, 3\]\. Fit all "
        r"of them with the same number\.$"
    )
    other = fitted(BATCHES[:2], n_jackknife=3)
    for one, another in ((first, other), (other, first)):
        with pytest.raises(ValueError, match=message):
            one.merge(another)
    with pytest.raises(ValueError, match=message):
        NeuralCollapseAnalyzer(n_jackknife=3).merge(second)


# Batches that change the estimator ------------------------------------------------


def changing(analyzer, batches):
    for batch in batches:
        yield batch
        analyzer.partial_fit(X[:60] + 9, Y[:60])


@pytest.mark.parametrize("n_jackknife", [0, 3])
def test_score_is_about_the_centers_at_its_beginning(n_jackknife):
    analyzer = fitted(BATCHES[:9], n_jackknife=n_jackknife)
    want = analyzer.score_batches(BATCHES[9:12])
    got = analyzer.score_batches(changing(analyzer, BATCHES[9:12]))
    assert got.to_json() == want.to_json()
    assert ("nc2_equinorm" in got.standard_error) == (n_jackknife > 0)
    assert analyzer.n_samples_seen_ == 12 * 60


def test_score_is_of_the_head_at_its_beginning():
    head = CENTERS - CENTERS.mean(0)
    metrics = ["nc3_self_duality", "nc4_head_accuracy"]
    analyzer = NeuralCollapseAnalyzer((head, None), metrics=metrics).fit(X, Y)

    def training():
        for batch in BATCHES[:3]:
            yield batch
            head[:] = head[::-1].copy()

    want = analyzer.score_batches(BATCHES[:3])
    assert analyzer.score_batches(training()).to_json() == want.to_json()


@pytest.mark.parametrize("first", [True, False])
def test_fit_batches_is_of_the_batches_only(first):
    analyzer = NeuralCollapseAnalyzer(metrics=METRICS)
    if not first:
        analyzer.fit(X + 7, Y)
    analyzer.fit_batches(changing(analyzer, BATCHES[:5]))
    assert_same(analyzer, fitted(BATCHES[:5]))


def test_parameters_set_by_a_loader_stay():
    analyzer = NeuralCollapseAnalyzer()

    def loader():
        yield BATCHES[0]
        analyzer.set_params(metrics=METRICS)

    assert analyzer.fit_batches(loader()).metrics is METRICS


# Groups ------------------------------------------------


def failing(monkeypatch, *places):
    """Let some of the next calls that add a batch fail, counted from one."""
    n_calls, add = [0], stream.add_batch

    def fail(*arguments):
        n_calls[0] += 1
        if n_calls[0] in places:
            raise MemoryError
        return add(*arguments)

    monkeypatch.setattr(stream, "add_batch", fail)


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_batch_of_groups_is_finished(place, monkeypatch):
    analyzer = fitted(BATCHES[:5], n_jackknife=3)
    want = fitted(BATCHES[:5], n_jackknife=3)
    assert analyzer.report().to_json() == want.report().to_json()  # and is kept
    with monkeypatch.context() as patch:
        failing(patch, place)
        with pytest.raises(MemoryError):
            analyzer.partial_fit(*BATCHES[5])
    assert_same(analyzer, want.partial_fit(*BATCHES[5]))
    errors = (item.report().standard_error for item in (analyzer, want))
    np.testing.assert_allclose(*(list(found.values()) for found in errors))


def test_groups_to_which_nothing_was_added_are_whole(monkeypatch):
    analyzer = fitted(BATCHES[:5], n_jackknife=3)
    with monkeypatch.context() as patch:
        failing(patch, 1, 2)  # the first group, twice
        with pytest.raises(MemoryError):
            analyzer.partial_fit(*BATCHES[5])
    assert_same(analyzer, fitted(BATCHES[:5], n_jackknife=3))


def test_incomplete_groups_are_refused(monkeypatch):
    analyzer = fitted(BATCHES[:5], n_jackknife=3)
    with monkeypatch.context() as patch:
        failing(patch, 2, 3)
        with pytest.raises(MemoryError):
            analyzer.partial_fit(*BATCHES[5])
    message = (
        r"^The sums are incomplete because adding a batch was interrupted twice\. "
        r"Fit again, or continue from an earlier copy\.$"
    )
    for use in (
        analyzer.report,
        lambda: analyzer.n_samples_seen_,
        lambda: analyzer.partial_fit(*BATCHES[5]),
        lambda: fitted(n_jackknife=3).merge(analyzer),
    ):
        with pytest.raises(RuntimeError, match=message):
            use()
    assert_same(analyzer.fit(X, Y), fitted())


# Threads ------------------------------------------------


def in_threads(*functions):
    """Run functions at once, and return the errors that they raise."""
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(item,)) for item in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_an_analyzer_a_thread():
    parts = [NeuralCollapseAnalyzer(metrics=METRICS) for _ in range(4)]

    def fit(part, batches):
        for batch in batches:
            part.partial_fit(*batch)

    jobs = [partial(fit, part, BATCHES[i::4]) for i, part in enumerate(parts)]
    assert not in_threads(*jobs)
    assert_same(sum(parts), fitted())


@pytest.mark.parametrize("n_jackknife", [0, 2])
def test_read_while_another_thread_fits(n_jackknife):
    analyzer, want = (
        fitted(BATCHES[:1], n_jackknife=n_jackknife),
        fitted(n_jackknife=n_jackknife),
    )
    counts, done = [], threading.Event()

    def fit():
        for batch in BATCHES[1:]:
            analyzer.partial_fit(*batch)
        done.set()

    def read():
        while not done.is_set():
            counts.append(analyzer.report().n_samples)

    assert not in_threads(fit, read)
    assert_same(analyzer, want)
    assert counts == sorted(counts)
    assert all(count % 60 == 0 for count in counts)  # no half batch


def test_predictions_are_of_one_state(monkeypatch):
    """As if another thread added a class meanwhile."""
    model, decide = NearestClassCenter().fit([[0.0], [4.0]], [1, 3]), AffineRule.decide

    def decide_late(rule, features):
        model.partial_fit([[99.0]], [0])
        return decide(rule, features)

    monkeypatch.setattr(AffineRule, "decide", decide_late)
    assert model.predict([[0.5], [3.5], [60.0]]).tolist() == [1, 3, 3]
    assert model.classes_.tolist() == [0, 1, 3]


def test_coordinates_are_of_one_state(monkeypatch):
    model, weights = fitted(), Convention.center_weights
    want = model.transform(X[:9])

    def weights_late(convention, counts):
        model.partial_fit(X + 5, Y + 1)
        return weights(convention, counts)

    monkeypatch.setattr(Convention, "center_weights", weights_late)
    np.testing.assert_array_equal(model.transform(X[:9]), want)


@pytest.mark.parametrize("n_first", [0, 1])
def test_two_threads_fit_one_analyzer(n_first):
    for _ in range(5):
        analyzer = fitted(BATCHES[:n_first])
        together = threading.Barrier(2)

        def fit(first, analyzer=analyzer, together=together):
            together.wait(20)
            for batch in BATCHES[first::2]:
                analyzer.partial_fit(*batch)

        jobs = (partial(fit, n_first), partial(fit, n_first + 1))
        assert not in_threads(*jobs)
        assert_same(analyzer, fitted())


# Processes ------------------------------------------------


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_joblib(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the pools of processes
        parts = Parallel(2, backend=backend)(
            delayed(fitted)(BATCHES[i::2]) for i in range(2)
        )
    assert_same(sum(parts), fitted())


def go_on(analyzer, queue):
    analyzer.partial_fit(*BATCHES[5])
    fitted(BATCHES[:1])  # a first batch, too
    queue.put((analyzer.n_samples_seen_, analyzer.report().to_dict()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("held", ["the analyzer", "a first batch"])
def test_fork_while_a_thread_has(held):
    analyzer, context = fitted(BATCHES[:5]), multiprocessing.get_context("fork")
    owner = analyzer._stream if held == "the analyzer" else stream_estimator._adopting
    taken, done, queue = threading.Event(), threading.Event(), context.SimpleQueue()

    def hold():
        with owner.lock():
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    child = context.Process(target=go_on, args=(analyzer, queue))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        child.start()
    child.join(60)
    done.set()
    thread.join()
    child.terminate()
    assert child.exitcode == 0
    n_samples, values = queue.get()
    assert n_samples == 6 * 60
    assert values == pytest.approx(fitted(BATCHES[:6]).report().to_dict(), rel=SINGLE)
