"""Weights, bias and class labels of whatever can be a head."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._heads import modules
from sknc._numeric import numeric_part


@dataclass(frozen=True, eq=False)
class Outline:
    """
    What can be told of a head without its numbers.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights, of two axes where they are of one.
    n_biases : int, or None
        Number of entries of the bias; None without a bias.
    classes : array-like of shape (K,), or None
        Labels of the rows, if they have any.
    """

    shape: tuple[int, ...]
    n_biases: int | None
    classes: Any = None


@dataclass(frozen=True, eq=False)
class Parts:
    """
    Weights, bias and class labels of a head, in the library that they come in.

    Parameters
    ----------
    weights : array-like
        Of shape (K, D) if they fit.
    bias : array-like, or None
        None for a head without bias.
    classes : array-like of shape (K,), or None
        Labels of the rows, if they have any.
    """

    weights: Any
    bias: Any = None
    classes: Any = None

    @property
    def outline(self) -> Outline:
        """Shape and labels."""
        shape = _shape_of(self.weights)
        shape = (1, *shape) if len(shape) == 1 else shape
        n_biases = None if self.bias is None else int(np.prod(_shape_of(self.bias)))
        return Outline(shape, n_biases, self.classes)


def parts_of(head: Any, n_features: int) -> Parts:
    """Take a head of so many features apart."""
    if modules.is_module(head):
        layer = modules.layer_parts(head)
        return Parts(*(layer or modules.affine_parts(head, n_features)))
    return _stored_parts(head)


def outline_of(head: Any, n_features: int) -> Outline:
    """Return what can be told of a head of so many features without its numbers."""
    if modules.is_module(head) and not modules.layer_parts(head):
        n_rows = modules.check_affine(head, n_features)
        return Outline((n_rows, n_features), None)
    return parts_of(head, n_features).outline


def check_head_kind(head: Any) -> None:
    """Refuse what has no weights of a linear classifier."""
    if modules.is_module(head):
        modules.check_kind(head)
    else:
        _stored_parts(head)


def classes_of_head(head: Any) -> Any:
    """Return the ``classes_`` of a head, or None if its rows have no labels."""
    if head is None or modules.is_module(head):
        return None
    return _stored_parts(head).classes


def is_head(candidate: Any) -> bool:
    """Whether something can only be a head, and neither features nor labels."""
    if isinstance(candidate, tuple):
        return len(candidate) == 2 and np.ndim(candidate[0]) == 2
    return modules.is_module(candidate) or hasattr(candidate, "coef_")


def _stored_parts(head: Any) -> Parts:
    """Take apart what holds its weights as numbers."""
    if hasattr(head, "coef_"):
        intercept = getattr(head, "intercept_", None)
        return _numeric_parts(head.coef_, intercept, getattr(head, "classes_", None))
    if isinstance(head, (tuple, list)) and len(head) == 2 and np.ndim(head[0]) == 2:
        return _numeric_parts(*head)
    if getattr(head, "shape", ()):
        return _numeric_parts(head)
    msg = (
        "head must be a torch.nn.Linear, a fitted scikit-learn linear classifier, "
        f"(weights, bias) or weights, got {type(head).__name__}.{_hint(head)}"
    )
    raise TypeError(msg)


def _numeric_parts(weights: Any, bias: Any = None, classes: Any = None) -> Parts:
    weights = numeric_part("weights", modules.plain(weights))
    if bias is not None:
        bias = numeric_part("bias", modules.plain(bias))
    return Parts(weights, bias, classes)


def _hint(head: Any) -> str:
    """Return what to do about something that is no head, with a space before."""
    if isinstance(head, type):
        return " Pass an object of it."
    return " Fit it first." if hasattr(head, "fit") else ""


def _shape_of(values: Any) -> tuple[int, ...]:
    return tuple(values.shape) if hasattr(values, "shape") else np.shape(values)
