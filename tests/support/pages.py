"""Reports of every kind to make pages of, some with labels that try to be code."""

import numpy as np

from sknc import (
    Convention,
    LayerwiseReport,
    NeuralCollapseAnalyzer,
    NeuralRegressionCollapse,
)

HOSTILE = "<script>alert(1)</script>"
LABELS = np.array([HOSTILE, "\"><img src=x onerror='alert(2)'>", "größer & kleiner"])


def samples(n_classes=3, n_each=8, seed=0):
    """Return features of some classes in 6 dimensions, and numbers of the classes."""
    y = np.repeat(np.arange(n_classes), n_each)
    generator = np.random.default_rng(seed)
    means = np.random.default_rng(99).normal(size=(n_classes, 6))
    return 3 * means[y] + generator.normal(size=(len(y), 6)), y


def fitted(n_classes=3, n_each=8, labels=None, **options):
    """Return an analyzer with a head, fitted on the samples."""
    X, y = samples(n_classes, n_each)
    head = (np.random.default_rng(1).normal(size=(n_classes, 6)), np.zeros(n_classes))
    names = np.arange(n_classes) if labels is None else labels
    analyzer = NeuralCollapseAnalyzer(head, **options)
    return analyzer.fit(X, names[y], classes=names), names


def report_of(n_classes=3, seed=0, **options):
    """Return the report of samples about the fitted class means."""
    analyzer, names = fitted(n_classes, **options)
    X, y = samples(n_classes, seed=seed)
    return analyzer.score(X, names[y])


def hostile_report():
    """Return a report whose labels and convention hold markup."""
    labels = np.sort(LABELS)
    return report_of(labels=labels, convention=Convention(HOSTILE), n_jackknife=4)


def crowded_report():
    """Return a report of every metric with notes: more classes than dimensions."""
    return report_of(9, metrics="all")


def regression_report():
    """Return a report of three targets."""
    X = np.random.default_rng(0).normal(size=(60, 5)) * [3, 2, 1, 0.1, 0.01]
    head = np.random.default_rng(1).normal(size=(3, 5))
    estimator = NeuralRegressionCollapse(head=(head, np.zeros(3)), metrics="all")
    return estimator.fit(X, X @ head.T + 0.1).report()


def layers_report(n_layers=4):
    """Return reports of layers, the last of which has the head."""
    keys = ["NC1", "nc2_etf", "nc4_ncc_accuracy", "NC3"]
    X, y = samples()
    sides = {"train": {}, "held_out": {}}
    for depth in range(n_layers):
        last = depth == n_layers - 1
        name = f"{HOSTILE} {depth}"
        noise = np.random.default_rng(5).normal(size=X.shape) / (1 + depth)
        head = np.random.default_rng(1).normal(size=(3, 6)) if last else None
        analyzer = NeuralCollapseAnalyzer(head, metrics=keys).fit(X + noise, y)
        sides["train"][name] = analyzer.score(X + noise, y)
        sides["held_out"][name] = analyzer.score(X - noise, y)
    shares = np.linspace(0.3, 0, n_layers)
    return LayerwiseReport(
        **sides,
        train_mismatch=shares,
        held_out_mismatch=shares,
        notes=(f"Some note {HOSTILE}.",),
    )
