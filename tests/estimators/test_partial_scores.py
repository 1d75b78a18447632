"""Scores of several workers, merged, against one score of all samples."""

import pickle

import numpy as np
import pytest

from sknc import NeuralCollapseAnalyzer
from sknc.head import LabeledHead

N, K, D = 600, 6, 12
_RNG = np.random.default_rng(0)
Y = np.arange(N) % K
X = 100 + 3 * _RNG.standard_normal((K, D))[Y] + _RNG.standard_normal((N, D))
HEAD = (_RNG.standard_normal((K, D)), _RNG.standard_normal(K))
WEIGHTS = np.where(np.arange(N) % 3, 1.0, 0.5)
SHARES = [Y < 2, (Y >= 2) & (np.arange(N) < 400), (Y >= 2) & (np.arange(N) >= 400)]


def parts_of(analyzer, weights=None):
    """Score the share of each worker, and send what it finds."""
    for share in SHARES:
        own = None if weights is None else weights[share]
        yield pickle.loads(
            pickle.dumps(analyzer.partial_score([(X[share], Y[share], own)]))
        )


@pytest.mark.parametrize(
    "options",
    [
        {"head": HEAD, "metrics": "all"},
        {"head": HEAD},
        {"covariance": False},
        {"covariance": False, "head": HEAD, "metrics": "all"},
    ],
    ids=["all", "head", "no scatter", "no scatter, all"],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_workers_equal_one_score(options, weights):
    analyzer = NeuralCollapseAnalyzer(**options).fit(X + 0.1, Y)
    expected = analyzer.score(X, Y, weights)
    found = analyzer.report_of(parts_of(analyzer, weights))
    assert found.n_samples == expected.n_samples == N
    assert found.to_dict().keys() == expected.to_dict().keys()
    assert len(found.to_dict()) > 5
    assert found.to_dict() == pytest.approx(
        expected.to_dict(), rel=1e-10, abs=1e-10, nan_ok=True
    )
    assert found.notes == expected.notes


def test_groups_merge_with_groups():
    analyzer = NeuralCollapseAnalyzer(n_jackknife=4, head=HEAD).fit(X, Y)
    expected = analyzer.score(X, Y)
    found = analyzer.report_of([*parts_of(analyzer), analyzer.partial_score([])])
    assert found.nc4_mismatch == pytest.approx(expected.nc4_mismatch, rel=1e-12)
    assert found.nc4_mismatch > 0
    error = found.standard_error["nc1_cdnv"]
    assert error == pytest.approx(expected.standard_error["nc1_cdnv"], rel=0.5)
    assert error != expected.standard_error["nc1_cdnv"]  # other groups


def test_one_part_is_the_score():
    analyzer = NeuralCollapseAnalyzer(head=HEAD).fit(X, Y)
    part = analyzer.partial_score([(X, Y)])
    assert analyzer.report_of([part]).to_json() == analyzer.score(X, Y).to_json()


def test_parts_hold_no_centers():
    analyzer = NeuralCollapseAnalyzer(covariance=False).fit(np.eye(50, 400), range(50))
    part = analyzer.partial_score([])
    assert len(pickle.dumps(part)) < 1000
    part = analyzer.partial_score([(np.eye(1, 400), [0])])
    # anchors and sums, and no directions
    assert len(pickle.dumps(part)) < 1.1 * 2 * 50 * 400 * 8


OTHER_CENTERS = (
    r"^Samples of a PartialScore were measured about other centers\. Merge the "
    "analyzers of all workers first, and let each worker call partial_score on the "
    r"merged one\.$"
)


def test_other_centers_are_refused():
    first, second = (NeuralCollapseAnalyzer().fit(X[:i], Y[:i]) for i in (300, 400))
    part, other = (a.partial_score([(X, Y)]) for a in (first, second))
    for refused in (
        lambda: part.merge(other),
        lambda: first.report_of([part, other]),
        lambda: first.report_of([other]),
    ):
        with pytest.raises(ValueError, match=OTHER_CENTERS):
            refused()
    grouped = NeuralCollapseAnalyzer(n_jackknife=2).fit(X[:300], Y[:300])
    with pytest.raises(ValueError, match=OTHER_CENTERS):
        grouped.report_of([part])


WEIGHTS_OF_HEAD, BIAS = HEAD
WITH_HEAD = {"head": HEAD}
EVERY_WORKER = "Use the same .* in all workers"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (WITH_HEAD, {"head": (-WEIGHTS_OF_HEAD, BIAS)}, "with another head"),
        (WITH_HEAD, {"head": (WEIGHTS_OF_HEAD, -BIAS)}, "with another head"),
        (WITH_HEAD, {"head": WEIGHTS_OF_HEAD}, "with another head"),
        (WITH_HEAD, {}, "with another head"),
        (
            WITH_HEAD,
            {"head": LabeledHead(*HEAD, np.arange(K)[::-1])},
            "with another head",
        ),
        ({}, {"convention": "papyan2020"}, "in another convention"),
        ({"metrics": "all"}, {"metrics": "default"}, "for other metrics"),
        (
            {"metrics": ["nc1_cdnv"]},
            {"metrics": ["nc4_ncc_accuracy"]},
            "for other metrics",
        ),
        (
            {"metrics": ["nc1_cdnv"]},
            {"metrics": ["nc1_cdnv", "nc4_ncc_margin"]},
            "for other metrics",
        ),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_other_choices_are_refused(first, second, message, swapped):
    one, two = (
        NeuralCollapseAnalyzer(**options).fit(X, Y)
        for options in ((second, first) if swapped else (first, second))
    )
    part, other = one.partial_score([(X[:50], Y[:50])]), two.partial_score([(X, Y)])
    match = f"^Samples of a PartialScore were scored {message}\\. {EVERY_WORKER}"
    for refused in (
        lambda: part.merge(other),
        lambda: one.report_of([part, other]),
        lambda: one.report_of([part, two.partial_score([])]),
    ):
        with pytest.raises(ValueError, match=match):
            refused()
    if "metrics" not in second:
        with pytest.raises(ValueError, match=match):
            one.report_of([other])


def test_messages_about_other_choices():
    analyzer = NeuralCollapseAnalyzer(metrics="all", **WITH_HEAD).fit(X, Y)
    part = analyzer.partial_score([(X, Y)])
    analyzer.set_params(head=None)
    message = (
        r"^Samples of a PartialScore were scored with another head\. Use the same "
        r"head in all workers, and do not train it before report_of\.$"
    )
    with pytest.raises(ValueError, match=message):
        analyzer.report_of([part])
    analyzer.set_params(head=HEAD, convention="papyan2020")
    message = (
        r"^Samples of a PartialScore were scored in another convention\. Use the "
        r"same convention in all workers\.$"
    )
    with pytest.raises(ValueError, match=message):
        analyzer.report_of([part])
    few = NeuralCollapseAnalyzer(metrics=["nc1_cdnv"], **WITH_HEAD).fit(X, Y)
    found = few.report_of([part])  # has all that it needs, and more
    assert found.to_dict() == pytest.approx(few.score(X, Y).to_dict(), rel=1e-12)
    message = (
        r"^Samples of a PartialScore were scored for other metrics\. Use the same "
        r"metrics in all workers\.$"
    )
    with pytest.raises(ValueError, match=message):
        analyzer.set_params(convention="default").report_of(
            [few.partial_score([(X, Y)])]
        )


def test_copies_of_a_head_are_the_same():
    classifier = LabeledHead(*(part[::-1] for part in HEAD), np.arange(K)[::-1])
    whole = NeuralCollapseAnalyzer(**WITH_HEAD).fit(X, Y)
    same = NeuralCollapseAnalyzer(classifier).fit(X, Y)
    parts = [
        analyzer.partial_score([(X[start::2], Y[start::2])])
        for start, analyzer in enumerate((whole, same))
    ]
    assert whole.report_of(parts).to_dict() == pytest.approx(
        whole.score(X, Y).to_dict(), rel=1e-10
    )


def test_other_objects_are_refused():
    analyzer = NeuralCollapseAnalyzer().fit(X, Y)
    part = analyzer.partial_score([])
    message = r"^report_of got scores without samples: expected at least one sample\.$"
    for scores in ([], [part, part]):
        with pytest.raises(ValueError, match=message):
            analyzer.report_of(scores)
    message = "^report_of expected results of partial_score, got 3"
    with pytest.raises(TypeError, match=message):
        analyzer.report_of([part, 3])
    with pytest.raises(TypeError, match=r"^merge expected a PartialScore, got None\.$"):
        part.merge(None)
    with pytest.raises(
        ValueError, match=r"^scores must be an iterable of PartialScore"
    ):
        analyzer.report_of(3)
