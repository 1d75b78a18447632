"""Thousands of calls with one malformed argument each: a clear error, and no trace.

A call is drawn at random: an entry point, one of its parameters, and a value that it
must not accept (`malformed`). It must raise from a ``raise`` statement of sknc or of
the validation of scikit-learn or narwhals, not from the depths of an array library, and
afterwards the estimator must be the same, bit for bit.
"""

import inspect
import pickle
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import malformed
import numpy as np
import pytest
from malformed import WEIGHTS, B, W, X, Y

from sknc import (
    CollapseTrajectoryDisplay,
    Convention,
    LinearHead,
    NCReport,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
    metrics,
    nc_scorer,
)

SAMPLES = {"X": X, "y": Y, "sample_weight": WEIGHTS}
POOLS = {
    "X": malformed.FEATURES,
    "y": malformed.LABELS,
    "sample_weight": malformed.WEIGHT,
}


@dataclass(frozen=True)
class Call:
    """One call with one malformed argument."""

    entry: str
    value: str
    estimator: Any
    run: Any

    def __str__(self):
        return f"{self.entry}={self.value}"


def drawn(rng, pool):
    """Return the name of a malformed value and the value."""
    name = rng.choice(sorted(pool))
    return str(name), pool[name]()


def some_analyzer(rng):
    """Return an analyzer in one of its states."""
    new = NeuralCollapseAnalyzer(
        (W, B), n_jackknife=int(rng.choice([0, 3])), covariance=bool(rng.integers(2))
    )
    state = rng.integers(3)
    if state:
        new.partial_fit(X[:20], Y[:20], classes=range(3) if state == 1 else None)
    return new


def fitted_analyzer(rng):
    """Return an analyzer of all samples."""
    return NeuralCollapseAnalyzer((W, B), n_jackknife=int(rng.choice([0, 3]))).fit(X, Y)


def some_classifier(rng):
    """Return a fitted classifier."""
    return NearestClassCenter(str(rng.choice(["euclidean", "cosine"]))).fit(X, Y)


def with_samples(make, method, names, rng):
    """Return a call of a method that takes samples, one part of them malformed."""
    arguments = {
        name: SAMPLES[name]
        for name in names
        if name != "sample_weight" or rng.random() < 0.3
    }
    name = str(rng.choice(names))
    value, arguments[name] = drawn(rng, POOLS[name])
    estimator = make(rng)
    entry = f"{type(estimator).__name__}.{method}({name})"
    return Call(
        entry, value, estimator, partial(getattr(estimator, method), **arguments)
    )


def with_classes(rng):
    value, classes = drawn(rng, malformed.CLASSES)
    analyzer = some_analyzer(rng)
    method = str(rng.choice(["partial_fit", "fit_batches"]))
    data = ([(X, Y)],) if method == "fit_batches" else (X, Y)
    run = partial(getattr(analyzer, method), *data, classes=classes)
    return Call(f"{method}(classes)", value, analyzer, run)


def with_batches(rng):
    value, batches = drawn(rng, malformed.BATCHES)
    analyzer = fitted_analyzer(rng)
    method = str(rng.choice(["fit_batches", "score_batches"]))
    return Call(method, value, analyzer, partial(getattr(analyzer, method), batches))


def with_other(rng):
    value, other = drawn(rng, malformed.OTHERS)
    analyzer = NeuralCollapseAnalyzer((W, B), n_jackknife=0).fit(X, Y)
    if isinstance(other, NeuralCollapseAnalyzer) and rng.random() < 0.5:
        return Call("+", value, analyzer, lambda: analyzer + other)
    return Call("merge", value, analyzer, partial(analyzer.merge, other))


PARAMETERS = {
    "head": malformed.HEADS,
    "convention": malformed.CONVENTIONS,
    "metrics": malformed.METRICS,
    "covariance": malformed.FLAGS,
    "n_jackknife": malformed.GROUPS,
}


def without_numbers(pool):
    """Return the heads that a fit refuses: it does not read their numbers."""
    numbers = {"NaN", "infinite bias", "objects"}
    return {key: make for key, make in pool.items() if key not in numbers}


def with_parameter(rng):
    name = str(rng.choice(sorted(PARAMETERS)))
    value, given = drawn(rng, without_numbers(PARAMETERS[name]))
    analyzer = NeuralCollapseAnalyzer(**{name: given})
    return Call(f"analyzer({name}).fit", value, analyzer, partial(analyzer.fit, X, Y))


def with_parameter_set(rng):
    name = str(rng.choice(sorted(PARAMETERS)))
    method = str(rng.choice(["score", "fit"]))
    pool = PARAMETERS[name]
    value, given = drawn(rng, pool if method == "score" else without_numbers(pool))
    analyzer = fitted_analyzer(rng).set_params(**{name: given})
    run = partial(getattr(analyzer, method), X, Y)
    return Call(f"set_params({name}).{method}", value, analyzer, run)


def with_rule(rng):
    value, metric = drawn(rng, malformed.RULES)
    classifier = NearestClassCenter(metric)
    return Call("classifier(metric)", value, classifier, partial(classifier.fit, X, Y))


def with_agreement(rng):
    arguments = {"X": X, "head": (W, B), "y": Y}
    name = str(rng.choice(["X", "head", "y"]))
    pool = malformed.HEADS if name == "head" else POOLS[name]
    if name == "y":
        pool = {key: make for key, make in pool.items() if key != "None"}
    value, arguments[name] = drawn(rng, pool)
    classifier = some_classifier(rng)
    run = partial(classifier.agreement, **arguments)
    return Call(f"agreement({name})", value, classifier, run)


def with_statistics(rng):
    value, statistics = drawn(rng, malformed.STATISTICS)
    if rng.random() < 0.5:
        run = partial(NearestClassCenter.from_statistics, statistics)
        return Call("from_statistics", value, None, run)
    held = malformed.fitted().statistics_
    return Call("ClassStatistics.merge", value, None, partial(held.merge, statistics))


CHOICES = {
    "center": malformed.KINDS,
    "between": malformed.KINDS,
    "within": malformed.KINDS,
    "rank": malformed.KINDS,
    "divide_by_classes": malformed.FLAGS,
    "squared_duality": malformed.FLAGS,
    "bias_correction": malformed.FLAGS,
    "minority": malformed.MINORITIES,
    "weight_decay": malformed.NUMBERS,
}


def with_choice(rng):
    name = str(rng.choice(sorted(CHOICES)))
    value, given = drawn(rng, CHOICES[name])
    run = partial(Convention, **{name: given})
    return Call(f"Convention({name})", value, None, run)


def with_metric(rng):
    """Return a call of a metric's function."""
    arguments = {
        "statistics": malformed.fitted().statistics_,
        "head": LinearHead(W, B),
        "ood_mean": X.mean(0),
        "X": X,
    }
    pools = {
        "statistics": malformed.STATISTICS,
        "head": malformed.LINEAR,
        "convention": malformed.CONVENTIONS,
        "power": malformed.NUMBERS,
        "weights": malformed.KINDS,
        "product": malformed.KINDS,
    }
    while True:
        function = metrics.TABLE[str(rng.choice(sorted(metrics.TABLE)))].function
        names = list(inspect.signature(function).parameters)
        free = [name for name in names if name in pools]
        if free and not {"decisions", "measures"} & set(names):
            break
    name = str(rng.choice(free))
    pool = pools[name]
    if name == "head" and "statistics" not in names:
        # By itself a head may have any number of rows and columns.
        whole = {"None", "array", "pair", "str", "strange"}
        pool = {key: make for key, make in pool.items() if key in whole}
    given = {key: arguments[key] for key in names if key in arguments}
    value, given[name] = drawn(rng, pool)
    entry = f"metrics.{function.__name__}({name})"
    return Call(entry, value, None, partial(function, **given))


def with_grid(rng):
    arguments = {"source": malformed.fitted().statistics_, "kind": "riesz_energy"}
    pools = {
        "source": malformed.STATISTICS,
        "kind": malformed.KINDS,
        "convention": malformed.CONVENTIONS,
        "power": malformed.NUMBERS,
    }
    name = str(rng.choice(sorted(pools)))
    pool = pools[name]
    if name == "source":
        pool = {key: make for key, make in pool.items() if key != "head"}
    value, arguments[name] = drawn(rng, pool)
    return Call(
        f"pair_grid({name})", value, None, partial(metrics.pair_grid, **arguments)
    )


def with_report(rng):
    report = malformed.fitted().report()
    calls = {
        "[key]": lambda: report["nc1_pin"],
        "[int]": lambda: report[5],
        ".name": lambda: report.nc1_pin,
        "set": lambda: setattr(report, "nc1_pinv", 0.0),
        "to_frame": lambda: report.to_frame("nope"),
        "from_json": lambda: NCReport.from_json("{}"),
        "from_json text": lambda: NCReport.from_json("no report"),
        "from_json None": lambda: NCReport.from_json(None),
    }
    value = str(rng.choice(sorted(calls)))
    return Call("NCReport", value, None, calls[value])


def with_display(rng):
    report = malformed.fitted().report()
    display = CollapseTrajectoryDisplay.from_reports([0, 1], [report, report])
    from_reports = CollapseTrajectoryDisplay.from_reports
    pools = {
        "epochs": malformed.EPOCHS,
        "reports": malformed.REPORTS,
        "metrics": malformed.METRICS,
        "epoch_scale": malformed.KINDS,
    }
    name = str(rng.choice(sorted(pools)))
    pool = pools[name]
    if name == "metrics":
        pool = {key: make for key, make in pool.items() if key != "None"}
    value, given = drawn(rng, pool)
    run = {
        "epochs": lambda: from_reports(given, [report, report]),
        "reports": lambda: from_reports([0, 1], given),
        "metrics": lambda: display.plot(metrics=given),
        "epoch_scale": lambda: display.plot(epoch_scale=given),
    }[name]
    return Call(f"display({name})", value, None, run)


def with_scorer(rng):
    value, estimator = drawn(rng, malformed.ESTIMATORS)
    return Call("nc_scorer", value, None, partial(nc_scorer, estimator, X, Y))


def with_selection(rng):
    value, chosen = drawn(rng, malformed.METRICS)
    return Call("metrics.select", value, None, partial(metrics.select, chosen))


ALL_PARTS = ["X", "y", "sample_weight"]
ENTRIES = [
    *[
        partial(with_samples, some_analyzer, name, ALL_PARTS)
        for name in ("fit", "partial_fit")
    ]
    * 2,
    *[
        partial(with_samples, some_classifier, name, ALL_PARTS)
        for name in ("fit", "partial_fit")
    ],
    partial(with_samples, fitted_analyzer, "score", ALL_PARTS),
    partial(with_samples, some_classifier, "score", ALL_PARTS),
    *[
        partial(with_samples, fitted_analyzer, name, ["X"])
        for name in ("transform", "score_ood", "neco_score")
    ],
    *[
        partial(with_samples, some_classifier, name, ["X"])
        for name in ("predict", "predict_proba", "decision_function", "transform")
    ],
    with_classes,
    with_batches,
    with_other,
    with_parameter,
    with_parameter_set,
    with_rule,
    with_agreement,
    with_statistics,
    with_choice,
    with_metric,
    with_metric,
    with_grid,
    with_report,
    with_display,
    with_scorer,
    with_selection,
]


def fingerprint(estimator):
    """Return the fitted state of an estimator as bytes."""
    if estimator is None or not estimator.__sklearn_is_fitted__():
        return b""
    state = {
        name: value
        for name, value in estimator.__getstate__().items()
        if name not in estimator.get_params(deep=False)
    }
    return pickle.dumps(state)


def in_our_words(error):
    """Whether an error comes from a ``raise`` of sknc or of scikit-learn's checks."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    speaks = any(name in last.filename for name in ("sknc", "sklearn", "narwhals"))
    return speaks and (last.line or "").lstrip().startswith("raise ")


def outcome(call):
    """Return what went wrong with a call, or an empty string."""
    before = fingerprint(call.estimator)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call.run()
    except Exception as error:
        if not in_our_words(error):
            return f"foreign error {type(error).__name__}: {str(error)[:80]}"
        return "" if fingerprint(call.estimator) == before else "left a trace"
    return "accepted"


def failures(seed, n_calls):
    """Return the failures of randomly drawn calls, counted."""
    rng = np.random.default_rng(seed)
    found = Counter()
    for _ in range(n_calls):
        call = ENTRIES[rng.integers(len(ENTRIES))](rng)
        if wrong := outcome(call):
            found[f"{call}: {wrong}"] += 1
    return found


def test_malformed_calls_are_refused():
    pytest.importorskip("matplotlib")
    assert failures(seed=0, n_calls=400) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_thousands_of_malformed_calls_are_refused(seed):
    pytest.importorskip("matplotlib")
    assert failures(seed, n_calls=1000) == {}


@pytest.mark.parametrize(
    ("run", "wrong"),
    [
        (lambda: None, "accepted"),
        (lambda: X @ X, "foreign error ValueError"),
        (lambda: malformed.fitted().score(X), "foreign error TypeError"),
    ],
)
def test_the_fuzz_can_fail(run, wrong):
    assert outcome(Call("test", "value", None, run)).startswith(wrong)


def test_a_trace_is_noticed():
    analyzer = malformed.fitted()

    def run():
        analyzer.partial_fit(X, Y)
        analyzer.partial_fit(X, Y[:3])

    assert outcome(Call("test", "value", analyzer, run)) == "left a trace"
