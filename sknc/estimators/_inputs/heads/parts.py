"""Weights, bias and class labels of any object that can be a head."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sknc._utils.numeric import numeric_part
from sknc.estimators._inputs.heads import torch_modules
from sknc.head import LinearHead


@dataclass(frozen=True, eq=False)
class Outline:
    """The properties of a head without its numbers."""

    shape: tuple[int, ...]  # of the weights; 1-D weights count as one row
    n_biases: int | None  # number of entries of the bias, if there is one
    classes: Any = None  # labels of the rows, if there are any


@dataclass(frozen=True, eq=False)
class Parts:
    """Weights, bias and row labels of a head, in their original library."""

    weights: Any  # (K, D) if the head fits
    bias: Any = None
    classes: Any = None  # labels of the rows, if there are any

    @property
    def outline(self) -> Outline:
        """Shape and labels."""
        shape = _shape_of(self.weights)
        shape = (1, *shape) if len(shape) == 1 else shape
        n_biases = None if self.bias is None else int(np.prod(_shape_of(self.bias)))
        return Outline(shape, n_biases, self.classes)


def parts_of(head: Any, n_features: int) -> Parts:
    """Return the parts of a head for a number of features."""
    if torch_modules.is_module(head):
        layer = torch_modules.layer_parts(head)
        return Parts(*(layer or torch_modules.affine_parts(head, n_features)))
    return _stored_parts(head)


def outline_of(head: Any, n_features: int) -> Outline:
    """Return the outline of a head for a number of features, without its numbers."""
    if torch_modules.is_module(head) and not torch_modules.layer_parts(head):
        n_rows = torch_modules.check_affine(head, n_features)
        return Outline((n_rows, n_features), None)
    return parts_of(head, n_features).outline


def check_head_kind(head: Any) -> None:
    """Raise if an object has no weights of a linear classifier."""
    if torch_modules.is_module(head):
        torch_modules.check_kind(head)
    else:
        _stored_parts(head)


def classes_of_head(head: Any) -> Any:
    """Return the ``classes_`` of a head, or None if its rows have no labels."""
    if head is None or torch_modules.is_module(head):
        return None
    return _stored_parts(head).classes


def is_head(candidate: Any) -> bool:
    """Whether an object can only be a head, and neither features nor labels."""
    if isinstance(candidate, tuple):
        return _is_pair(candidate)
    return (
        torch_modules.is_module(candidate)
        or isinstance(candidate, LinearHead)
        or hasattr(candidate, "coef_")
    )


def _stored_parts(head: Any) -> Parts:
    """Return the parts of an object that stores its weights as numbers."""
    if isinstance(head, LinearHead):
        return Parts(head.weights, head.bias)
    if hasattr(head, "coef_"):
        _check_one_row_a_class(head)
        intercept = getattr(head, "intercept_", None)
        return _numeric_parts(head.coef_, intercept, getattr(head, "classes_", None))
    if _is_pair(head):
        return _numeric_parts(*head)
    if getattr(head, "shape", ()):
        return _numeric_parts(head)
    msg = (
        "head must be a torch.nn.Linear, a fitted scikit-learn linear classifier, a "
        f"LinearHead, (weights, bias) or weights, got {type(head).__name__}."
        f"{_hint(head)}"
    )
    raise TypeError(msg)


def _is_pair(head: Any) -> bool:
    """Whether an object is (weights, bias), and not two rows of weights."""
    if not isinstance(head, (tuple, list)) or len(head) != 2:
        return False
    with suppress(ValueError):  # rows of unequal length
        return np.ndim(head[0]) == 2
    return False


def _numeric_parts(weights: Any, bias: Any = None, classes: Any = None) -> Parts:
    weights = numeric_part("weights", torch_modules.plain(weights))
    if bias is not None:
        bias = numeric_part("bias", torch_modules.plain(bias))
    return Parts(weights, bias, classes)


def _check_one_row_a_class(classifier: Any) -> None:
    """Raise if rows separate pairs of three or more classes."""
    # Two classes have one row in either case; three have three.
    n_classes = len(getattr(classifier, "classes_", ()))  # regressors have none
    if hasattr(classifier, "support_vectors_") and n_classes > 2:
        msg = (
            f"{type(classifier).__name__} has a row of weights for each pair of "
            "classes: expected one for each class. Use sklearn.svm.LinearSVC."
        )
        raise TypeError(msg)


def _hint(head: Any) -> str:
    """Return a hint for an object that cannot be used as a head."""
    if isinstance(head, type):
        return " Pass an instance of it."
    if hasattr(head, "steps"):
        return (
            " Pass its last step, and the features that its other steps compute: "
            "head=pipe[-1] and X=pipe[:-1].transform(X)."
        )
    if not hasattr(head, "fit"):
        return ""
    if hasattr(head, "best_estimator_"):
        return " Pass its best_estimator_."
    try:
        check_is_fitted(head)
    except NotFittedError:
        return " Fit it first."
    return " It has no coef_, so it is not known to be linear in the features."


def _shape_of(values: Any) -> tuple[int, ...]:
    return tuple(values.shape) if hasattr(values, "shape") else np.shape(values)
