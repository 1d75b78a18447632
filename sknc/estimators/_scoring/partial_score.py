"""Results of one worker in the second pass, to be merged into a report."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.merge_tree import merge_all
from sknc._utils.parameters import check_iterable, shown
from sknc.estimators._scoring.evaluation import EvaluationResult
from sknc.estimators._scoring.reports import SecondPass
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import HeldOutStatistics
from sknc.statistics.sample_measures import SampleMeasures

_OTHER_CENTERS = (
    "Samples of a PartialScore were measured about other centers. Merge the analyzers "
    "of all workers first, and let each worker call partial_score on the merged one."
)
_OTHER_HEAD = (
    "Samples of a PartialScore were scored with another head. Use the same head in all "
    "workers, and do not train it before report_of."
)
_OTHER_CONVENTION = (
    "Samples of a PartialScore were scored in another convention. Use the same "
    "convention in all workers."
)
_OTHER_METRICS = (
    "Samples of a PartialScore were scored for other metrics. Use the same metrics in "
    "all workers."
)


@dataclass(frozen=True, eq=False)
class GroupSums:
    """An `EvaluationResult` without the centers, which every worker has."""

    samples: ClassStatistics
    energies: Array | None  # (K,), of `Projection`
    decisions: Decisions | None
    measures: SampleMeasures | None

    @classmethod
    def of(cls, result: EvaluationResult) -> "GroupSums | None":
        """Return the sums of a result, or None if it has no samples."""
        if result.empty:
            return None
        projection = result.held_out.projection
        energies = None if projection is None else projection.energies
        samples = result.held_out.samples
        return cls(samples, energies, result.decisions, result.measures)

    def about(self, own: EvaluationResult) -> EvaluationResult:
        """Return the result about the centers of another result."""
        projection = own.held_out.projection
        if projection is not None:
            assert self.energies is not None
            projection = replace(projection, energies=self.energies)
        held_out = HeldOutStatistics(own.held_out.centers, self.samples, projection)
        return EvaluationResult(held_out, self.decisions, self.measures)


@dataclass(frozen=True, eq=False)
class PartialScore:
    """
    The result of one worker's samples about the fitted centers.

    Created by `NeuralCollapseAnalyzer.partial_score`, merged with those of other
    workers, and turned into a report by `NeuralCollapseAnalyzer.report_of`. It holds
    sums, not samples, and can be pickled and sent. Metrics of single samples, which
    ``metrics="all"`` includes, add about 40 bytes per sample.

    Parameters
    ----------
    n_rows : int
        Number of samples, including those with weight zero.
    centers : str
        Digest of the centers about which the samples were measured.
    groups : tuple of GroupSums or None
        One for each group of the jackknife, or one for all; None without samples.
    head : str or None
        Digest of the head used for scoring; None without a head.
    convention : str
        The convention used for scoring.
    needs : frozenset of str
        The inputs of the requested metrics.

    See Also
    --------
    NeuralCollapseAnalyzer.partial_score : Creates it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknc import NeuralCollapseAnalyzer
    >>> X, y = load_iris(return_X_y=True)
    >>> analyzer = NeuralCollapseAnalyzer().fit(X, y)
    >>> odd = analyzer.partial_score([(X[1::2], y[1::2])])
    >>> even = analyzer.partial_score([(X[::2], y[::2])])
    >>> odd.merge(even).n_rows
    150
    """

    n_rows: int
    centers: str
    groups: tuple[GroupSums | None, ...]
    head: str | None
    convention: str
    needs: frozenset[str]

    def merge(self, other: "PartialScore") -> "PartialScore":
        """
        Return the merged results; neither input changes.

        Parameters
        ----------
        other : PartialScore
            Of other samples about the same centers.

        Returns
        -------
        PartialScore
            The result of both.

        Raises
        ------
        TypeError
            If `other` is another object.
        ValueError
            If the centers, the numbers of groups, the heads, the conventions or the
            metrics differ.
        """
        if not isinstance(other, PartialScore):
            msg = f"merge expected a PartialScore, got {shown(other)}."
            raise TypeError(msg)
        self._check_alike(other)
        if self.needs != other.needs:
            raise ValueError(_OTHER_METRICS)
        groups = tuple(map(_merged, self.groups, other.groups))
        return replace(self, n_rows=self.n_rows + other.n_rows, groups=groups)

    def _check_alike(self, other: "PartialScore") -> None:
        """Raise if centers, heads or conventions differ."""
        if (self.centers, len(self.groups)) != (other.centers, len(other.groups)):
            raise ValueError(_OTHER_CENTERS)
        if self.head != other.head:
            raise ValueError(_OTHER_HEAD)
        if self.convention != other.convention:
            raise ValueError(_OTHER_CONVENTION)


def _merged(mine: GroupSums | None, other: GroupSums | None) -> GroupSums | None:
    if mine is None or other is None:
        return other if mine is None else mine
    energies, decisions, measures = mine.energies, mine.decisions, mine.measures
    if energies is not None and other.energies is not None:
        energies = energies + other.energies
    if decisions is not None and other.decisions is not None:
        decisions = decisions.merge(other.decisions)
    if measures is not None and other.measures is not None:
        measures = SampleMeasures.joined([measures, other.measures])
    return GroupSums(mine.samples.merge(other.samples), energies, decisions, measures)


def _digest(centers: ClassStatistics) -> str:
    """Return a text that differs between the centers of different samples."""
    found = hashlib.blake2b(repr(centers.classes.tolist()).encode(), digest_size=16)
    for array in (centers.moments.counts, centers.moments.anchors):
        found.update(np.ascontiguousarray(arrays.to_numpy(array)).data)
    return found.hexdigest()


def partial_score_of(second_pass: SecondPass) -> PartialScore:
    """Return the result of a second pass, by group."""
    results = second_pass.results()
    return PartialScore(
        n_rows=second_pass.n_rows,
        centers=_digest(results[0].held_out.centers),
        groups=tuple(map(GroupSums.of, results)),
        head=second_pass.head_digest,
        convention=repr(second_pass.convention),
        needs=second_pass.needs,
    )


def results_about(
    second_pass: SecondPass, score: PartialScore
) -> list[EvaluationResult]:
    """Return the results of a score by group, about the centers of an empty pass."""
    own = partial_score_of(second_pass)
    own._check_alike(score)
    if not own.needs <= score.needs:  # other measurements are ignored
        raise ValueError(_OTHER_METRICS)
    return [
        mine if group is None else group.about(mine)
        for group, mine in zip(score.groups, second_pass.results(), strict=True)
    ]


def merged_scores(scores: Iterable[PartialScore]) -> PartialScore:
    """Merge the scores of all workers; at least one must have samples."""
    found = check_iterable("scores", scores, "an iterable of PartialScore")
    for score in found:
        if not isinstance(score, PartialScore):
            msg = f"report_of expected results of partial_score, got {shown(score)}."
            raise TypeError(msg)
    if not any(score.n_rows for score in found):
        msg = "report_of got scores without samples: expected at least one sample."
        raise ValueError(msg)
    whole: PartialScore = merge_all(found)
    return whole
