"""Bad input: a clear error, and the state bit for bit as it was."""

import itertools
import pickle
import re
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from tables import each

from sknc import NearestClassCenter, NeuralCollapseAnalyzer

ESTIMATORS = [
    NeuralCollapseAnalyzer,
    lambda: NeuralCollapseAnalyzer(covariance=False),
    NearestClassCenter,
]
LIBRARIES = ["numpy", "torch"]


@pytest.fixture(params=ESTIMATORS, ids=["analyzer", "no_covariance", "classifier"])
def make(request):
    return request.param


@pytest.fixture(params=LIBRARIES)
def to(request):
    """Return a function from NumPy to the library of the test."""
    if request.param == "numpy":
        return np.asarray
    torch = pytest.importorskip("torch")
    return lambda x: torch.as_tensor(np.array(x))


def samples(n=24, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4
    return rng.normal(size=(n, 3)) + 10 * np.eye(4, 3)[y], y


def changed(array, place, value):
    array = np.array(array)
    array[place] = value
    return array


def fingerprint(estimator):
    """Return every bit of a fitted estimator's state."""
    state = {k: v for k, v in vars(estimator).items() if k != "_stream"}
    if not hasattr(estimator, "_stream"):
        return sorted(state), pickle.dumps(state)
    statistics = estimator.statistics_
    arrays = [statistics.classes] + [
        value for value in vars(statistics.moments).values() if value is not None
    ]
    bits = []
    for array in arrays:
        host = np.asarray(array.cpu() if hasattr(array, "cpu") else array)
        bits.append((type(array), host.dtype, host.shape, host.tobytes()))
    more = statistics.n_samples, statistics.input_dtype, estimator._stream.fixed
    return sorted(state), pickle.dumps(state), bits, more


# What a batch can have wrong: name -> (X, y, weights) from good ones, and the message.
X0, Y0 = samples()
BAD = {
    "nan": (
        lambda: (changed(X0, (3, 1), np.nan), Y0, None),
        r"contains NaN or infinity: expected finite features, got 1 NaN and 0 infinite",
    ),
    "inf": (
        lambda: (changed(X0, (5, 0), -np.inf), Y0, None),
        r"contains NaN or infinity: expected finite.* 0 NaN and 1 infinite",
    ),
    "no_samples": (
        lambda: (X0[:0], Y0[:0], None),
        r"Found array with 0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1",
    ),
    "no_features": (
        lambda: (X0[:, :0], Y0, None),
        r"(Found array with )?0 feature\(s\) \(shape=\(24, 0\)\) while a minimum of 1",
    ),
    "one_axis": (
        lambda: (X0[:, 0], Y0, None),
        r"Expected 2D array, got 1D (ndarray|Tensor) of shape \(24,\) instead: \w+ "
        r"requires features of shape \(n_samples, n_features\)\. Reshape your data "
        r"with X\.reshape\(1, -1\) if it is one sample",
    ),
    "three_axes": (
        lambda: (X0.reshape(24, 3, 1), Y0, None),
        r"Expected 2D array, got 3D (ndarray|Tensor) of shape \(24, 3, 1\) instead: "
        r"\w+ requires .* Flatten or pool the other axes, for example with X\.mean\(.* "
        r"If these are inputs of the model, pass those of its last layer instead\.$",
    ),
    "complex": (
        lambda: (X0 + 1j, Y0, None),
        r"Complex data not supported: X must be real numbers",
    ),
    "fewer_labels": (
        lambda: (X0, Y0[:-1], None),
        r"inconsistent numbers of samples: (\[24, 23\]|expected 24 labels.* got 23)",
    ),
    "more_labels": (
        lambda: (X0[:-1], Y0, None),
        r"inconsistent numbers of samples: (\[23, 24\]|expected 23 labels.* got 24)",
    ),
    "soft_labels": (
        lambda: (X0, np.full((24, 4), 0.25), None),
        r"y should be a 1d array with one class label per row of X, got shape \(24, "
        r"4\) and (torch\.)?float64\. Soft or one-hot .*: use "
        r"y\.argmax\((axis|dim)=1\)",
    ),
    "one_hot_labels": (
        lambda: (X0, np.eye(4, dtype=int)[Y0], None),
        r"Soft or one-hot labels are not classes: use y\.argmax\((axis|dim)=1\)",
    ),
    "labels_of_sequences": (
        lambda: (X0, np.stack([Y0, Y0], axis=1), None),
        r"1d array .*got shape \(24, 2\) and .*Flatten labels of sequences with "
        r"y\.reshape\(-1\), and their features with X\.reshape\(-1, X\.shape\[-1\]\)",
    ),
    "continuous_labels": (
        lambda: (X0, Y0 + 0.5, None),
        r"(Unknown label type: continuous\. Expected class labels .* np\.digitize\.$"
        r"|integer class labels, got shape .*float64\. Convert .*with y\.long\(\))",
    ),
    "negative_weight": (
        lambda: (X0, Y0, changed(np.ones(24), 2, -1.0)),
        r"sample_weight has negative values: expected finite weights of at least 0",
    ),
    "nan_weight": (
        lambda: (X0, Y0, changed(np.ones(24), 2, np.nan)),
        r"sample_weight has NaN or infinite values: expected finite weights",
    ),
    "inf_weight": (
        lambda: (X0, Y0, changed(np.ones(24), 2, np.inf)),
        r"sample_weight has NaN or infinite values: expected finite weights",
    ),
    "zero_weights": (
        lambda: (X0, Y0, np.zeros(24)),
        r"All sample_weight values are zero: expected at least one positive",
    ),
    "fewer_weights": (
        lambda: (X0, Y0, np.ones(23)),
        r"sample_weight.shape == \(23,\), expected \(24,\)",
    ),
    "two_dimensional_weights": (
        lambda: (X0, Y0, np.ones((24, 1))),
        r"sample_weight.shape == \(24, 1\), expected \(24,\)",
    ),
}
# What only a fitted estimator can find wrong.
BAD_NEXT = {
    "width": (
        lambda: (X0[:, :2], Y0, None),
        r"X has 2 features, but \w+ is expecting 3 features",
    ),
    "strings_after_numbers": (
        lambda: (X0, np.array(list("abcd"))[Y0], None),
        r"y has strings, but the classes so far are numbers \[0, 1, 2, 3\]",
    ),
}
each_bad = each("bad", BAD)
each_bad_next = each("bad", [*BAD, *BAD_NEXT])


def batch(bad, to):
    """Return a bad batch in a library, and what the error has to say."""
    make_batch, message = {**BAD, **BAD_NEXT}[bad]
    X, y, weights = make_batch()
    y = y if y.dtype.kind == "U" else to(y)
    return to(X), y, None if weights is None else to(weights), message


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@each_bad
def test_never_fitted(make, to, bad, method):
    estimator = make()
    before = fingerprint(estimator)
    X, y, weights, message = batch(bad, to)
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(X, y, sample_weight=weights)
    assert fingerprint(estimator) == before
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        _ = estimator.statistics_


@each_bad
def test_fit_leaves_what_was_fitted(make, to, bad):
    estimator = make().fit(to(X0 + 1), to(Y0))
    before = fingerprint(estimator)
    X, y, weights, message = batch(bad, to)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, y, sample_weight=weights)
    assert fingerprint(estimator) == before


@pytest.mark.parametrize("read", [True, False], ids=["read", "unread"])
@each_bad_next
def test_partial_fit_leaves_what_was_accumulated(make, to, bad, read):
    estimator = make().partial_fit(to(X0), to(Y0)).partial_fit(to(X0[:7]), to(Y0[:7]))
    untouched = make().partial_fit(to(X0), to(Y0)).partial_fit(to(X0[:7]), to(Y0[:7]))
    if read:
        assert fingerprint(estimator) == fingerprint(untouched)
    X, y, weights, message = batch(bad, to)
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(X, y, sample_weight=weights)
    assert fingerprint(estimator) == fingerprint(untouched)


@each_bad_next
def test_it_goes_on_as_if_nothing_had_been(make, to, bad):
    estimator, untouched = make(), make()
    X, y, weights, message = batch(bad, to)
    for part in (slice(0, 5), slice(5, 24)):
        estimator.partial_fit(to(X0[part]), to(Y0[part]))
        untouched.partial_fit(to(X0[part]), to(Y0[part]))
        # With labels that are new, where they can be.
        labels = y if bad in BAD_NEXT or y.ndim > 1 else y + 9
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(X, labels, None, weights)
    assert fingerprint(estimator) == fingerprint(untouched)


@each_bad_next
def test_third_of_batches(make, to, bad):
    estimator = make().fit(to(X0 + 1), to(Y0))
    before = fingerprint(estimator)
    X, y, weights, message = batch(bad, to)
    message = message.replace("$", "")  # which batch it was comes after
    good = (to(X0), to(Y0))
    with pytest.raises(ValueError, match=message):
        estimator.fit_batches([good, good, (X, y, weights), good])
    assert fingerprint(estimator) == before
    fresh = make()
    empty = fingerprint(fresh)
    with pytest.raises(ValueError, match=message):
        fresh.fit_batches([good, good, (X, y, weights), good])
    assert fingerprint(fresh) == empty


@each_bad_next
def test_score(make, to, bad):
    estimator = make().fit(to(X0), to(Y0))
    if bad == "strings_after_numbers" and isinstance(estimator, NearestClassCenter):
        return  # tested by itself
    before = fingerprint(estimator)
    X, y, weights, message = batch(bad, to)
    with pytest.raises(ValueError, match=message):
        estimator.score(X, y, sample_weight=weights)
    assert fingerprint(estimator) == before


def test_score_of_classifier_with_labels_of_another_kind(to):
    model = NearestClassCenter().fit(to(X0), to(Y0))
    with pytest.raises((ValueError, TypeError), match=r"strings|string|mix of label"):
        model.score(to(X0), np.array(list("abcd"))[Y0])


@each("bad", ["nan", "inf", "no_samples", "one_axis", "three_axes", "complex", "width"])
def test_new_features(make, to, bad):
    estimator = make().fit(to(X0), to(Y0))
    X, _, _, message = batch(bad, to)
    methods = ["transform"]
    if isinstance(estimator, NearestClassCenter):
        methods += ["predict", "decision_function", "predict_proba"]
    for method in methods:
        with pytest.raises(ValueError, match=message):
            getattr(estimator, method)(X)


def test_score_batches(to):
    analyzer = NeuralCollapseAnalyzer().fit(to(X0), to(Y0))
    before = fingerprint(analyzer)
    good = (to(X0), to(Y0))
    with pytest.raises(ValueError, match="contains NaN or infinity"):
        analyzer.score_batches([good, (to(changed(X0, (0, 0), np.nan)), to(Y0))])
    assert fingerprint(analyzer) == before


@pytest.mark.parametrize("n_rows", [1023, 1024, 1025, 4095, 4096, 4097, 10_000])
@pytest.mark.parametrize("weighted", [False, True])
@each(("where", "value"), [(0, np.nan), (-1, np.inf)])
def test_batches_of_any_size(to, n_rows, weighted, where, value):
    # Large batches may take another way into the sums than small ones do.
    X, y = samples(n_rows)
    for make in (NeuralCollapseAnalyzer, NearestClassCenter):
        estimator = make().fit(to(X0.astype(np.float32)), to(Y0))
        untouched = make().fit(to(X0.astype(np.float32)), to(Y0))
        for features in (X.astype(np.float32), X):  # the second is wider
            bad = to(changed(features, (where, 1), value))
            weights = to(np.full(n_rows, 0.5)) if weighted else None
            for _ in range(2):
                with pytest.raises(ValueError, match="contains NaN or infinity"):
                    estimator.partial_fit(bad, to(y + 2), sample_weight=weights)
            assert fingerprint(estimator) == fingerprint(untouched)
        # And again once all classes are known and nothing waits in a buffer.
        for one in (estimator, untouched):
            one.partial_fit(to(X.astype(np.float32)), to(y))
        with pytest.raises(ValueError, match="contains NaN or infinity"):
            estimator.partial_fit(
                to(changed(X, (where, 1), value)), to(y), None, weights
            )
        assert fingerprint(estimator) == fingerprint(untouched)


@pytest.mark.parametrize("n_rows", [1024, 4096])
@each(
    ("first", "second", "weighted"),
    itertools.product(
        [np.float32, np.float64], [np.float32, np.float64], [False, True]
    ),
)
def test_whole_blocks(to, n_rows, first, second, weighted):
    # No new class and nothing in a buffer: such a batch may be summed at once.
    X, y = samples(n_rows)
    estimator = NeuralCollapseAnalyzer().fit(to(X.astype(first)), to(y))
    before = fingerprint(estimator)
    weights = to(np.full(n_rows, 0.5)) if weighted else None
    for place in ((0, 1), (-1, 2), slice(None)):
        bad = to(changed(X.astype(second), place, np.nan))
        with pytest.raises(ValueError, match="contains NaN or infinity"):
            estimator.partial_fit(bad, to(y), sample_weight=weights)
        assert fingerprint(estimator) == before
    # What comes next shows a change that reading has not shown.
    good = NeuralCollapseAnalyzer().fit(to(X.astype(first)), to(y))
    assert fingerprint(good) == before
    for one in (estimator, good):
        one.partial_fit(to(X.astype(first)), to(y))
    assert fingerprint(estimator) == fingerprint(good)


@pytest.mark.parametrize("n_rows", [24, 1024, 4096])
def test_finite_but_huge(to, n_rows):
    X, y = samples(n_rows)
    X = (X * 1e25).astype(np.float32)  # its squares overflow
    analyzer = NeuralCollapseAnalyzer(covariance=False)
    with np.errstate(all="ignore"):
        analyzer.partial_fit(to(X), to(y)).partial_fit(to(X), to(y))
        found = np.asarray(analyzer.class_means_)
    means = [X[y == k].astype(float).mean(axis=0) for k in range(4)]
    np.testing.assert_allclose(found, means, rtol=0, atol=1e20)


# Batches ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ((X0,), "1 parts"),
        ((X0, Y0, None, None), "4 parts"),
        (X0, "ndarray"),
        ({"x": X0, "y": Y0}, "dict"),
    ],
)
def test_batches_of_another_form(make, bad, found):
    estimator = make().fit(X0, Y0)
    before = fingerprint(estimator)
    message = rf"must yield \(X, y\) or \(X, y, sample_weight\), got {found}"
    with pytest.raises(ValueError, match=message):
        estimator.fit_batches([(X0, Y0), bad])
    assert fingerprint(estimator) == before
    if hasattr(estimator, "score_batches"):
        with pytest.raises(ValueError, match=message):
            estimator.score_batches([(X0, Y0), bad])


def test_no_batches(make):
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="iterable without batches: expected at least"):
        estimator.fit_batches([])
    assert fingerprint(estimator) == before
    estimator.fit(X0, Y0)
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="iterable without batches: expected at least"):
        estimator.fit_batches(iter(()))
    assert fingerprint(estimator) == before
    if hasattr(estimator, "score_batches"):
        with pytest.raises(ValueError, match="iterable without batches"):
            estimator.score_batches([])


def test_an_error_of_the_loader(make):
    def loader():
        yield X0, Y0
        msg = "the disk is full"
        raise OSError(msg)

    estimator = make().fit(X0 + 1, Y0)
    before = fingerprint(estimator)
    with pytest.raises(OSError, match="the disk is full"):
        estimator.fit_batches(loader())
    assert fingerprint(estimator) == before


# Classes ----------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_unknown_label(make, to, first):
    estimator = make()
    if not first:
        estimator.partial_fit(to(X0), to(Y0), classes=[0, 1, 2, 3, 4])
    before = fingerprint(estimator)
    y = changed(Y0, 3, 7)
    message = (
        r"labels \[7\] that are not among the 5 classes \[0, 1, 2, 3, 4\] given by "
        r"classes= or by the head\. List every class in classes=\."
    )
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(to(X0), to(y), classes=[0, 1, 2, 3, 4])
    assert fingerprint(estimator) == before
    if not first:
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(to(X0), to(y))
        assert fingerprint(estimator) == before


def test_unknown_label_in_a_later_batch(make, to):
    estimator = make().fit(to(X0 + 1), to(Y0))
    before = fingerprint(estimator)
    batches = [(to(X0), to(Y0)), (to(X0), to(Y0 + 1))]
    with pytest.raises(ValueError, match=r"labels \[4\] that are not among the 4"):
        estimator.fit_batches(batches, classes=[0, 1, 2, 3])
    assert fingerprint(estimator) == before


def test_unknown_label_in_score(to):
    message = (
        r"y has labels \[4\] without fitted samples: expected only the 4 classes "
        r"\[0, 1, 2, 3\]\. Drop these rows, or fit samples of every class; in "
        r"cross-validation, use cv=StratifiedKFold\(\)\."
    )
    for fit in (
        lambda model: model.fit(to(X0), to(Y0)),
        lambda model: model.partial_fit(to(X0), to(Y0), classes=range(5)),
    ):
        with pytest.raises(ValueError, match=message):
            fit(NeuralCollapseAnalyzer()).score(to(X0), to(Y0 + 1))
    model = NearestClassCenter().fit(to(X0), to(Y0))
    with pytest.raises(ValueError, match=message):
        model.agreement(to(X0), np.eye(4, 3), to(Y0 + 1))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, 2, 3, 3], "classes has duplicates: 5 labels, 4 unique"),
        ([], r"classes must be a 1-D list of labels, got an array of shape \(0,\)"),
        (
            [[0, 1, 2, 3]],
            r"must be a 1-D list of labels, got .* shape \(1, 4\)",
        ),
    ],
)
def test_classes(make, to, classes, message):
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(to(X0), to(Y0), classes=classes)
    assert fingerprint(estimator) == before


def test_other_classes_later(make, to):
    estimator = make().partial_fit(to(X0), to(Y0), classes=[0, 1, 2, 3])
    before = fingerprint(estimator)
    message = r"classes=\[0, 1, 2, 3, 4\] is not the same.*expected.*\[0, 1, 2, 3\]"
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(to(X0), to(Y0), classes=[0, 1, 2, 3, 4])
    assert fingerprint(estimator) == before


def test_numbers_after_strings(make, to):
    estimator = make().partial_fit(to(X0), np.array(list("abcd"))[Y0])
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match=r"y has numbers, but .* strings"):
        estimator.partial_fit(to(X0), to(Y0))
    assert fingerprint(estimator) == before


def test_string_labels_with_classes_that_are_numbers(make, to):
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="y has strings, but the classes"):
        estimator.partial_fit(to(X0), np.array(list("abcd"))[Y0], classes=[0, 1, 2, 3])
    assert fingerprint(estimator) == before


def test_number_labels_with_classes_that_are_strings(make, to):
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="y has numbers, but the classes"):
        estimator.partial_fit(to(X0), to(Y0), classes=list("abcd"))
    assert fingerprint(estimator) == before


@pytest.mark.parametrize("pair", [("a", 0), (0, "a")])
def test_labels_of_mixed_kinds(make, pair):
    y = np.array(pair * 12, dtype=object)
    with pytest.raises(ValueError, match="y mixes strings with other labels: expected"):
        make().fit(X0, y)


def test_missing_labels(make, to):
    name = type(make()).__name__
    message = f"^{name} requires y to be passed, but the target y is None: expected"
    with pytest.raises(ValueError, match=message):
        make().fit(to(X0), None)
    with pytest.raises(ValueError, match=message):
        make().fit(to(X0), to(Y0)).score(to(X0), None)
    message = r"(contains NaN\. Expected a class label .*drop the other|integer class)"
    with pytest.raises(ValueError, match=message):
        make().fit(to(X0), to(changed(Y0.astype(float), 0, np.nan)))


@pytest.mark.parametrize("form", [list, np.asarray])
def test_labels_of_two_axes_in_a_list(make, form):
    message = r"1d array .*got shape \(24, 4\) .*use y\.argmax\(axis=1\)"
    with pytest.raises(ValueError, match=message):
        make().fit(X0, form(np.eye(4)[Y0].tolist()))


def test_images_and_tokens(make, to):
    X, y = np.ones((4, 2, 3, 3)), np.arange(4)
    message = r"4D .* shape \(4, 2, 3, 3\).* X\.mean\(axis=\(2, 3\)\) for images and X"
    with pytest.raises(ValueError, match=message):
        make().fit(to(X), to(y))
    message = r"3D .* X\.reshape\(-1, X\.shape\[-1\]\) for tokens, with y\.reshape\(-1"
    with pytest.raises(ValueError, match=message):
        make().fit(to(np.ones((4, 8, 3))), to(np.ones((4, 8), int)))


def test_one_class(to):
    analyzer = NeuralCollapseAnalyzer().fit(to(X0), to(np.zeros(24, int)))
    message = "at least 2 classes with samples are needed, got 1 class"
    with pytest.raises(ValueError, match=message):
        analyzer.report()
    with pytest.raises(ValueError, match=message):
        analyzer.score(to(X0), to(np.zeros(24, int)))
    with pytest.raises(ValueError, match=message):
        analyzer.transform(to(X0))


# Kinds of features ------------------------------------------------------------


@pytest.mark.parametrize("form", ["csr_array", "coo_array", "csr_matrix"])
def test_sparse(make, form):
    X = getattr(sparse, form)(X0)
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(TypeError, match=r"[Ss]parse data was passed"):
        estimator.fit(X, Y0)
    assert fingerprint(estimator) == before
    estimator.fit(X0, Y0)
    with pytest.raises(TypeError, match=r"[Ss]parse data was passed"):
        estimator.transform(X)


def test_sparse_tensor(make):
    torch = pytest.importorskip("torch")
    estimator = make()
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="X must be a dense tensor, got a sparse one"):
        estimator.fit(torch.as_tensor(X0).to_sparse(), Y0)
    assert fingerprint(estimator) == before


def test_strings_as_features(make):
    with pytest.raises(ValueError, match=r"must be real numbers, got <U1. Convert"):
        make().fit([["a", "b"], ["c", "d"]], [0, 1])


def test_numpy_and_torch_in_one_stream(make):
    torch = pytest.importorskip("torch")
    tensor = torch.as_tensor(X0)
    for first, second, message in (
        (
            X0,
            tensor,
            r"This batch is torch on cpu, but the statistics are NumPy.*numpy\(\)",
        ),
        (tensor, X0, r"This batch is NumPy.*the statistics are torch.*as_tensor"),
    ):
        estimator = make().partial_fit(first, Y0)
        before = fingerprint(estimator)
        with pytest.raises(ValueError, match=message):
            estimator.partial_fit(second, Y0)
        assert fingerprint(estimator) == before
        with pytest.raises(ValueError, match="must use the same namespace and device"):
            estimator.transform(second)
        with pytest.raises(ValueError, match="must use the same namespace and device"):
            estimator.score(second, Y0)
        other = make().fit(second, Y0)
        with pytest.raises(ValueError, match="library and device must be the same"):
            estimator.merge(other)
        assert fingerprint(estimator) == before


def test_feature_names_that_changed(make):
    pandas = pytest.importorskip("pandas")
    estimator = make().partial_fit(pandas.DataFrame(X0, columns=list("abc")), Y0)
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.partial_fit(pandas.DataFrame(X0, columns=list("abd")), Y0)
    assert fingerprint(estimator) == before


# Parameters -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"convention": "papyan"}, r"convention must be .* got 'papyan'"),
        ({"metrics": ["nc1_pinv", "nc7"]}, r"metrics must be .* got \['nc7'\]"),
        ({"metrics": "nc7"}, r"metrics must be .* got 'nc7'\."),
        ({"metrics": None}, r"metrics must be .* got None\."),
    ],
)
def test_parameters_of_the_analyzer(to, parameters, message):
    analyzer = NeuralCollapseAnalyzer(**parameters)
    before = fingerprint(analyzer)
    for fit in (
        lambda: analyzer.fit(to(X0), to(Y0)),
        lambda: analyzer.partial_fit(to(X0), to(Y0)),
        lambda: analyzer.fit_batches([(to(X0), to(Y0))]),
    ):
        with pytest.raises(ValueError, match=message):
            fit()
        assert fingerprint(analyzer) == before


def test_parameters_set_after_fit():
    analyzer = NeuralCollapseAnalyzer().fit(X0, Y0)
    analyzer.set_params(convention="nobody2031")
    with pytest.raises(ValueError, match=r"convention must be .* got 'nobody2031'"):
        analyzer.report()


@pytest.mark.parametrize("convention", [None, 3, ["default"]])
def test_convention_of_another_type(convention):
    analyzer = NeuralCollapseAnalyzer(convention=convention)
    message = rf"convention must be .* got {re.escape(repr(convention))}"
    with pytest.raises((ValueError, TypeError), match=message):
        analyzer.fit(X0, Y0)


@pytest.mark.parametrize("metric", ["manhattan", None, 2])
def test_metric_of_the_classifier(to, metric):
    model = NearestClassCenter(metric)
    before = fingerprint(model)
    message = rf'"standardized" or "mahalanobis", got {metric!r}'
    for fit in (
        lambda: model.fit(to(X0), to(Y0)),
        lambda: model.partial_fit(to(X0), to(Y0)),
        lambda: model.fit_batches([(to(X0), to(Y0))]),
    ):
        with pytest.raises(ValueError, match=message):
            fit()
        assert fingerprint(model) == before


def test_not_fitted(make, to):
    estimator = make()
    names = ["statistics_", "classes_", "class_means_", "n_samples_seen_"]
    for name in names:
        with pytest.raises(NotFittedError, match=r"is not fitted yet\. Call 'fit'"):
            getattr(estimator, name)
    calls = [
        lambda: estimator.transform(to(X0)),
        lambda: estimator.score(to(X0), to(Y0)),
    ]
    if hasattr(estimator, "report"):
        calls.append(estimator.report)
    else:
        calls += [
            lambda: estimator.predict(to(X0)),
            lambda: estimator.agreement(to(X0), np.eye(4, 3)),
        ]
    for call in calls:
        with pytest.raises(NotFittedError, match=r"is not fitted yet\. Call 'fit'"):
            call()


# Heads ------------------------------------------------------------------------

# name -> (head, error, message, whether classes= is needed to tell before the pass)
HEADS = {
    "rows": (
        lambda: np.eye(5, 3),
        ValueError,
        r"weights of shape \(5, 3\), but there are 4 classes.*expected \(4, 3\)\. If "
        "some of its classes have no samples, list all classes in classes= of fit, "
        "fit_batches or the first partial_fit",
        True,
    ),
    "fewer_rows": (
        lambda: np.eye(3, 3),
        ValueError,
        r"weights of shape \(3, 3\), but there are 4 classes.*expected \(4( or "
        r"more)?, 3\)\. Pass the layer that separates these classes, with a row for "
        "each",
        False,
    ),
    "columns": (
        lambda: np.eye(4, 5),
        ValueError,
        r"weights of shape \(4, 5\), but there are .*3 features: expected \(4"
        r"( or more)?, 3\)\. Pass the layer that reads these features",
        False,
    ),
    "transposed": (
        lambda: (np.eye(3, 4), np.zeros(4)),
        ValueError,
        r"weights of shape \(3, 4\).*expected \(4( or more)?, 3\)\. It would fit "
        r"transposed: pass weights\.T",
        False,
    ),
    "bias": (
        lambda: (np.eye(4, 3), np.zeros(3)),
        ValueError,
        "bias of 3 entries and weights of 4 rows: expected one entry per row. Pass "
        "weights and bias of the same layer",
        False,
    ),
    "three_axes": (
        lambda: np.zeros((4, 3, 1)),
        ValueError,
        r"weights of shape \(4, 3, 1\).*expected \(4( or more)?, 3\)",
        False,
    ),
    "unfitted": (
        LogisticRegression,
        TypeError,
        r"fitted scikit-learn linear classifier.*got LogisticRegression\. Fit it first",
        False,
    ),
    "string": (
        lambda: "fc",
        TypeError,
        r"head must be a torch\.nn\.Linear.*got str",
        False,
    ),
    "class": (
        lambda: LogisticRegression,
        TypeError,
        r"head must be a torch\.nn\.Linear.* Pass an instance of it",
        False,
    ),
    "triple": (
        lambda: (np.eye(4, 3), np.zeros(4), 1),
        TypeError,
        r"head must be a torch\.nn\.Linear.*got tuple",
        False,
    ),
    "other_classes": (
        lambda: LogisticRegression().fit(X0, Y0 + 1),
        ValueError,
        r"head does not know the classes \[0\]: expected the labels it was fitted on, "
        r"such as \[1, 2, 3, 4\]",
        False,
    ),
}


def one_batch_only(X, y):
    """Yield a batch; whoever wants another has gone through the data."""
    yield X, y
    pytest.fail("the pass went on")


@pytest.mark.parametrize("name", HEADS)
def test_heads_before_the_pass(to, name):
    make_head, error, message, needs_classes = HEADS[name]
    analyzer = NeuralCollapseAnalyzer(head=make_head())
    before = fingerprint(analyzer)
    classes = range(4)
    with pytest.raises(error, match=message):
        analyzer.fit_batches(one_batch_only(to(X0), to(Y0)), classes=classes)
    with pytest.raises(error, match=message):
        analyzer.partial_fit(to(X0), to(Y0), classes=classes)
    if not needs_classes:
        with pytest.raises(error, match=message):
            analyzer.fit_batches(one_batch_only(to(X0), to(Y0)))
        with pytest.raises(error, match=message):
            analyzer.fit(to(X0), to(Y0))
    assert fingerprint(analyzer) == before


@pytest.mark.parametrize("name", HEADS)
def test_heads(to, name):
    # Read whenever a report is made, and so checked again.
    make_head, error, message, _ = HEADS[name]
    analyzer = NeuralCollapseAnalyzer().fit(to(X0), to(Y0)).set_params(head=make_head())
    before = fingerprint(analyzer)
    with pytest.raises(error, match=message):
        analyzer.report()
    with pytest.raises(error, match=message):
        analyzer.score(to(X0), to(Y0))
    with pytest.raises(error, match=message):
        NearestClassCenter().fit(to(X0), to(Y0)).agreement(to(X0), make_head())
    assert fingerprint(analyzer) == before


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ((changed(np.eye(4, 3), 0, np.nan), None), "weights hold"),
        ((np.eye(4, 3), np.full(4, np.nan)), "bias holds"),
    ],
)
def test_heads_that_are_not_finite(to, head, what):
    analyzer = NeuralCollapseAnalyzer(head=head).fit(to(X0), to(Y0))  # it may change
    message = (
        f"head's {what} NaN or infinity: expected finite numbers. Use the head of an "
        "epoch before training diverged, or measure without it: head=None"
    )
    with pytest.raises(ValueError, match=message):
        analyzer.report()


def test_heads_of_classes_to_come(to):
    # The first batch, or one of several merged states, need not have every class.
    model = LogisticRegression().fit(X0, Y0)
    some = Y0 < 2
    for head in (np.eye(4, 3), model, (model.coef_, model.intercept_)):
        one = NeuralCollapseAnalyzer(head=head).fit(to(X0[some]), to(Y0[some]))
        two = NeuralCollapseAnalyzer(head=head).fit(to(X0[~some]), to(Y0[~some]))
        assert one.merge(two).report().n_classes == 4
    pair = LogisticRegression().fit(X0[some], Y0[some])
    for head in (pair, pair.coef_):
        analyzer = NeuralCollapseAnalyzer(head=head)
        analyzer.partial_fit(to(X0[Y0 == 0]), to(Y0[Y0 == 0]))
        analyzer.partial_fit(to(X0[Y0 == 1]), to(Y0[Y0 == 1]))
        assert "nc3_cosine" in analyzer.report()


def test_module_that_is_no_linear_layer():
    torch = pytest.importorskip("torch")
    named = torch.nn.Module()
    named.body, named.fc = torch.nn.Linear(9, 3), torch.nn.Linear(3, 4)
    for head, hint in (
        (
            torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()),
            r"got Sequential, which is not linear: .*model\.get_submodule\('0'\)\.",
        ),
        (
            named,
            r"got Module, which has no forward\. Pass its last linear layer, such as "
            r"model\.fc\.",
        ),
        (torch.nn.ReLU(), r"got ReLU, which is not linear: .*head=\(weights, bias\)\."),
        (torch.nn.Linear, r"got type\. Pass an instance of it\."),
    ):
        message = rf"head must be a torch\.nn\.Linear.*{hint}$"
        with pytest.raises(TypeError, match=message):
            NeuralCollapseAnalyzer(head=head).fit(X0, Y0)


@pytest.mark.parametrize(
    "head", [LogisticRegression().fit(X0, Y0), (np.eye(4, 3), np.zeros(4))]
)
def test_head_and_labels_swapped(to, head):
    model = NearestClassCenter().fit(to(X0), to(Y0))
    message = r"expected class labels as y, got \w+, which is a head\. .*\(X, head, y\)"
    with pytest.raises(TypeError, match=message):
        model.agreement(to(X0), to(Y0), head)


# Calls --------------------------------------------------------------------------


def test_calls_with_wrong_arguments(make):
    # By the name of the method, without that of a class nobody has heard of.
    with pytest.raises(TypeError, match=r"^fit_batches\(\) takes 2 positional"):
        make().fit_batches(X0, Y0)
    with pytest.raises(TypeError, match=r"^fit\(\) got an unexpected keyword argument"):
        make().fit(X0, Y0, progress=True)
    with pytest.raises(TypeError, match=r"^partial_fit\(\) got an unexpected keyword"):
        make().partial_fit(X0, Y0, progress=True)
    with pytest.raises(TypeError, match=r"^merge\(\) got an unexpected keyword"):
        make().merge(other=make())


# Merge ------------------------------------------------------------------------


def test_merge_of_different_widths(make, to):
    estimator, other = make().fit(to(X0), to(Y0)), make().fit(to(X0[:, :2]), to(Y0))
    before = fingerprint(estimator), fingerprint(other)
    with pytest.raises(ValueError, match="of 2 features into statistics of 3 features"):
        estimator.merge(other)
    with pytest.raises(ValueError, match="of 2 features into statistics of 3 features"):
        _ = estimator + other
    assert (fingerprint(estimator), fingerprint(other)) == before


def test_merge_of_different_labels(make, to):
    estimator = make().fit(to(X0), to(Y0))
    other = make().fit(to(X0), np.array(list("abcd"))[Y0])
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="string labels into statistics with number"):
        estimator.merge(other)
    assert fingerprint(estimator) == before


def test_merge_of_another_type(make):
    estimator = make().fit(X0, Y0)
    before = fingerprint(estimator)
    with pytest.raises(
        TypeError, match=r"merge expected fitted \w+ estimators, got dict"
    ):
        estimator.merge({})
    assert fingerprint(estimator) == before


def test_merge_of_the_other_estimator():
    # "estimators of the same type", says the docstring.
    analyzer = NeuralCollapseAnalyzer().fit(X0, Y0)
    before = fingerprint(analyzer)
    with pytest.raises(TypeError, match="expected fitted NeuralCollapseAnalyzer"):
        analyzer.merge(NearestClassCenter().fit(X0, Y0))
    assert fingerprint(analyzer) == before


def test_a_bad_one_among_several(make):
    estimator = make().fit(X0, Y0)
    before = fingerprint(estimator)
    with pytest.raises(ValueError, match="of 2 features into statistics of 3 features"):
        estimator.merge(make().fit(X0, Y0), make().fit(X0[:, :2], Y0))
    assert fingerprint(estimator) == before


def test_progress_without_its_library(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    text = (
        "progress=True requires tqdm, from the extra 'progress': in a clone of sknc, "
        "run pip install '.[progress]'."
    )
    with pytest.raises(ImportError, match=re.escape(text)):
        make().fit_batches([(X0, Y0)], progress=True)
