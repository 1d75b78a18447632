"""Labels of every kind: none is lost, merged with another, or quoted in full."""

import enum
import itertools

import numpy as np
import pytest
from sklearn.exceptions import DataConversionWarning
from tables import each

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc._utils.label_kinds import in_common, label_keys, shown_labels, union

RNG = np.random.default_rng(0)
Y = RNG.permutation(np.repeat(np.arange(3), [4, 6, 8]))
X = 5 * np.eye(3, 4)[Y] + RNG.standard_normal((len(Y), 4))
BIG = 2**60  # float64 has one number for it and the next ones
DATES = np.array(["2020-01-01", "2021-01-01", "2022-01-01"], dtype="datetime64[D]")


def counts(estimator):
    return dict(
        zip(estimator.classes_.tolist(), estimator.class_count_.tolist(), strict=True)
    )


# Integers of every width ----------------------------------------------------------

WIDE = {
    "int64": (Y + BIG).astype(np.int64),
    "uint64": (Y + BIG).astype(np.uint64),
    "some": np.where(Y == 2, BIG + 7, Y + BIG).astype(np.uint64),
    "float": np.full(len(Y), float(BIG)),
    "small": Y.astype(np.int8),
}


@each(("one", "other"), list(itertools.permutations(WIDE, 2)))
@pytest.mark.parametrize("n_jackknife", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_large_integers_of_two_dtypes(one, other, n_jackknife):
    expected = {}
    for label in [*WIDE[one].tolist(), *WIDE[other].tolist()]:
        expected[int(label)] = expected.get(int(label), 0) + 1
    expected = dict(sorted(expected.items()))

    def make():
        return NeuralCollapseAnalyzer(n_jackknife=n_jackknife)

    stream = make().partial_fit(X, WIDE[one]).partial_fit(X, WIDE[other])
    assert counts(stream) == expected
    merged = make().fit(X, WIDE[one]).merge(make().fit(X, WIDE[other]))
    assert counts(merged) == expected
    assert counts(merged.partial_fit(X, WIDE[other]))[BIG] >= expected[BIG]
    again = make().fit(X, WIDE[one]).merge(make().fit(X, WIDE[other]))
    assert again.report().to_dict() == pytest.approx(stream.report().to_dict())
    scored = stream.score(X, WIDE[one])
    assert scored.n_samples == len(X)


def test_large_integers_of_the_classifier():
    model = NearestClassCenter().fit(X, WIDE["int64"])
    accuracy = NearestClassCenter().fit(X, Y).score(X, Y)
    assert model.score(X, WIDE["uint64"]) == accuracy
    assert model.score(X, WIDE["int64"] + 1) < accuracy
    assert model.agreement(X, np.eye(3, 4), WIDE["uint64"]).ncc_accuracy == accuracy


@pytest.mark.parametrize("gap", [1, 2**61])
@pytest.mark.parametrize("to", ["numpy", "torch"])
def test_integers_above_those_with_a_sign(gap, to):
    labels = Y.astype(np.uint64) * np.uint64(gap) + np.uint64(2**63)
    features, y = X, labels
    if to == "torch":
        torch = pytest.importorskip("torch")
        features, y = torch.tensor(X), torch.tensor(labels)
    model = NeuralCollapseAnalyzer().partial_fit(features[:9], y[:9])
    model.partial_fit(features[9:], y[9:])
    assert counts(model) == {2**63: 4, 2**63 + gap: 6, 2**63 + 2 * gap: 8}
    expected = NeuralCollapseAnalyzer().fit(X, Y).score(X, Y).to_dict()
    assert model.score(features, y).to_dict() == pytest.approx(expected)


def test_labels_that_no_dtype_holds():
    above = Y.astype(np.uint64) + np.uint64(2**63)
    message = (
        r"^Labels such as \[9223372036854775808, \.\.\., 9223372036854775810\] and "
        r"\[-2, \.\.\., 0\] cannot be told apart: expected integers below 2\^63, or "
        r"below 2\^53 beside fractions\. Convert all of them to strings: "
        r"y\.astype\(str\)\.$"
    )
    model = NeuralCollapseAnalyzer().fit(X, above)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, -Y)
    with pytest.raises(ValueError, match="cannot be told apart"):
        model.merge(NeuralCollapseAnalyzer().fit(X, -Y))
    assert counts(model.partial_fit(X, Y))[0] == 4  # no label of these has a sign


def test_wide_labels_that_are_no_row():
    model = NeuralCollapseAnalyzer().partial_fit(X, Y - 1, classes=[-1, 0, 1])
    for y in (np.full(len(Y), 2**64 - 1, np.uint64), np.full(len(Y), 2**63, np.uint64)):
        with pytest.raises(
            ValueError, match=rf"labels \[{y[0]}\]|cannot be told apart"
        ):
            model.partial_fit(X, y)


def test_in_common():
    small, big = np.array([1, 2], np.uint64), np.array([BIG + 1], np.int64)
    found = in_common(small, big)
    assert [labels.dtype for labels in found] == [np.int64, np.int64]
    assert union(np.array([0.5, 1]), np.array([1, 2])).tolist() == [0.5, 1, 2]
    assert union(np.array(["b"]), np.array(["a", "bc"])).tolist() == ["a", "b", "bc"]
    assert union(np.empty(0), big).tolist() == [BIG + 1]
    assert union(np.array([np.inf]), np.array([1, 2])).tolist() == [1, 2, np.inf]
    with pytest.raises(ValueError, match="cannot be told apart"):
        in_common(np.array([0.5]), big)
    same = np.array([1, 2]), np.array([3], np.int32)
    assert all(a is b for a, b in zip(in_common(*same), same, strict=True))


# Strings ------------------------------------------------------------------------


class Animal(str, enum.Enum):  # noqa: UP042 - enum.StrEnum has other text
    CAT = "cat"
    DOG = "dog"
    COW = "cow"


class Plain(enum.Enum):
    A = 1
    B = 2
    C = 3


def test_members_of_enumerations_that_are_strings():
    members = np.array(list(Animal), dtype=object)[Y]
    expected = {"cat": 4, "cow": 8, "dog": 6}
    for y in (members, members.tolist(), tuple(members)):
        assert counts(NeuralCollapseAnalyzer().fit(X, y)) == expected
    named = NeuralCollapseAnalyzer().fit(X, members, classes=list(Animal))
    assert counts(named) == expected
    assert counts(named.partial_fit(X, [str(m.value) for m in members]))["dog"] == 12
    pd = pytest.importorskip("pandas")
    assert counts(NeuralCollapseAnalyzer().fit(X, pd.Series(members))) == expected


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            list(Plain),
            r"^y must contain strings, numbers or dates, got <Plain\.\w: \d>\. "
            r"Convert them, for example with \[str\(label\) for label in y\]\.$",
        ),
        ([10**30, 1, 2], "^y must contain strings, numbers or dates, got 1"),
        (
            [None, 1, 2],
            r"^Input y contains None\. Expected a class label of every sample",
        ),
        (["a", None, "b"], r"^Input y contains None\."),
        ([0, float("nan"), 2], r"^Input y contains NaN\."),
        (
            ["a", 1, 2],
            "^y mixes strings with other labels: expected labels of one kind",
        ),
    ],
)
def test_objects(labels, message):
    for y in (np.array(labels, dtype=object)[Y], [labels[k] for k in Y]):
        with pytest.raises(ValueError, match=message):
            NeuralCollapseAnalyzer().fit(X, y)


def test_a_long_label_is_not_quoted_in_full():
    long = np.array(["x" * 10**5, "y", "z"])
    model = NeuralCollapseAnalyzer().fit(X[Y > 0], long[Y[Y > 0]], classes=["y", "z"])
    for call in (
        lambda: model.score(X[:1], long[:1]),
        lambda: model.partial_fit(X[:1], long[:1]),
        lambda: model.partial_fit(X, Y, classes=[*long, "a"]),
        lambda: NeuralCollapseAnalyzer().fit(X, long[Y]).partial_fit(X, Y),
    ):
        with pytest.raises(ValueError, match=r"labels|classes") as caught:
            call()
        assert len(str(caught.value)) < 500


def test_shown_labels():
    assert shown_labels(np.arange(6)) == "[0, 1, 2, 3, 4, 5]"
    assert shown_labels(np.arange(7)) == "[0, 1, 2, ..., 6]"
    assert shown_labels(DATES[:1]) == "['2020-01-01']"
    assert shown_labels(DATES.astype("M8[ns]")[:1]).startswith("['2020-01-01T")
    assert shown_labels(np.array(["a"])) == "['a']"


# Data frames --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("Int64", np.int64),
        ("Int32", np.int32),
        ("UInt8", np.uint8),
        ("boolean", np.bool_),
        ("Float64", np.float64),
        ("int16", np.int16),
    ],
)
def test_nullable_numbers_keep_their_kind(dtype, expected):
    pd = pytest.importorskip("pandas")
    y = Y > 0 if dtype == "boolean" else Y
    labels = pd.Series(y).astype(dtype)
    model = NeuralCollapseAnalyzer().fit(X, labels)
    assert model.classes_.dtype == expected
    assert counts(model) == counts(NeuralCollapseAnalyzer().fit(X, y))
    assert model.score(X, labels).n_samples == len(X)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        column = NeuralCollapseAnalyzer().fit(X, labels.to_frame())
    assert column.classes_.dtype == expected
    named = NeuralCollapseAnalyzer().fit(X, labels, classes=labels.drop_duplicates())
    assert named.classes_.dtype == expected


def test_missing_values_of_data_frames():
    pd = pytest.importorskip("pandas")
    for values, dtype, what in (
        ([1, None, 2], "Int64", "NaN"),
        (["a", None, "b"], "string", "<NA>"),
        ([*DATES.astype(object).tolist()[:2], None], "datetime64[ns]", "NaT"),
    ):
        labels = pd.Series([values[k] for k in Y]).astype(dtype)
        message = rf"^Input y contains {what}\. Expected a class label of every sample"
        with pytest.raises(ValueError, match=message):
            NeuralCollapseAnalyzer().fit(X, labels)


# Dates, records, columns ----------------------------------------------------------


def test_dates():
    model = NeuralCollapseAnalyzer().fit(X, DATES[Y])
    assert model.classes_.tolist() == DATES.tolist()
    missing = DATES[Y].copy()
    missing[0] = "NaT"
    message = (
        r"^Input y contains NaT\. Expected a class label of every sample: drop the"
    )
    for call in (NeuralCollapseAnalyzer().fit, model.partial_fit, model.score):
        with pytest.raises(ValueError, match=message):
            call(X, missing)


KINDS = {"numbers": Y, "strings": Y.astype(str), "dates": DATES[Y]}
KINDS["durations"] = DATES[Y] - DATES[0]


@pytest.mark.parametrize(("known", "found"), list(itertools.permutations(KINDS, 2)))
def test_labels_of_another_kind(known, found):
    message = rf"^y has {found}, but the classes so far are {known} \["
    model = NearestClassCenter().fit(X, KINDS[known])
    for call in (model.partial_fit, model.score):
        with pytest.raises(ValueError, match=message):
            call(X, KINDS[found])
    other = NearestClassCenter().fit(X, KINDS[found])
    message = f"Cannot merge statistics with {found[:-1]} labels into .* {known[:-1]}"
    with pytest.raises(ValueError, match=message):
        model.merge(other)


def test_records():
    records = np.rec.fromarrays([Y, Y], names=["one", "two"])
    message = (
        r"must be one label each, got records\. Pass one of their fields, such as "
        r"{}\[\.\.\.\] of 'one', 'two'\.$"
    )
    with pytest.raises(ValueError, match="^y " + message.format("y")):
        NeuralCollapseAnalyzer().fit(X, records)
    with pytest.raises(ValueError, match="^classes " + message.format("classes")):
        NeuralCollapseAnalyzer().fit(X, Y, classes=records[:2])


def test_a_column_of_labels():
    torch = pytest.importorskip("torch")
    expected = NeuralCollapseAnalyzer().fit(X, Y).report().to_dict()
    features, y = torch.tensor(X), torch.tensor(Y)[:, None]
    for one, other in ((X, Y[:, None]), (X, y), (features, y)):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
            model = NeuralCollapseAnalyzer().fit(one, other)
        assert model.report().to_dict() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            [None, 1],
            r"^classes contains None\. Expected a class label of every class\.$",
        ),
        ([0, np.nan], r"^classes contains NaN\."),
        (np.array([0, np.nan]), r"^classes contains NaN\."),
        (np.array(["NaT"], "M8[D]"), r"^classes contains NaT\."),
        (
            [[0], [1, 2]],
            "^classes must contain strings, numbers or dates, got "
            r"\[0\]\.",
        ),
        (["a", 1], "^classes mixes strings with other labels"),
        (
            np.array([0, 1j]),
            "^Complex data not supported: classes must be class labels",
        ),
        ({0, 1}, r"^classes must be a 1-D list of labels, got an array of shape \(\)"),
    ],
)
def test_classes_that_are_no_labels(classes, message):
    with pytest.raises(ValueError, match=message):
        NeuralCollapseAnalyzer().fit(X, Y, classes=classes)


# Keys ---------------------------------------------------------------------------


def test_keys_of_equal_dates_and_durations_are_equal():
    assert label_keys(np.array(["a", "b"])) == ["a", "b"]
    far = np.array(["1970-01-01", "3000-01-01"], "M8[D]")  # in ns beyond int64
    for unit in ("h", "s", "ms", "us"):
        assert label_keys(far.astype(f"M8[{unit}]")) == label_keys(far)
    assert label_keys(far.astype("M8[Y]")) == label_keys(far)
    assert len(set(label_keys(np.arange(4).astype("M8[25s]")))) == 4
    years = np.array([1, 2], "m8[Y]")
    assert label_keys(years) == label_keys(years.astype("m8[M]")) == [12, 24]
