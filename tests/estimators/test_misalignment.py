"""Labels and rows of a head that are out of step are noticed, and others are not."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from toys import around, simplex

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.estimators._scoring.misalignment import better_rows
from sknc.head import LinearHead

REMEDY = (
    "Row k of the head must belong to the k-th of the sorted labels: pass the labels "
    "with which the model was trained, list all classes in classes=, or pass a head "
    "with classes_."
)


def ordered_wrong(n_classes, other, label):
    return (
        f"The head assigns the means of {n_classes} classes to other classes, and "
        "would assign them correctly with its rows in another order, for example "
        f"with the row of class {other!r} for class {label!r}. Its rows and the "
        "labels probably do not match. "
    )


def notes(toy, labels=None, head=None):
    """Return the note on the head, which both kinds of report must have."""
    y = toy.y if labels is None else np.asarray(labels)[toy.y]
    analyzer = NeuralCollapseAnalyzer(head=toy.head if head is None else head)
    analyzer.fit(toy.X, y)
    report = analyzer.report()
    assert analyzer.score(toy.X, y).notes.get("head") == report.notes.get("head")
    return report.notes.get("head", "")


def ten_classes(n_features=16):
    return around(3 * simplex(10, n_features), 8, 0.1)


def test_aligned_head():
    toy = ten_classes()
    assert notes(toy) == ""
    assert toy.report().nc4_head_accuracy == 1


def test_padding_left_in():
    # The class that is missing makes the number of labels right.
    toy = ten_classes()
    labels = [*range(9), -100]
    assert notes(toy, labels) == (
        "The label -100 is negative. It is often padding (ignore_index), but here it "
        "is a class with a row of the head. To drop these samples: keep = y != -100, "
        "then X[keep], y[keep]. " + ordered_wrong(10, 8, -100) + REMEDY
    )
    untrained = np.random.default_rng(0).standard_normal((10, 16))
    assert notes(toy, labels, untrained).startswith("The label -100 is negative")
    named = LogisticRegression().fit(toy.X, np.array(labels)[toy.y])
    assert notes(toy, labels, named) == ""


def test_two_classes_of_opposite_sign_are_no_padding():
    toy = around(simplex(2, 4), 6, 0.1)
    assert notes(toy, [-1, 1]) == ""
    assert "The label -1 is negative" in notes(toy, [-1, 0])


def test_numbers_as_text():
    toy = around(3 * simplex(12, 16), 6, 0.1)
    names = np.arange(12).astype(str)
    assert notes(toy, names) == (
        "The labels are numbers as text, sorted as text: ['0', '1', '10', ..., '9']. "
        "The rows of the head must have this order. If they have the order of the "
        "numbers, pass integers: y.astype(int). "
        + ordered_wrong(10, "8", "10")
        + REMEDY
    )
    assert notes(toy, np.char.zfill(names, 2)) == ""
    assert notes(toy, [f"class {i}" for i in range(10, 22)]) == ""


@pytest.mark.parametrize("n_classes", [2, 3, 10, 40])
def test_rows_in_another_order(n_classes):
    toy = around(3 * simplex(n_classes, 64), 5, 0.1, head_noise=0.1)
    order = np.roll(np.arange(n_classes), 1)
    other = n_classes - 1
    expected = ordered_wrong(n_classes, other if n_classes == 2 else 1, 0) + REMEDY
    assert notes(toy, head=(toy.W[order], toy.b[order])) == expected
    labels = np.arange(n_classes) + 5
    assert notes(toy, labels, (toy.W[order], toy.b[order])).startswith(
        f"The head assigns the means of {n_classes} classes"
    )


def test_two_rows_swapped():
    toy = ten_classes(64)
    order = [0, 1, 7, 3, 4, 5, 6, 2, 8, 9]
    found = notes(toy, head=(toy.W[order], toy.b[order]))
    assert found == ordered_wrong(2, 7, 2) + REMEDY


def test_a_head_that_names_its_classes():
    toy = ten_classes()
    head = LogisticRegression().fit(toy.X, (toy.y + 1) % 10)
    assert notes(toy, head=head) == (
        ordered_wrong(10, 1, 0) + "Pass the labels with which the head was fitted."
    )


def test_labels_off_by_one_with_a_class_missing():
    # Row 0 is of no class that has samples, and yet fits one.
    toy = ten_classes()
    kept = toy.y < 9
    analyzer = NeuralCollapseAnalyzer(head=toy.head)
    analyzer.partial_fit(toy.X[kept], toy.y[kept] + 1, classes=range(10))
    assert ordered_wrong(9, 0, 1) in analyzer.report().notes["head"]


def test_on_digits():
    X, y = load_digits(return_X_y=True)
    head = LogisticRegression(max_iter=200, tol=1e-2).fit(X / 16, y)
    pair = head.coef_, head.intercept_
    analyzer = NeuralCollapseAnalyzer(head=pair).fit(X / 16, y)
    assert "head" not in analyzer.report().notes
    analyzer.fit(X / 16, (y + 3) % 10)
    assert "means of 10 classes" in analyzer.report().notes["head"]


def test_tensors():
    torch = pytest.importorskip("torch")
    toy = ten_classes()
    layer = torch.nn.Linear(16, 10)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.roll(toy.W, 1, axis=0)))
    analyzer = NeuralCollapseAnalyzer(head=layer)
    analyzer.fit(torch.tensor(toy.X).float(), torch.tensor(toy.y))
    assert "means of 10 classes" in analyzer.report().notes["head"]


def test_only_the_worst_of_many_classes_are_looked_at(monkeypatch):
    monkeypatch.setattr("sknc.estimators._scoring.misalignment._MOST_CLASSES", 7)
    toy = around(3 * simplex(30, 64), 3, 0.1)
    assert "means of 7 classes" in notes(toy, head=np.roll(toy.W, 1, axis=0))


@pytest.mark.parametrize("what", ["zero head", "equal rows", "equal means", "huge"])
def test_nothing_to_compare(what):
    toy = ten_classes()
    head = {"zero head": 0 * toy.W, "equal rows": np.ones_like(toy.W)}.get(what, toy.W)
    X = {"equal means": np.ones_like(toy.X), "huge": 1e300 * toy.X}.get(what, toy.X)
    with np.errstate(over="ignore", invalid="ignore"):
        statistics = ClassStatistics.from_samples(X, toy.y)
    classes, rows = better_rows(statistics, LinearHead(head, None))
    assert len(classes) == len(rows) == 0


# Many heads -----------------------------------------------------------------------


def random_case(rng, most_classes):
    """Return statistics and an aligned head, untrained, or trained a little or long."""
    n_classes = round(np.exp(rng.uniform(np.log(2), np.log(200))))
    n_features = round(np.exp(rng.uniform(np.log(2), np.log(300))))
    means = rng.standard_normal((n_classes, n_features))
    means *= np.exp(rng.normal(0, rng.choice([0, 1, 2]), n_features))
    if rng.random() < 0.3:
        means = np.maximum(means, 0) + 5 * rng.random(n_features)
    if rng.random() < 0.3:  # pairs of classes that are hard to tell apart
        pairs = means[1::2].shape
        means[1::2] = means[::2][: pairs[0]] + 0.1 * rng.standard_normal(pairs)
    y = np.repeat(np.arange(n_classes), 4)
    X = means[y] + rng.choice([0.01, 1, 5]) * rng.standard_normal((len(y), n_features))
    W = rng.standard_normal((n_classes, n_features)) / np.sqrt(n_features)
    b = rng.choice([0.0, 0.1, 5]) * rng.standard_normal(n_classes)
    scale = np.linalg.norm(X - X.mean(0), axis=1).mean()
    for _ in range(rng.choice([0, 1, 5, 50])):  # gradient descent of cross-entropy
        logits = X @ W.T + b
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[np.arange(len(y)), y] -= 1
        W -= rng.choice([0.1, 1, 10]) / scale**2 * shares.T @ (X - X.mean(0))
    return ClassStatistics.from_samples(X, y), W, b


def count_alarms(n_heads, seed, most_classes):
    """Return false alarms, and how many permuted heads of trained ones are noticed."""
    rng = np.random.default_rng(seed)
    alarms, noticed, permuted, accuracies = 0, 0, 0, []
    for _ in range(n_heads):
        statistics, W, b = random_case(rng, most_classes)
        alarms += len(better_rows(statistics, LinearHead(W, b))[0]) > 0
        means = statistics.class_means
        n_classes = len(W)
        chosen = (means @ W.T + b).argmax(axis=1)
        accuracies.append(np.mean(chosen == np.arange(n_classes)))
        if accuracies[-1] > 0.95 and n_classes >= 10 and W.shape[1] >= 10:
            order = rng.permutation(n_classes)
            permuted += 1
            found = better_rows(statistics, LinearHead(W[order], b[order]))
            noticed += len(found[0]) > 0
    return alarms, noticed, permuted, accuracies


def test_no_false_alarm_of_some_heads():
    alarms, noticed, permuted, accuracies = count_alarms(80, seed=0, most_classes=50)
    assert alarms == 0
    assert min(accuracies) <= 0.05
    assert permuted >= 4
    assert noticed >= 0.8 * permuted


@pytest.mark.slow
def test_no_false_alarm_of_many_heads():
    alarms, noticed, permuted, _ = count_alarms(1000, seed=2, most_classes=200)
    assert alarms == 0
    assert noticed >= 0.8 * permuted
