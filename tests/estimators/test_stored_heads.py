"""Heads that hold their weights: of scikit-learn, arrays, and LinearHead."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from tolerances import TIGHT
from toys import around, simplex

from sknc import ClassStatistics, LinearHead, NearestClassCenter, NeuralCollapseAnalyzer
from sknc.metrics import (
    TABLE,
    imb_seli_w,
    nc0_weight_sum,
    nc2_equinorm_head,
    nc3_gram,
    nc3_self_duality,
)

TOY = around(2 * simplex(3, 6), 10, 0.7)
X, Y, W, B = TOY.X, TOY.y, TOY.W, TOY.b
STATISTICS = ClassStatistics.from_samples(X, Y)


def values(head, X=X, Y=Y):
    return NeuralCollapseAnalyzer(head=head).fit(X, Y).score(X, Y).to_dict()


# scikit-learn -------------------------------------------------------------------


@pytest.mark.parametrize("machine", [SVC, NuSVC])
def test_rows_of_pairs_of_classes(machine):
    model = machine(kernel="linear").fit(X, Y)
    name = type(model).__name__
    message = (
        rf"^{name} has a row of weights for each pair of classes: expected one for "
        r"each class\. Use sklearn\.svm\.LinearSVC\.$"
    )
    with pytest.raises(TypeError, match=message):
        NeuralCollapseAnalyzer(head=model).fit(X, Y)
    with pytest.raises(TypeError, match=message):
        NearestClassCenter().fit(X, Y).agreement(X, model)
    few = Y < 2
    pair = machine(kernel="linear").fit(X[few], Y[few])
    found = values(pair, X[few], Y[few])
    assert found["nc4_head_accuracy"] == pair.score(X[few], Y[few])
    assert "nc4_head_accuracy" in values(LinearSVC().fit(X, Y))


def fitted_mlp():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPClassifier((4,), max_iter=2).fit(X, Y)


NO_COEF = r" It has no coef_, so it is not known to be linear in the features\.$"
OTHERS = {
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
        r"Pipeline\. Pass its last step, and the features that its other steps "
        r"compute: head=pipe\[-1\] and X=pipe\[:-1\]\.transform\(X\)\.$",
    ),
    "search": (
        lambda: GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, Y),
        r"GridSearchCV\. Pass its best_estimator_\.$",
    ),
    "perceptron": (fitted_mlp, rf"MLPClassifier\.{NO_COEF}"),
    "neighbors": (lambda: KNeighborsClassifier().fit(X, Y), rf"Classifier\.{NO_COEF}"),
    "kernel": (lambda: SVC().fit(X, Y), rf"SVC\.{NO_COEF}"),
    "not fitted": (LogisticRegression, r"LogisticRegression\. Fit it first\.$"),
    "none": (lambda: object(), r"object\.$"),
    "ragged": (lambda: ([[1.0], [1.0, 2.0]], None), r"tuple\.$"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_models(name):
    make, message = OTHERS[name]
    with pytest.raises(TypeError, match=r"^head must be a torch.* got \w*" + message):
        NeuralCollapseAnalyzer(head=make()).fit(X, Y)


def test_what_the_message_for_pipelines_says():
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    report = NeuralCollapseAnalyzer(head=pipe[-1]).fit(pipe[:-1].transform(X), Y)
    scored = report.score(pipe[:-1].transform(X), Y)
    assert scored.nc4_head_accuracy == pipe.score(X, Y)


# LinearHead -----------------------------------------------------------------------


def test_linear_head_as_head():
    for bias in (B, None):
        expected = values((W, bias))
        assert values(LinearHead(W, bias)) == expected
        agreement = NearestClassCenter().fit(X, Y).agreement(X, LinearHead(W, bias), Y)
        assert agreement.head_accuracy == expected["nc4_head_accuracy"]
    assert LinearHead(W).bias is None
    with pytest.raises(TypeError, match=r"which is a head\. The order is"):
        NearestClassCenter().fit(X, Y).agreement(X, Y, LinearHead(W))
    with pytest.raises(ValueError, match=r"weights of shape \(3, 5\), but there are"):
        NeuralCollapseAnalyzer(head=LinearHead(W[:, :5])).fit(X, Y)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.bool_, np.float16, object])
def test_linear_head_of_other_numbers(dtype):
    weights = np.round(3 * W).astype(dtype)
    head, wide = LinearHead(weights), LinearHead(weights.astype(float))
    assert head.weights.dtype == np.float64
    for row in TABLE.values():
        if row.needs in (("head",), ("statistics", "head")):
            arguments = [STATISTICS] * (len(row.needs) - 1)
            found = row.function(*arguments, head)
            np.testing.assert_equal(found, row.function(*arguments, wide))
    assert LinearHead(weights.tolist(), [0, 1, 2]).bias.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1j * W,), r"^The head's weights must be real numbers, got array"),
        ((W.astype(str),), r"^The head's weights must be real numbers"),
        ((W, B.astype("datetime64[D]")), r"^The head's bias must be real numbers"),
        (
            (W[0],),
            r"^weights of a LinearHead must be of shape \(n_classes, n_features\), got "
            r"\(6,\)\.$",
        ),
        (
            (W, B[:2]),
            r"^bias of a LinearHead must be of shape \(3,\), one entry per row of "
            r"the weights, got \(2,\)\.$",
        ),
    ],
)
def test_linear_head_of_something_else(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearHead(*arguments)


# Metrics ------------------------------------------------------------------------

PAIRED = [row for row in TABLE.values() if row.parameters[:2] == ("statistics", "head")]


@pytest.mark.parametrize("row", PAIRED, ids=lambda row: row.key)
def test_heads_that_do_not_fit_the_statistics(row):
    for head in (LinearHead(np.vstack([W, W[:1]])), LinearHead(W[:, :1])):
        shape = tuple(head.weights.shape)
        message = (
            r"^head must have weights of shape \(3, 6\), a row for each class and a "
            r"column for each feature of the statistics, got "
            rf"\({shape[0]}, {shape[1]}\)\."
        )
        with pytest.raises(ValueError, match=message):
            row.function(STATISTICS, head)
        with pytest.raises(ValueError, match=message):
            row.function(STATISTICS, head=head)
    with pytest.raises(ValueError, match=r"^head must be a LinearHead, got array\("):
        row.function(STATISTICS, W)


def test_one_row():
    few = ClassStatistics.from_samples(X[Y < 2], Y[Y < 2])
    row = W[1:2] - W[:1]
    advice = r" If its single row separates two classes, pass both halves: np\.vstack"
    with pytest.raises(ValueError, match=r"got \(1, 6\)\." + advice):
        nc3_self_duality(few, LinearHead(row))
    halves = LinearHead(np.vstack([-row, row]) / 2)
    expected = NeuralCollapseAnalyzer(head=row).fit(X[Y < 2], Y[Y < 2]).report()
    assert nc3_self_duality(few, halves) == pytest.approx(expected.nc3_self_duality)
    for function in (nc0_weight_sum, nc2_equinorm_head):
        with pytest.raises(ValueError, match=r"at least 2, got 1\." + advice):
            function(LinearHead(row))


def test_missing_arguments():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        nc3_self_duality(STATISTICS)
    with pytest.raises(TypeError, match="unexpected keyword argument 'weights'"):
        nc3_self_duality(STATISTICS, LinearHead(W), weights=1)


def test_head_and_statistics_of_two_libraries():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(6, 3)
    on_torch = ClassStatistics.from_samples(torch.tensor(X), torch.tensor(Y))
    both = LinearHead(layer.weight, layer.bias)  # with gradients, and without a warning
    assert not both.weights.requires_grad
    host = LinearHead(layer.weight.detach().numpy(), layer.bias.detach().numpy())
    assert isinstance(host.beside(on_torch.moments.sums).bias, torch.Tensor)
    for function in (nc3_self_duality, nc3_gram, imb_seli_w):
        expected = function(STATISTICS, host)
        for statistics in (STATISTICS, on_torch):
            for head in (host, both):
                assert function(statistics, head) == pytest.approx(expected, rel=TIGHT)
