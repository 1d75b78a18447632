"""Rows that are added together."""

from dataclasses import dataclass

from sknc._array import Array


@dataclass(frozen=True, eq=False)
class Block:
    """
    Rows that are added together.

    Parameters
    ----------
    features : array of shape (B, D)
        Features.
    index : int array of shape (B,)
        Class of each row.
    weights : array of shape (B,), or None
        Sample weights.
    """

    features: Array
    index: Array
    weights: Array | None

    @property
    def n_rows(self) -> int:
        """Number of rows, B."""
        return int(self.features.shape[0])

    def part(self, rows: slice) -> "Block":
        """Return some of the rows, as views."""
        weights = None if self.weights is None else self.weights[rows]
        return Block(self.features[rows, :], self.index[rows], weights)
