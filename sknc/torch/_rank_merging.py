"""Merge the estimators and reports of all ranks, after checking that they agree."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from sknc._utils import arrays
from sknc._utils.parameters import shown
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.base import CenterEstimator
from sknc.estimators.reading import head_digest_of
from sknc.estimators.second_pass import SecondPass
from sknc.report import NCReport
from sknc.statistics.class_statistics import ClassStatistics
from sknc.torch._collectives import Ranks
from sknc.torch._rank_agreement import (
    StateHeader,
    check_agreement,
    check_alike,
    state_header,
)
from sknc.torch._rank_scores import merged_results
from sknc.torch._rank_sums import Part, Plan, gathered, placed, summed

Estimator = TypeVar("Estimator", bound=CenterEstimator)

# Up to this total size in bytes, states are gathered, which takes fewer messages.
# Larger ones are summed in two phases, which takes less memory and traffic.
_SMALL = 1 << 20

_SAME_HEAD = "a head of the same weights, bias and classes"
_ON_HEADS = (
    "Copy the head of one rank to the others, with its buffers if it has any, such as "
    "batch-norm averages."
)


def merged_over_ranks(analyzer: Estimator, ranks: Ranks) -> Estimator:
    """Return an estimator of the samples of all processes, the same in each."""
    parts, header = ranks.together(lambda: _state(analyzer))
    headers = ranks.gathered(header)
    check_agreement(headers)
    new = analyzer._unfitted()
    seen = [header for header in headers if header.seen]
    if seen:
        _check_heads(analyzer, seen[0].seen[0].n_features, ranks)
        merged = _merged(parts, headers, ranks)
        new._restore(merged, fixed=all(header.fixed for header in seen))
        names = next((h.names for h in headers if h.names is not None), None)
        if names is not None:
            new.feature_names_in_ = np.array(names, dtype=object)
    return new


def scored_over_ranks(
    analyzer: NeuralCollapseAnalyzer,
    batches: Iterable[Any],
    ranks: Ranks,
    progress: bool = False,
) -> NCReport:
    """Report the metrics of the samples of all processes; the same report in each."""

    def second_pass() -> tuple[SecondPass, StateHeader, str, str | None]:
        parts, header = _state(analyzer)
        if not isinstance(analyzer, NeuralCollapseAnalyzer):
            error = _refused("score_over_ranks", "NeuralCollapseAnalyzer", analyzer)
            raise error
        mine = analyzer._second_pass(batches, progress)
        return mine, header, _digest(parts), mine.head_digest

    mine, header, digest, head = ranks.together(second_pass)
    others = ranks.gathered((header, digest, head, mine.n_rows))
    check_agreement([header for header, *_ in others])
    check_alike(
        "the same fitted state",
        [digest for _, digest, _, _ in others],
        "Score about the centers that merge_over_ranks(analyzer) returns.",
    )
    check_alike(_SAME_HEAD, [head for _, _, head, _ in others], _ON_HEADS)
    if not any(n_rows for *_, n_rows in others):
        msg = "No rank has batches to score: expected at least one batch."
        raise ValueError(msg)
    with arrays.plain_arithmetic(analyzer.statistics_.moments.sums):
        results = merged_results(mine.results(), ranks)
    return ranks.from_first(lambda: mine.report(results))


def _state(analyzer: Any) -> tuple[Sequence[Part], StateHeader]:
    """Return the statistics of an estimator by group, and their header."""
    if not isinstance(analyzer, CenterEstimator):
        expected = "NeuralCollapseAnalyzer or NearestClassCenter"
        error = _refused("merge_over_ranks", expected, analyzer)
        raise error
    analyzer._check_parameters()
    parts: Sequence[Part] = [None] * max(1, analyzer._n_groups)
    if not analyzer.__sklearn_is_fitted__():
        return parts, state_header(analyzer, parts, fixed=True)
    stream = analyzer._fitted()
    parts = stream.read()[1]
    return parts, state_header(analyzer, parts, fixed=stream.fixed)


def _check_heads(analyzer: Any, n_features: int, ranks: Ranks) -> None:
    """
    Check that all ranks have the same head, or that none has one.

    Heads are compared by their bytes, since replicas of a model in training are equal
    to the last bit. Ranks without samples are checked too, with the width of the
    others.
    """
    if getattr(analyzer, "head", None) is not None:
        found = ranks.together(lambda: head_digest_of(analyzer, n_features))
        check_alike(_SAME_HEAD, ranks.gathered(found), _ON_HEADS)


def _merged(
    parts: Sequence[Part], headers: Sequence[StateHeader], ranks: Ranks
) -> list[Part]:
    """Merge the statistics of all ranks, by group."""
    by_group = [
        [part for part in group if part is not None]
        for group in zip(*(header.parts for header in headers), strict=True)
    ]
    plans = [Plan.of(group) if group else None for group in by_group]
    like = next((p.moments.sums for p in parts if p is not None), None)
    if like is None:
        like = next(plan for plan in plans if plan is not None).empty_array()
    with arrays.plain_arithmetic(like):
        every = [part for group in by_group for part in group]
        # Ranks that have samples of the same class hold parts of its sums.
        by_class = any(part.has_class_scatters for part in every)
        if by_class or sum(part.n_bytes for part in every) <= _SMALL:
            found = gathered(parts, ranks)
            return [None if p is None else placed(p, like) for p in found]
        return [
            None if plan is None else summed(part, plan, ranks)
            for part, plan in zip(parts, plans, strict=True)
        ]


def _digest(parts: Sequence[ClassStatistics | None]) -> str:
    """Return a text that differs between states of different samples."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        if part is not None:
            found.update(repr(part.classes.tolist()).encode())
            for array in (part.moments.counts, part.moments.squares):
                found.update(np.ascontiguousarray(arrays.to_numpy(array)).data)
    return found.hexdigest()


def _refused(function: str, expected: str, value: Any) -> TypeError:
    msg = (
        f"{function} expected a {expected}, got {shown(value)}. A process without "
        "samples must pass an unfitted estimator."
    )
    return TypeError(msg)
