"""Batches from any iterable: what is no batch, and which of them was bad."""

import io
import re

import numpy as np
import pytest
from tables import each

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

Y = np.repeat([0, 1, 2], 5)
X = np.random.default_rng(0).normal(size=(15, 3)) + Y[:, None]
NAN = np.where(X[2, 1] == X, np.nan, X)


def archive():
    file = io.BytesIO()
    np.savez(file, features=X, labels=Y)
    file.seek(0)
    return np.load(file)


def fit(batches):
    return NeuralCollapseAnalyzer().fit_batches(batches)


def fit_centers(batches):
    return NearestClassCenter().fit_batches(batches)


def score(batches):
    return NeuralCollapseAnalyzer().fit(X, Y).score_batches(batches)


@pytest.fixture(params=[fit, fit_centers, score], ids=lambda call: call.__name__)
def call(request):
    return request.param


ITERABLE = "batches must be an iterable of (X, y) or (X, y, sample_weight), got "
YIELD = "batches must yield (X, y) or (X, y, sample_weight), got "


@each(
    ("make", "text"),
    [
        (lambda: None, ITERABLE + "None. A DataLoader is one, and a list: [(X, y)]."),
        (lambda: 5, ITERABLE + "5. A Data"),
        (lambda: list, ITERABLE + "<class 'list'>. "),
        (archive, YIELD + "str: pass its arrays: [(data['features'], data['labels'])]"),
        (lambda: {"X": X}, YIELD + "str: pass its arrays: "),
        (
            lambda: [archive()],
            YIELD + "NpzFile: select its parts, for example with ((ba",
        ),
        (
            lambda: [{"x": X, "y": Y}],
            YIELD + "dict: select its parts, for example with ",
        ),
        (lambda: X, YIELD + "ndarray: put one batch in a list, [(X, y)], or call fit("),
        (lambda: (X, Y), YIELD + "ndarray: put one batch in a list, [(X, y)], or call"),
        (lambda: [X], YIELD + "ndarray: put one batch in a list, [(X, y)], or call fi"),
        (
            lambda: [(X, Y, Y, 1)],
            YIELD + "4 parts: convert its batches, for example with ",
        ),
        (
            lambda: (x for x in X),
            YIELD + "ndarray: convert its batches, for example with ",
        ),
        (
            lambda: "abc",
            YIELD + "str: convert its batches, for example with ((model.featu",
        ),
    ],
)
def test_what_is_no_batch(make, text, call):
    with pytest.raises(ValueError, match=re.escape(text)):
        call(make())


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ((NAN, Y), r"got 1 NaN and .* was used\."),
        (
            (X[:, :2], Y),
            r"X has 2 features, but \w+ is expecting 3 features .*",
        ),
        ((X, Y[:-1]), r"expected 15 labels, one for each row of X, got 14\."),
        ((X, Y, -Y), "sample_weight has negative values: .*"),
        (3, r"batches must yield .*, got int: .*"),
    ],
)
def test_number_of_the_bad_batch(bad, text, call):
    with pytest.raises(ValueError, match=f"{text} This was batch 2, counted from 0.$"):
        call((X, Y) if number != 2 else bad for number in range(4))


def test_one_batch_needs_no_number(call):
    with pytest.raises(ValueError, match=r"nothing of this batch was used\.$"):
        call([(NAN, Y)])
    with pytest.raises(ValueError, match=r"nothing of this batch was used\.$"):
        NeuralCollapseAnalyzer().fit(X, Y).score(NAN, Y)


def test_errors_of_the_iterable_stay_as_they_are(call):
    def broken():
        yield X, Y
        msg = "no such file"
        raise ValueError(msg)

    with pytest.raises(ValueError, match=r"^no such file$"):
        call(broken())


def test_progress_is_true_or_false():
    with pytest.raises(ValueError, match="progress must be True or False, got 'no'"):
        NeuralCollapseAnalyzer().fit_batches([(X, Y)], progress="no")
