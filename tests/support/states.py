"""States to be saved, and everything in one to compare."""

import io

import numpy as np

import sknc
from sknc import NearestClassCenter, NeuralCollapseAnalyzer


class Rows:
    """Weights of a head that knows its classes."""

    coef_ = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], np.float32)
    intercept_ = np.array([0.5, 0.25, 0.0])
    classes_ = np.array(["zebra", "ant", "bee"])


def whole_numbers(n_rows=24):
    """Return features whose sums are exact, on any processor."""
    places = np.arange(n_rows)
    columns = [8.0 * (places % 3 == k) + (places * (k + 2)) % 5 for k in range(3)]
    return np.stack([*columns, places % 7 - 3.0], axis=1)


def analyzer_of_strings():
    """Every part that a file may have, and rows that wait."""
    X, names = whole_numbers(), np.array(["zebra", "ant", "bee"])[np.arange(24) % 3]
    analyzer = NeuralCollapseAnalyzer(
        Rows(),
        convention="papyan2020",
        metrics=["NC1", "nc2_equinorm", "NC3"],
        n_jackknife=3,
    )
    analyzer.partial_fit(X[:10], names[:10], sample_weight=1.0 + np.arange(10) % 2)
    analyzer.report()  # adds what waits
    return analyzer.partial_fit(X[10:], names[10:])


def centers_of_dates():
    """A classifier with priors, and dates as labels."""
    dates = np.array(["2001-02-03", "2004-05-06"], "M8[D]")[np.arange(24) % 2]
    return NearestClassCenter(priors=[3.0, 1.0]).fit(whole_numbers(), dates)


def analyzer_of_tensors(torch):
    """Sums of float32 tensors, and a head without labels."""
    X = torch.tensor(whole_numbers(), dtype=torch.float32)
    head = torch.nn.Linear(4, 3)
    with torch.no_grad():
        head.weight.copy_(torch.eye(3, 4))
        head.bias.copy_(torch.arange(3.0))
    return NeuralCollapseAnalyzer(head).fit(X, torch.arange(24) % 3)


def everything(estimator):
    """Return all numbers of an estimator to the last bit; adds the rows that wait."""
    parts = estimator._stream.read()[1]
    return [None if part is None else _of_statistics(part) for part in parts]


def _of_statistics(statistics):
    return {
        name: (str(array.dtype), array.shape, array.tobytes())
        for name, array in statistics.to_arrays().items()
    }


def stored(estimator):
    """Return the bytes of an estimator's file."""
    file = io.BytesIO()
    estimator.save(file)
    return file.getvalue()


def loaded(estimator, **options):
    """Return an estimator that went through a file."""
    return sknc.load(io.BytesIO(stored(estimator)), **options)


def batches(rows, n_features, dtype, n_batches=9, weights=False, strings=False):
    """Return batches in which classes appear late, at a distance from the origin."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(n_batches):
        y = rng.integers(3 + 2 * number, size=rows)
        X = rng.normal(size=(rows, n_features)) + (y % 7)[:, None] + 50
        y = np.array([f"class {k}" for k in y]) if strings else y
        w = rng.uniform(0.5, 2, rows) if weights else None
        found.append((X.astype(dtype), y, w))
    return found


def accumulate(estimator, parts):
    """Fit batches, and return the estimator."""
    for X, y, w in parts:
        estimator.partial_fit(X, y, sample_weight=w)
    return estimator


def samples(seed=0, n_rows=300, n_classes=4):
    """Return float32 features and labels; other seeds are other samples of the same."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n_rows)
    means = 3 * np.random.default_rng(9).normal(size=(n_classes, 6))
    return (means[y] + rng.normal(size=(n_rows, 6))).astype(np.float32), y
