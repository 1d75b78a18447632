"""The linear head, as a frozen value."""

from dataclasses import dataclass
from typing import Any

from sknc._array import Array, move_like, namespace
from sknc._memo import Memo


@dataclass(frozen=True, eq=False)
class LinearHead(Memo):
    """
    Weights and bias of a linear classifier, one row a class.

    Parameters
    ----------
    weights : float64 array of shape (K, D)
        Row k belongs to the k-th of the sorted class labels.
    bias : float64 array of shape (K,), or None
        None for a head without bias.
    """

    weights: Array
    bias: Array | None

    def rows(self, index: Any) -> "LinearHead":
        """
        Return the head of some classes only.

        Parameters
        ----------
        index : int array of shape (R,)
            Rows to keep.

        Returns
        -------
        LinearHead
            The head of these rows.
        """
        xp = namespace(self.weights)
        index = move_like(index, self.weights, xp.int64)
        bias = None if self.bias is None else xp.take(self.bias, index, axis=0)
        return LinearHead(xp.take(self.weights, index, axis=0), bias)
