"""What one of several workers finds in the second pass, to be merged into a report."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.merge_tree import merge_all
from sknc._utils.parameters import check_iterable, shown
from sknc.estimators._scoring.evaluation import EvaluationResult
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import HeldOutStatistics
from sknc.statistics.sample_measures import SampleMeasures

_OTHER_CENTERS = (
    "Samples of a PartialScore were measured about other centers: merge the analyzers "
    "of all workers first, and let each worker call partial_score of the merged one."
)


@dataclass(frozen=True, eq=False)
class GroupSums:
    """An `EvaluationResult` without the centers, which every worker has already."""

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
    What one worker found of its samples about the fitted centers.

    Made by `NeuralCollapseAnalyzer.partial_score`, merged with those of other workers,
    and made into a report by `NeuralCollapseAnalyzer.report_of`. Holds sums, and no
    samples, so that it can be pickled and sent; metrics of single samples, which
    ``metrics="all"`` includes, add some 40 bytes a sample.

    Parameters
    ----------
    n_rows : int
        Number of samples, with those of weight zero.
    centers : str
        Digest of the centers that the samples were measured about.
    groups : tuple of GroupSums or None
        Of each group of the jackknife, or of all samples; None if it has none.

    See Also
    --------
    NeuralCollapseAnalyzer.partial_score : Makes it.

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

    def merge(self, other: "PartialScore") -> "PartialScore":
        """
        Return what both found; neither changes.

        Parameters
        ----------
        other : PartialScore
            Of other samples about the same centers.

        Returns
        -------
        PartialScore
            Of the samples of both.

        Raises
        ------
        TypeError
            If `other` is something else.
        ValueError
            If the centers, or the numbers of groups, differ.
        """
        if not isinstance(other, PartialScore):
            msg = f"merge expected a PartialScore, got {shown(other)}."
            raise TypeError(msg)
        if (self.centers, len(self.groups)) != (other.centers, len(other.groups)):
            raise ValueError(_OTHER_CENTERS)
        groups = tuple(map(_merged, self.groups, other.groups))
        return PartialScore(self.n_rows + other.n_rows, self.centers, groups)


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
    """Return what differs between the centers of different samples."""
    found = hashlib.blake2b(repr(centers.classes.tolist()).encode(), digest_size=16)
    for array in (centers.moments.counts, centers.moments.anchors):
        found.update(np.ascontiguousarray(arrays.to_numpy(array)).data)
    return found.hexdigest()


def partial_score_of(n_rows: int, results: Sequence[EvaluationResult]) -> PartialScore:
    """Return what a second pass found, by group."""
    centers = _digest(results[0].held_out.centers)
    return PartialScore(n_rows, centers, tuple(map(GroupSums.of, results)))


def results_about(
    own: Sequence[EvaluationResult], score: PartialScore
) -> list[EvaluationResult]:
    """Return the results of a score by group, about the centers of other results."""
    centers = _digest(own[0].held_out.centers)
    if (score.centers, len(score.groups)) != (centers, len(own)):
        raise ValueError(_OTHER_CENTERS)
    return [
        mine if group is None else group.about(mine)
        for group, mine in zip(score.groups, own, strict=True)
    ]


def merged_scores(scores: Iterable[PartialScore]) -> PartialScore:
    """Merge the scores of all workers; at least one has samples."""
    found = check_iterable("scores", scores, "an iterable of PartialScore")
    for score in found:
        if not isinstance(score, PartialScore):
            msg = (
                "report_of expected what partial_score of each worker returned, got "
                f"{shown(score)}."
            )
            raise TypeError(msg)
    if not any(score.n_rows for score in found):
        msg = "report_of got scores without samples: expected at least one sample."
        raise ValueError(msg)
    whole: PartialScore = merge_all(found)
    return whole
