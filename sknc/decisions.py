"""Decisions of the nearest class center and of a linear head, block by block."""

from dataclasses import dataclass, field, fields

from sknc import _array
from sknc._array import Array, namespace
from sknc.head import LinearHead
from sknc.statistics import ClassStatistics

_SCORE_ELEMENTS = 1 << 21  # 8 MiB of float32 scores at once


@dataclass(frozen=True, eq=False)
class AffineRule:
    """
    Decides for the class of the greatest ``(x - origin) weights^T + offsets``.

    Both a linear head and the nearest center are of this form. Scores are taken in
    the precision of the features; where the two greatest are closer than rounding
    can tell, they are taken again in float64.

    Parameters
    ----------
    origin : float64 array of shape (D,)
        Subtracted first, so that a common offset of features costs no digits.
    weights : float64 array of shape (K, D)
        One row a class.
    offsets : float64 array of shape (K,)
        Added last.
    """

    origin: Array
    weights: Array
    offsets: Array
    _copies: dict[str, tuple[Array, ...]] = field(default_factory=dict, repr=False)

    def rows_at_once(self) -> int:
        """Return how many rows make a block of scores."""
        return max(16, _SCORE_ELEMENTS // int(self.weights.shape[0]))

    def decide(self, features: Array) -> Array:
        """Return the index of the chosen class of each row, (B,)."""
        xp = namespace(features)
        step = self.rows_at_once()
        parts = [
            self._decide_block(features[tile, :])
            for tile in _array.tiles(features.shape[0], step)
        ]
        return parts[0] if len(parts) == 1 else xp.concat(parts)

    def _decide_block(self, features: Array) -> Array:
        xp = namespace(features)
        dtype = _array.working_dtype(features)
        origin, weights, offsets = self._in(dtype)
        rows = xp.astype(features, dtype) - origin
        scores = rows @ weights.T
        scores += offsets
        best, lead = _array.argmax_and_gap(scores)
        if dtype == xp.float64:
            return best
        doubtful = xp.nonzero(lead <= self._rounding(rows))[0]
        if doubtful.shape[0]:
            exact = xp.astype(xp.take(features, doubtful, axis=0), xp.float64)
            best = _array.set_at(best, doubtful, self._decide_block(exact))
        return best

    def _in(self, dtype: object) -> tuple[Array, ...]:
        """Return origin, weights and offsets in a dtype."""
        xp = namespace(self.weights)
        if str(dtype) not in self._copies:
            # The rounded origin is what is subtracted, so offsets must allow for it.
            origin = xp.astype(self.origin, dtype)
            moved = xp.astype(origin, xp.float64) - self.origin
            offsets = self.offsets + self.weights @ moved
            self._copies[str(dtype)] = (
                origin,
                xp.astype(self.weights, dtype),
                xp.astype(offsets, dtype),
            )
        return self._copies[str(dtype)]

    def _rounding(self, rows: Array) -> Array:
        """Bound twice the error of a score in the precision of `rows`, (B,)."""
        xp = namespace(rows)
        _, weights, offsets = self._in(rows.dtype)
        longest = xp.sqrt(xp.max(_array.row_squared_norms(weights)))
        lengths = xp.sqrt(_array.row_squared_norms(rows))
        # Products sum in at least four lanes, so errors grow with D / 4 at most.
        factor = 2 * _array.unit_roundoff(rows) * (rows.shape[1] / 4 + 16)
        return factor * (lengths * longest + xp.max(xp.abs(offsets)))


def nearest_center_rule(statistics: ClassStatistics) -> AffineRule:
    """Return the rule that decides for the class with the nearest mean."""
    xp = namespace(statistics.moments.sums)
    equal = xp.ones_like(statistics.counts) / statistics.n_classes
    centers = statistics.centered_means(equal)
    offsets = -_array.row_squared_norms(centers) / 2
    return AffineRule(equal @ statistics.class_means, centers, offsets)


def head_rule(head: LinearHead, origin: Array) -> AffineRule:
    """Return the rule that decides for the greatest logit."""
    offsets = head.weights @ origin
    if head.bias is not None:
        offsets = offsets + head.bias
    return AffineRule(origin, head.weights, offsets)


@dataclass(frozen=True, eq=False)
class Decisions:
    """
    Weighted counts of decisions by true class; a commutative monoid.

    Parameters
    ----------
    counts : float64 array of shape (K,)
        Samples of each class, or sums of their weights.
    ncc_correct : float64 array of shape (K,)
        Those of them that are nearest to the center of their own class.
    head_correct : float64 array of shape (K,), or None
        Those that the head assigns to their own class.
    mismatched : float64 array of shape (K,), or None
        Those on which the two disagree.
    """

    counts: Array
    ncc_correct: Array
    head_correct: Array | None = None
    mismatched: Array | None = None

    @classmethod
    def count(
        cls,
        zeros: Array,
        index: Array,
        truth: Array,
        nearest: Array,
        chosen: Array | None,
        weights: Array | None,
    ) -> "Decisions":
        """
        Count the decisions on a batch.

        Parameters
        ----------
        zeros : float64 array of shape (K,)
            Zeros, where the counts are to lie.
        index : int array of shape (B,)
            Row of the counts that each sample belongs to.
        truth, nearest, chosen : int array of shape (B,)
            True class, nearest center, and the head's choice if there is a head.
        weights : array of shape (B,), or None
            Sample weights.

        Returns
        -------
        Decisions
            The counts.
        """
        xp = namespace(zeros)

        def where(mask: Array) -> Array:
            values = xp.astype(mask, xp.float64)
            if weights is not None:
                values = values * weights
            return _array.add_at(xp.zeros_like(zeros), index, values)

        everything = where(truth == truth)
        correct = where(nearest == truth)
        if chosen is None:
            return cls(everything, correct)
        return cls(everything, correct, where(chosen == truth), where(chosen != nearest))

    def merge(self, other: "Decisions") -> "Decisions":
        """Return the counts of both; neither input changes."""
        values = []
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            values.append(None if mine is None or theirs is None else mine + theirs)
        return Decisions(*values)
