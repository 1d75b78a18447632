"""The second pass: samples about fitted centers, and decisions on them."""

from typing import Any

from sknc import _array
from sknc._accumulator import Accumulator
from sknc._array import Array, namespace
from sknc._labels import ClassIndex
from sknc._stream import add_batch, check_same_place
from sknc._validation import Batch
from sknc.convention import Convention
from sknc.decisions import Decisions, decide_all, head_rule, nearest_center_rule
from sknc.head import LinearHead
from sknc.held_out import HeldOutStatistics, Projection
from sknc.metrics._geometry import spectrum, spectrum_key
from sknc.statistics import ClassStatistics


class Evaluation:
    """
    Accumulates batches about the centers of fitted statistics.

    Parameters
    ----------
    statistics : ClassStatistics
        Fitted statistics, of all classes.
    head : LinearHead or None
        One row for each of all classes.
    convention : Convention
        Choices that the projection depends on.
    keys : set of str
        Metrics that will be asked for, to leave out work for others.
    """

    def __init__(
        self,
        statistics: ClassStatistics,
        head: LinearHead | None,
        convention: Convention,
        keys: set[str],
    ) -> None:
        self._centers = statistics.observed_only()
        self._convention = convention
        self._index = ClassIndex.of(self._centers.classes, fixed=True)
        moments = self._centers.moments
        xp = namespace(moments.sums)
        self._all_rows = _array.move_like(statistics.observed, moments.sums, xp.int64)
        self._directions, projector, self._scale = None, None, 1.0
        if "nc1_pinv" in keys:
            self._directions, self._scale = self._projector()
            projector = xp.astype(self._directions, moments.anchors.dtype)
        self._accumulator = Accumulator(
            moments.anchors,
            self._centers.n_classes,
            moments=_emptied(moments),
            fixed_anchors=True,
            projector=projector,
        )
        self._dtype = ""
        self._decisions: Decisions | None = None
        self._nearest = self._head = None
        if keys & {"nc4_mismatch", "nc4_ncc_accuracy", "nc4_head_accuracy"}:
            self._nearest = nearest_center_rule(self._centers)
            if head is not None:
                self._head = head_rule(head, self._nearest.origin)

    def _projector(self) -> tuple[Array, float]:
        """Return directions over singular values, scaled to at most unit length."""
        found = spectrum(self._centers, self._convention)
        if not found.rank:
            return found.directions.T, 1.0
        least = found.values[-1]
        return (found.directions * (least / found.values)[:, None]).T, float(
            least
        ) ** -2

    def update(self, batch: Batch) -> None:
        """Add a batch, or raise and change nothing."""
        features = batch.features
        check_same_place(features, self._accumulator.like, "This batch")
        index = add_batch(self._accumulator, self._index, batch)
        self._dtype = _array.dtype_name(features)
        if self._nearest is not None:
            found = self._decide(features, index, batch.weights)
            held = self._decisions
            self._decisions = found if held is None else held.merge(found)

    def _decide(self, features: Array, index: Array, weights: Any) -> Decisions:
        assert self._nearest is not None
        rules = [self._nearest] if self._head is None else [self._nearest, self._head]
        found = decide_all(rules, features)
        nearest = self._all_rows[found[0]]
        chosen = None if self._head is None else found[1]
        xp = namespace(features)
        zeros = xp.zeros_like(self._centers.counts)
        return Decisions.count(
            zeros, index, self._all_rows[index], nearest, chosen, weights
        )

    def result(self) -> tuple[HeldOutStatistics, Decisions | None]:
        """Return what was accumulated."""
        if not self._dtype:
            msg = (
                "score_batches got an iterable without batches: expected at least one."
            )
            raise ValueError(msg)
        moments = self._accumulator.moments()
        samples = ClassStatistics(
            self._centers.classes, moments, self._accumulator.n_samples, self._dtype
        )
        projection = None
        if self._directions is not None:
            projection = Projection(
                self._directions,
                self._accumulator.energies,
                self._scale,
                spectrum_key(self._convention),
            )
        return HeldOutStatistics(self._centers, samples, projection), self._decisions


def _emptied(moments: Any) -> Any:
    """Return moments about the same anchors, of no samples."""
    xp = namespace(moments.sums)
    return type(moments)(
        counts=xp.zeros_like(moments.counts),
        anchors=moments.anchors,
        sums=xp.zeros_like(moments.sums),
        squares=xp.zeros_like(moments.squares),
        scatter=None,
    )
