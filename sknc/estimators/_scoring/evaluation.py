"""The second pass: samples about fitted centers, and decisions on them."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc.convention import Convention
from sknc.estimators._fitting.stream import add_batch, check_same_place
from sknc.estimators._inputs.class_index import ClassIndex
from sknc.estimators._inputs.validation import Batch
from sknc.estimators._scoring.head_rule import head_rule
from sknc.estimators._scoring.sample_measurer import SampleMeasurer
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import spectrum, spectrum_key
from sknc.metrics._shared.range import statistics_out_of_range
from sknc.statistics._accumulation import Accumulator, State
from sknc.statistics._moments import Moments
from sknc.statistics.affine_rule import Decider
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.decisions import Decisions
from sknc.statistics.held_out import HeldOutStatistics, Projection
from sknc.statistics.nearest_center import nearest_center_rule
from sknc.statistics.sample_measures import SampleMeasures

# Inputs of metrics that are measured for single samples.
_OF_SAMPLES = {"energies", "ncc_margins", "cosine_margins", "directional"}


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """The result of one pass over samples; a commutative monoid for equal centers."""

    held_out: HeldOutStatistics
    decisions: Decisions | None
    measures: SampleMeasures | None

    @property
    def empty(self) -> bool:
        """Whether there was no batch."""
        return not self.held_out.input_dtype

    def merge(self, other: "EvaluationResult") -> "EvaluationResult":
        """Return the merged results; neither input changes."""
        decisions, measures = self.decisions, self.measures
        if decisions is not None and other.decisions is not None:
            decisions = decisions.merge(other.decisions)
        if measures is not None and other.measures is not None:
            measures = SampleMeasures.joined([measures, other.measures])
        return EvaluationResult(
            self.held_out.merge(other.held_out), decisions, measures
        )


class Evaluation:
    """
    Accumulates batches about the centers of fitted statistics.

    The head has one row for each class. Only the inputs of the requested metrics, in
    `needs`, are collected.
    """

    def __init__(
        self,
        statistics: ClassStatistics,
        head: LinearHead | None,
        convention: Convention,
        needs: set[str],
    ) -> None:
        self._centers = statistics.observed_only()
        self._convention = convention
        self._index = ClassIndex.of_fitted(self._centers.classes)
        moments = self._centers.moments
        xp = namespace(moments.sums)
        self._all_rows = arrays.move_like(statistics.observed, moments.sums, xp.int64)
        self._directions, projector, self._unit = None, None, 1.0
        if needs & {"within", "energies"}:
            self._directions, self._unit = self._projector()
            projector = xp.astype(self._directions, moments.anchors.dtype)
        empty = _emptied(moments, scatter="scatter" in needs)
        state = State.of(empty, projector=projector)
        self._accumulator = Accumulator(state, fixed_anchors=True)
        self._dtype = ""
        self._decisions: Decisions | None = None
        self._decider = None
        if needs & {"decisions", "head_decisions"}:
            rules = [nearest_center_rule(self._centers)]
            if head is not None:
                rules.append(head_rule(head, rules[0]))
            self._decider = Decider(rules)
        # If squares of features overflow no value is right, and notes say so.
        fits = statistics_out_of_range(self._centers) is None
        self._overflow: Literal["ignore"] | None = None if fits else "ignore"
        self._measures: list[SampleMeasures] = []
        self._meter = None
        if needs & _OF_SAMPLES:
            rows = None if head is None else head.rows(self._all_rows)
            self._meter = SampleMeasurer(
                self._centers,
                rows,
                self._directions,
                self._unit,
                frozenset(needs),
                convention,
            )

    def _projector(self) -> tuple[Array, float]:
        """Return directions over singular values, and the unit of these values."""
        found = spectrum(self._centers, self._convention)
        if not found.rank:
            return found.directions.T, 1.0
        least = found.values[-1]
        scaled = found.directions * (least / found.values)[:, None]
        return scaled.T, float(least)

    def update(self, batch: Batch) -> None:
        """Add a batch, or raise and change nothing."""
        features = batch.features
        check_same_place(features, self._accumulator.like, "This batch")
        index = add_batch(self._accumulator, self._index, batch)
        self._dtype = arrays.dtype_name(features)
        correct = None
        if self._decider is not None:
            found, correct = self._decide(features, index, batch.weights)
            held = self._decisions
            self._decisions = found if held is None else held.merge(found)
        if self._meter is not None:
            with np.errstate(over=self._overflow, invalid=self._overflow):
                self._measures.append(
                    self._meter.measure(features, index, batch.weights, correct)
                )

    def _decide(
        self, features: Array, index: Array, weights: Any
    ) -> tuple[Decisions, Array | None]:
        """Count decisions, and return for each sample whether the head is right."""
        assert self._decider is not None
        found = self._decider.decide(features)
        nearest = self._all_rows[found[0]]
        chosen = found[1] if len(found) > 1 else None
        xp = namespace(features)
        zeros = xp.zeros_like(self._centers.counts)
        truth = self._all_rows[index]
        counts = Decisions.count(zeros, index, truth, nearest, chosen, weights)
        return counts, None if chosen is None else chosen == truth

    def result(self) -> "EvaluationResult":
        """Return the accumulated result."""
        moments = self._accumulator.moments()
        samples = ClassStatistics(
            self._centers.classes, moments, self._accumulator.n_samples, self._dtype
        )
        projection = None
        if self._directions is not None:
            projection = Projection(
                self._directions,
                self._accumulator.energies,
                self._unit,
                spectrum_key(self._convention),
            )
        held_out = HeldOutStatistics(self._centers, samples, projection)
        measures = SampleMeasures.joined(self._measures) if self._measures else None
        return EvaluationResult(held_out, self._decisions, measures)


def _emptied(moments: Moments, *, scatter: bool) -> Moments:
    """Return empty moments with the same anchors."""
    kept = moments if scatter else moments.without_scatter()
    zeros = kept.map_all(namespace(moments.sums).zeros_like)
    return replace(zeros, anchors=moments.anchors)
