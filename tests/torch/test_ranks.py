"""Estimators and reports of several processes, against one."""

import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="torch was built without distributed"
)
from processes import run_processes  # noqa: E402
from rank_cases import CASES, K, N, X, Y, bits, fitted, found  # noqa: E402
from thread_ranks import in_ranks  # noqa: E402
from tolerances import CLOSE, TIGHT  # noqa: E402

from sknc import NearestClassCenter, NeuralCollapseAnalyzer  # noqa: E402
from sknc.distributed import merge_over_ranks, score_over_ranks  # noqa: E402
from sknc.torch import _rank_merging as module  # noqa: E402
from sknc.torch._rank_agreement import check_agreement  # noqa: E402


def check_equal_one_fit(share, option, results):
    """Check what ranks found against one process with all samples."""
    expected = found(
        share,
        option,
        0,
        1,
        lambda analyzer: analyzer,
        lambda analyzer, batches: analyzer.score_batches(batches),
    )
    for result in results:
        assert result["bits"] == results[0]["bits"]
        for name in ("fitted", "scored"):
            assert result[name].to_json() == results[0][name].to_json()
    result = results[0]
    assert result["classes"].tolist() == expected["classes"].tolist()
    assert result["n_samples"] == expected["n_samples"] == N
    np.testing.assert_allclose(result["means"], expected["means"], rtol=TIGHT)
    if expected["within"] is None:
        assert result["within"] is None
    else:
        scale = abs(expected["within"]).max()
        # Products of residuals from float32 features are those of float64 up to D=256.
        assert abs(result["within"] - expected["within"]).max() <= 1e-12 * scale
    for name in ("fitted", "scored"):
        values = result[name].to_dict()
        assert values.keys() == expected[name].to_dict().keys()
        assert len(values) > 5
        assert values == pytest.approx(
            expected[name].to_dict(), rel=CLOSE, abs=CLOSE, nan_ok=True
        )
        assert result[name].n_samples == expected[name].n_samples


@pytest.mark.parametrize(
    ("share", "option", "way"),
    [
        *[(*case, "summed") for case in CASES if case[0] != "even"],
        *[(*case, "gathered") for case in CASES if case[1] == "groups"],
    ],
)
def test_ranks_equal_one_fit(monkeypatch, share, option, way):
    most = module._SMALL if way == "gathered" else 0
    monkeypatch.setattr(module, "_SMALL", most)
    size = 3 if share == "empty first" else 2
    results = in_ranks(
        size,
        lambda ranks: found(
            share,
            option,
            ranks.number,
            size,
            lambda analyzer: module.merged_over_ranks(analyzer, ranks),
            lambda a, batches: module.scored_over_ranks(a, batches, ranks),
        ),
    )
    for result in results:
        if isinstance(result, Exception):
            raise result
    check_equal_one_fit(share, option, results)


@pytest.mark.parametrize("tensors", [False, True])
def test_scatters_of_classes_are_kept(monkeypatch, tensors):
    monkeypatch.setattr(module, "_SMALL", 0)
    options = {"covariance": "by_class", "metrics": ["spec_class_stable_rank"]}
    x, y = (torch.asarray(X), torch.asarray(Y)) if tensors else (X, Y)

    def work(ranks):
        part = NeuralCollapseAnalyzer(**options).fit(
            x[ranks.number :: 2], y[ranks.number :: 2]
        )
        return module.merged_over_ranks(part, ranks).report()

    expected = NeuralCollapseAnalyzer(**options).fit(x, y).report().to_dict()
    assert expected["spec_class_stable_rank"] > 1
    for report in in_ranks(2, work):
        assert report.to_dict() == pytest.approx(expected, rel=CLOSE)


def test_groups_merge_with_groups():
    size = 3
    mine = [fitted("even", "groups", rank, size)[0] for rank in range(size)]
    expected = NeuralCollapseAnalyzer(**mine[0].get_params()).merge(*mine)
    for most in (0, module._SMALL):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_SMALL", most)
            merged = in_ranks(
                size, lambda r: module.merged_over_ranks(mine[r.number], r)
            )
        errors = [analyzer.report().standard_error for analyzer in merged]
        assert errors[0] == errors[1] == errors[2]
        assert len(errors[0]) > 3
        assert errors[0] == pytest.approx(
            expected.report().standard_error, rel=CLOSE, nan_ok=True
        )


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_processes_equal_one_fit(tmp_path, size):
    run_processes("rank_process.py", size, tmp_path)
    everything = [
        pickle.loads((tmp_path / str(rank)).read_bytes()) for rank in range(size)
    ]
    for way in ("gathered", "summed"):
        for share, option in CASES:
            results = [found[way, share, option] for found in everything]
            check_equal_one_fit(share, option, results)
    for found_by_rank in everything:
        check_errors(found_by_rank["errors"], everything[0]["errors"])
        assert not found_by_rank["empty"].__sklearn_is_fitted__()
    halves = [found_by_rank["half"] for found_by_rank in everything]
    assert halves[:2] == [N, N]
    for message in halves[2:]:
        assert re.match(r"^Process \d is not in the group that was passed: ", message)


def check_errors(told, first):
    """Check that every rank got the right error, and the same as the first."""
    assert told == first | {"one fails": told["one fails"]}
    alike = "ValueError: All ranks must have "
    remedy = "Construct the estimators of all ranks alike."
    assert told["covariance"] == (
        f"{alike}the same covariance, got True on rank 0 and False on rank 1. {remedy}"
    )
    assert told["groups"] == (
        f"{alike}the same n_jackknife, got 0 on rank 0 and 3 on rank 1. {remedy}"
    )
    assert told["convention"].startswith(f"{alike}the same convention, got Convention(")
    assert told["class"] == (
        f"{alike}estimators of one class, got NeuralCollapseAnalyzer on rank 0 and "
        "NearestClassCenter on rank 1."
    )
    assert told["not merged"].startswith(f"{alike}the same fitted state, got ")
    assert told["not merged"].endswith(
        "Score about the centers that merge_over_ranks(analyzer) returns."
    )
    message = "No rank has batches to score: expected at least one batch."
    assert told["no batches"] == f"ValueError: {message}"
    own = "ValueError: y has labels [100, 101, 102, 103, 104, 105] without "
    if told is first:
        assert told["one fails"].startswith(own)
    else:
        others = f"RuntimeError: Rank 0 failed, so nothing was merged: {own}"
        assert told["one fails"].startswith(others)


# One process ----------------------------------------------------------------------


def test_what_is_merged_is_new(one_process):
    mine = NeuralCollapseAnalyzer(head=torch.nn.Linear(X.shape[1], K))
    mine.fit(X, Y)
    for most in (0, module._SMALL):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_SMALL", most)
            merged = merge_over_ranks(mine)
        before = bits(mine)
        assert merged is not mine
        assert merged.head is mine.head
        assert bits(merged) == before
        merged.partial_fit(X, Y)
        assert (merged.n_samples_seen_, mine.n_samples_seen_) == (2 * N, N)
        assert bits(mine) == before
    report = score_over_ranks(mine, [(X, Y)])
    assert report.to_json() == mine.score(X, Y).to_json()


def test_named_features_and_classes(one_process):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])
    merged = merge_over_ranks(NeuralCollapseAnalyzer().fit(frame, Y, classes=range(9)))
    assert merged.feature_names_in_.tolist() == list(frame.columns)
    merged.partial_fit(frame, Y)
    assert len(merged.classes_) == 9
    with pytest.raises(ValueError, match="9"):
        merged.partial_fit(frame, Y + 9)


def test_other_estimators(one_process):
    merged = merge_over_ranks(NearestClassCenter(priors=[1, 2, 3, 4, 5, 6]).fit(X, Y))
    assert isinstance(merged, NearestClassCenter)
    assert merged.priors == [1, 2, 3, 4, 5, 6]
    message = r"^merge_over_ranks expected a NeuralCollapseAnalyzer or NearestClassCen"
    with pytest.raises(TypeError, match=message):
        merge_over_ranks(None)
    message = r"^score_over_ranks expected a NeuralCollapseAnalyzer, got NearestClass"
    with pytest.raises(TypeError, match=message):
        score_over_ranks(merged, [(X, Y)])


def test_without_a_group():
    message = (
        r"^torch\.distributed is not initialized, so there is nothing to merge over: "
        r"call torch\.distributed\.init_process_group\(\.\.\.\) first, or start the "
        r"program with torchrun\.$"
    )
    for function in (merge_over_ranks, lambda a: score_over_ranks(a, [])):
        with pytest.raises(RuntimeError, match=message):
            function(NeuralCollapseAnalyzer())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x, y: (x[:, 1:], y),
            "features of the same width, got 12 on rank 0 and",
        ),
        (
            lambda x, y: (x, y.astype(str)),
            "labels of the same kind, got number on rank",
        ),
        (
            lambda x, y: (torch.tensor(x), torch.tensor(y)),
            "arrays of the same library and kind of device, got NumPy on cpu on rank 0",
        ),
    ],
)
def test_states_that_do_not_go_together(change, message):
    def merged(ranks):
        x, y = change(X, Y) if ranks.number else (X, Y)
        return module.merged_over_ranks(NeuralCollapseAnalyzer().fit(x, y), ranks)

    for error in in_ranks(2, merged):
        assert isinstance(error, ValueError)
        assert str(error).startswith(f"All ranks must have {message}")


def test_labels_that_cannot_be_told_apart():
    labels = [Y.astype(np.uint64) + np.uint64(2**63), -1 - Y]

    def merged(ranks):
        mine = NeuralCollapseAnalyzer().fit(X, labels[ranks.number])
        return module.merged_over_ranks(mine, ranks)

    messages = {str(error) for error in in_ranks(2, merged)}
    assert len(messages) == 1
    assert "cannot be told apart" in messages.pop()


def test_other_array_libraries_are_refused():
    _, header = module._state(NeuralCollapseAnalyzer().fit(X, Y))
    part = replace(header.parts[0], place="cupy on cuda")
    message = (
        "^Ranks can only exchange statistics of NumPy arrays or torch tensors, got "
        "cupy arrays on cuda on rank 0"
    )
    with pytest.raises(ValueError, match=message):
        check_agreement([replace(header, parts=(part,))])
