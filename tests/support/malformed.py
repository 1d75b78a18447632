"""Arguments that no call may accept, by the parameter that they are given to.

Each value is made anew by a function without arguments, so that a generator or an array
spoiled by one call does not reach the next.
"""

import datetime
import fractions
from types import SimpleNamespace

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sknc import (
    ClassStatistics,
    Convention,
    LinearHead,
    NearestClassCenter,
    NeuralCollapseAnalyzer,
)

N_SAMPLES, N_CLASSES, N_FEATURES = 40, 3, 4
_rng = np.random.default_rng(0)
MEANS = np.array([[2.0, 0, 0, 1], [0, 2, 0, -1], [0, 0, 2, 0.5]])
Y = np.concatenate([np.arange(3), _rng.integers(3, size=N_SAMPLES - 3)])
X = MEANS[Y] + 0.5 * _rng.standard_normal((N_SAMPLES, N_FEATURES))
WEIGHTS = _rng.uniform(0.1, 1, N_SAMPLES)
W, B = MEANS.copy(), np.array([0.1, 0.0, -0.1])
DAY = np.datetime64("2020-01-01")


class Strange:
    """An object that nothing can be made of."""


def with_entry(array, value, place=3):
    """Return a copy with one entry replaced, of object dtype if it has to be."""
    wide = np.result_type(array, type(value)) if isinstance(value, float) else object
    changed = array.astype(wide)
    changed.flat[place] = value
    return changed


def fitted(X=X, y=Y, **options):
    """Return a fitted analyzer."""
    return NeuralCollapseAnalyzer(**options).fit(X, y)


def logistic(X=X, y=Y):
    """Return a fitted scikit-learn head."""
    return LogisticRegression().fit(X, y)


FEATURES = {
    "None": lambda: None,
    "str": lambda: "features.npy",
    "int": lambda: 5,
    "1-D": lambda: X[0],
    "3-D": lambda: X[None],
    "no rows": lambda: X[:0],
    "no columns": lambda: X[:, :0],
    "NaN": lambda: with_entry(X, np.nan),
    "infinite": lambda: with_entry(X, -np.inf),
    "float16 NaN": lambda: with_entry(X, np.nan).astype(np.float16),
    "strided NaN": lambda: with_entry(X, np.nan)[::-1],
    "complex": lambda: X + 1j,
    "text objects": lambda: np.full(X.shape, "a", object),
    "sparse": lambda: sparse.csr_array(X),
    "dict": lambda: {"a": 1},
    "ragged": lambda: [[1, 2], [3]],
    "dates": lambda: np.full(X.shape, DAY),
    "durations": lambda: np.full(X.shape, DAY - DAY),
    "generator": lambda: (row for row in X),
    "set": lambda: {1.0, 2.0},
    "strange": Strange,
    "structured": lambda: np.zeros(N_SAMPLES, dtype=[("a", float)]),
    "type": lambda: np.ndarray,
}
LABELS = {
    "None": lambda: None,
    "short": lambda: Y[:-1],
    "long": lambda: np.append(Y, 0),
    "2-D": lambda: np.column_stack([Y, Y]),
    "3-D": lambda: Y[None, None],
    "fractions": lambda: Y + 0.5 * _rng.random(N_SAMPLES),
    "NaN": lambda: with_entry(Y, np.nan),
    "mixed": lambda: with_entry(Y, "a"),
    "None entry": lambda: with_entry(Y, None),
    "dict": lambda: {"a": 1},
    "set": lambda: {0, 1, 2},
    "one-hot": lambda: np.eye(3)[Y],
    "one-hot integers": lambda: np.eye(3, dtype=int)[Y],
    "empty": list,
    "scalar": lambda: 1,
    "str": lambda: "abc",
    "complex": lambda: Y + 1j,
    "NaT": lambda: np.where(Y == 0, np.datetime64("NaT"), DAY),
    "structured": lambda: np.zeros(N_SAMPLES, dtype=[("a", int)]),
    "strange": Strange,
    "type": lambda: int,
}
WEIGHT = {
    "negative": lambda: -WEIGHTS,
    "NaN": lambda: with_entry(WEIGHTS, np.nan),
    "infinite": lambda: with_entry(WEIGHTS, np.inf),
    "short": lambda: WEIGHTS[:-1],
    "2-D": lambda: np.column_stack([WEIGHTS, WEIGHTS]),
    "zeros": lambda: 0 * WEIGHTS,
    "str": lambda: "balanced",
    "text": lambda: np.full(N_SAMPLES, "x"),
    "digits as text": lambda: np.full(N_SAMPLES, "0.5"),
    "dict": lambda: {0: 1.0, 1: 2.0},
    "None entry": lambda: with_entry(WEIGHTS, None),
    "complex": lambda: WEIGHTS + 1j,
    "dates": lambda: np.full(N_SAMPLES, DAY),
    "negative number": lambda: -1.0,
    "NaN number": lambda: np.nan,
    "set": lambda: {1.0},
    "strange": Strange,
    "empty": list,
}
CLASSES = {
    "twice": lambda: [0, 1, 1, 2],
    "2-D": lambda: [[0, 1, 2]],
    "empty": list,
    "None entry": lambda: [None, 1, 2],
    "mixed": lambda: [0, "a", 2],
    "scalar": lambda: 3,
    "str": lambda: "abc",
    "dict": lambda: {0: 1},
    "set": lambda: {0, 1, 2},
    "NaN": lambda: [0, 1, np.nan],
    "infinite": lambda: [0, 1, 2, np.inf],
    "one missing": lambda: [0, 1],
    "fractions": lambda: [0.5, 1.5, 2.5],
    "text": lambda: ["a", "b", "c"],
    "complex": lambda: [0j, 1j, 2],
    "ragged": lambda: [[0], [1, 2]],
    "function": lambda: len,
    "strange": Strange,
}
HEADS = {
    "str": lambda: "head",
    "int": lambda: 5,
    "type": lambda: LogisticRegression,
    "two Nones": lambda: (None, None),
    "one row": lambda: (W[:1], B[:1]),
    "fewer columns": lambda: (W[:, :3], B),
    "transposed": lambda: W.T,
    "short bias": lambda: (W, B[:2]),
    "square bias": lambda: (W, np.zeros((3, 3))),
    "text bias": lambda: (W, "abc"),
    "NaN": lambda: (with_entry(W, np.nan), B),
    "infinite bias": lambda: (W, with_entry(B, np.inf, 1)),
    "complex": lambda: W + 1j,
    "text": lambda: W.astype(str),
    "dates": lambda: np.full(W.shape, DAY),
    "objects": lambda: np.full(W.shape, None),
    "3-D": lambda: W[None],
    "0-D": lambda: np.array(1.0),
    "dict": lambda: {"W": W},
    "three parts": lambda: (W, B, B),
    "no rows": lambda: np.zeros((0, 4)),
    "function": lambda: len,
    "not fitted": LogisticRegression,
    "other labels": lambda: logistic(y=np.array(list("abc"))[Y]),
    "two classes": lambda: logistic(X[Y < 2], Y[Y < 2]),
    "three features": lambda: logistic(X[:, :3]),
    "one against one": lambda: SVC(kernel="linear").fit(X, Y),
    "pipeline": lambda: make_pipeline(LogisticRegression()).fit(X, Y),
    "neighbors": lambda: KNeighborsClassifier().fit(X, Y),
    "strange": Strange,
}
CONVENTIONS = {
    "str": lambda: "papyan",
    "None": lambda: None,
    "int": lambda: 5,
    "dict": lambda: {"center": "class"},
    "list": lambda: ["default"],
    "type": lambda: Convention,
    "upper case": lambda: "Default",
    "bytes": lambda: b"default",
    "NaN": lambda: np.nan,
    "strange": Strange,
}
METRICS = {
    "str": lambda: "nc1_pin",
    "None": lambda: None,
    "int": lambda: 5,
    "list": lambda: ["nope"],
    "mixed": lambda: ["NC1", 5],
    "bytes": lambda: b"NC1",
    "nested": lambda: [["NC1"]],
    "lower case": lambda: "nc1",
    "dict": lambda: {"nope": 1},
    "function": lambda: len,
    "strange": Strange,
    "NaN": lambda: np.nan,
}
FLAGS = {
    "str": lambda: "no",
    "None": lambda: None,
    "two": lambda: 2,
    "list": list,
    "array": lambda: np.array([True, False]),
    "NaN": lambda: np.nan,
    "strange": Strange,
}
GROUPS = {
    "one": lambda: 1,
    "negative": lambda: -3,
    "float": lambda: 5.0,
    "str": lambda: "5",
    "None": lambda: None,
    "bool": lambda: True,
    "NaN": lambda: np.nan,
    "list": lambda: [5],
    "fraction": lambda: fractions.Fraction(5),
    "complex": lambda: 5j,
    "infinite": lambda: np.inf,
}
RULES = {
    "str": lambda: "manhattan",
    "None": lambda: None,
    "int": lambda: 2,
    "list": lambda: ["euclidean"],
    "array": lambda: np.array(["euclidean"]),
    "function": lambda: len,
    "capital": lambda: "Euclidean",
}
BATCHES = {
    "None": lambda: None,
    "int": lambda: 5,
    "empty": list,
    "one part": lambda: [(X,)],
    "four parts": lambda: [(X, Y, WEIGHTS, 1)],
    "only features": lambda: [X],
    "dict": lambda: {"X": X},
    "dicts": lambda: [{"x": X, "y": Y}],
    "no list": lambda: (X, Y),
    "swapped": lambda: [(Y, X)],
    "str": lambda: "abc",
    "Nones": lambda: [None],
    "second too narrow": lambda: [(X, Y), (X[:, :2], Y)],
    "second not finite": lambda: [(X, Y), (with_entry(X, np.nan), Y)],
    "second without y": lambda: [(X, Y), (X, None)],
    "second short": lambda: [(X, Y), (X, Y[:-1])],
    "second weights": lambda: [(X, Y, WEIGHTS), (X, Y, -WEIGHTS)],
    "second no batch": lambda: iter([(X, Y), 3]),
    "lists": lambda: [[1, 2]],
    "strange": Strange,
    "type": lambda: list,
}
OTHERS = {
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "a",
    "type": lambda: NeuralCollapseAnalyzer,
    "classifier": lambda: NearestClassCenter().fit(X, Y),
    "statistics": lambda: fitted().statistics_,
    "report": lambda: fitted().report(),
    "narrow": lambda: fitted(X[:, :3]),
    "text labels": lambda: fitted(y=np.array(list("abc"))[Y]),
    "groups": lambda: fitted(n_jackknife=7),
}
STATISTICS = {
    "None": lambda: None,
    "array": lambda: X,
    "int": lambda: 5,
    "str": lambda: "a",
    "dict": dict,
    "analyzer": fitted,
    "report": lambda: fitted().report(),
    "strange": Strange,
    "type": lambda: ClassStatistics,
    "head": lambda: LinearHead(W, B),
}
LINEAR = {
    "None": lambda: None,
    "array": lambda: W,
    "pair": lambda: (W, B),
    "one row": lambda: LinearHead(W[:1], B[:1]),
    "two rows": lambda: LinearHead(W[:2], B[:2]),
    "four rows": lambda: LinearHead(np.vstack([W, W[:1]]), None),
    "three features": lambda: LinearHead(W[:, :3], B),
    "str": lambda: "a",
    "strange": Strange,
}
NUMBERS = {
    "None": lambda: None,
    "str": lambda: "a",
    "negative": lambda: -1.0,
    "NaN": lambda: np.nan,
    "infinite": lambda: np.inf,
    "list": lambda: [1.0],
    "complex": lambda: 1j,
    "strange": Strange,
    "function": lambda: len,
}
KINDS = {
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "nope",
    "list": lambda: ["cosine"],
    "capital": lambda: "Cosine",
    "dict": dict,
}
MINORITIES = {
    "negative": lambda: -1.0,
    "zero": lambda: 0.0,
    "one": lambda: 1.0,
    "NaN": lambda: np.nan,
    "infinite": lambda: np.inf,
    "str": lambda: "a",
    "None": lambda: None,
    "empty": list,
    "nested": lambda: [[0]],
    "function": lambda: len,
    "strange": Strange,
}
EPOCHS = {
    "None": lambda: None,
    "int": lambda: 5,
    "short": lambda: [0],
    "long": lambda: [0, 1, 2],
    "2-D": lambda: [[0, 1]],
    "NaN": lambda: [0, np.nan],
    "infinite": lambda: [0, np.inf],
    "None entry": lambda: [None, 1],
    "set": lambda: {0, 1},
    "complex": lambda: [0j, 1],
    "function": lambda: len,
    "strange": Strange,
}
REPORTS = {
    "None": lambda: None,
    "int": lambda: 5,
    "numbers": lambda: [0.5, 0.5],
    "dicts": lambda: [fitted().report().to_dict()] * 2,
    "short": lambda: [fitted().report()],
    "mixed": lambda: [fitted().report(), 0.5],
    "one": lambda: fitted().report(),
    "str": lambda: "ab",
    "analyzers": lambda: [fitted(), fitted()],
    "empty": list,
}
ESTIMATORS = {
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "a",
    "classifier": lambda: NearestClassCenter().fit(X, Y),
    "head": logistic,
    "not fitted": NeuralCollapseAnalyzer,
    "report": lambda: fitted().report(),
    "date": lambda: datetime.date(2020, 1, 1),
    "namespace": SimpleNamespace,
}
