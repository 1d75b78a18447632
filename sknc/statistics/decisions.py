"""How often the nearest center and the head are right, and how often they disagree."""

from dataclasses import dataclass, fields

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace


@dataclass(frozen=True, eq=False)
class Decisions:
    """
    Weighted counts of decisions by true class; a commutative monoid.

    Parameters
    ----------
    counts : float64 array of shape (K,)
        Samples of each class, or sums of their weights.
    ncc_correct : float64 array of shape (K,)
        Samples that are nearest to the center of their own class.
    head_correct : float64 array of shape (K,), or None
        Samples that the head assigns to their own class.
    mismatched : float64 array of shape (K,), or None
        Samples on which the two disagree.
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
            Zeros, in the library and on the device for the counts.
        index : int array of shape (B,)
            Row of the counts for each sample.
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
            return arrays.add_at(xp.zeros_like(zeros), index, values)

        everything = where(truth == truth)
        correct = where(nearest == truth)
        if chosen is None:
            return cls(everything, correct)
        return cls(
            everything, correct, where(chosen == truth), where(chosen != nearest)
        )

    def merge(self, other: "Decisions") -> "Decisions":
        """Return the counts of both; neither input changes."""
        values = []
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            values.append(None if mine is None or theirs is None else mine + theirs)
        return Decisions(*values)
