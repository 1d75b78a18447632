"""The linear head, as a frozen value."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.cached import Cached
from sknc._utils.numeric import numeric_part
from sknc._utils.tensors import check_tensor


@dataclass(frozen=True, eq=False)
class LinearHead(Cached):
    """
    Weights and bias of a linear classifier, one row per class.

    Parameters
    ----------
    weights : array-like of shape (K, D)
        Row k belongs to the k-th of the sorted class labels. Stored as float64.
    bias : array-like of shape (K,), or None
        None for a head without bias.

    Raises
    ------
    ValueError
        If the arrays are not real, or have other shapes.
    """

    weights: Array
    bias: Array | None = None

    def __post_init__(self) -> None:
        """Check and convert the arrays."""
        weights = _wide("weights", self.weights)
        if weights.ndim != 2:
            msg = (
                "weights of a LinearHead must be of shape (n_classes, n_features), got "
                f"{tuple(weights.shape)}."
            )
            raise ValueError(msg)
        object.__setattr__(self, "weights", weights)
        if self.bias is None:
            return
        bias = _wide("bias", self.bias)
        if tuple(bias.shape) != (weights.shape[0],):
            msg = (
                f"bias of a LinearHead must be of shape ({weights.shape[0]},), one "
                f"entry per row of the weights, got {tuple(bias.shape)}."
            )
            raise ValueError(msg)
        object.__setattr__(self, "bias", arrays.move_like(bias, weights))

    @property
    def row_norms(self) -> Array:
        """Norms of the rows of the weights, float64, (K,)."""
        return namespace(self.weights).sqrt(arrays.row_squared_norms(self.weights))

    def beside(self, like: Array) -> "LinearHead":
        """
        Return the head in the array library and on the device of an array.

        Parameters
        ----------
        like : array
            An array in that library and on that device.

        Returns
        -------
        LinearHead
            The same object if it is already there.
        """
        if arrays.same_place(self.weights, like):
            return self
        bias = None if self.bias is None else arrays.move_like(self.bias, like)
        return LinearHead(arrays.move_like(self.weights, like), bias)

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
        bias = None if self.bias is None else arrays.take_rows(self.bias, index)
        return LinearHead(arrays.take_rows(self.weights, index), bias)


@dataclass(frozen=True, eq=False)
class LabeledHead:
    """
    Weights and labels of a head whose rows have their own order, like a classifier.

    Parameters
    ----------
    coef_ : ndarray of shape (K, D)
        Weights.
    intercept_ : ndarray of shape (K,), or None
        Bias.
    classes_ : ndarray of shape (K,)
        Label of each row.
    """

    coef_: np.ndarray
    intercept_: np.ndarray | None
    classes_: np.ndarray


def _wide(what: str, values: Array) -> Array:
    """Return real numbers as a float64 array without gradients."""
    if arrays.is_tensor(values):
        check_tensor(f"The head's {what}", values)
        values = values.detach()
    found = numeric_part(what, values)
    return namespace(found).astype(found, namespace(found).float64, copy=False)
