"""Check regression heads against targets and features."""

from typing import Any

from sknc._utils.arrays import Array
from sknc.estimators._inputs.heads.checks import (
    TRANSPOSED,
    check_n_biases,
    parts_beside,
)
from sknc.estimators._inputs.heads.parts import Outline, outline_of, parts_of
from sknc.head import LinearHead


def check_regression_head(head: Any, n_targets: int, like: Array) -> LinearHead:
    """
    Return a head in float64, with a row for each target.

    It has the library and device of `like`, whose last axis has the number of features.
    """
    n_features = int(like.shape[-1])
    parts = parts_of(head, n_features)
    _check_outline(head, parts.outline, n_targets, n_features)
    return LinearHead(*parts_beside(parts, like))


def check_regression_head_shape(head: Any, n_targets: int, n_features: int) -> None:
    """Raise if a head does not fit, without reading its numbers."""
    _check_outline(head, outline_of(head, n_features), n_targets, n_features)


def _check_outline(head: Any, outline: Outline, n_targets: int, width: int) -> None:
    if outline.classes is not None:
        msg = (
            f"head must predict targets, got {type(head).__name__}, which is a "
            "classifier. Pass a linear regressor, or use NeuralCollapseAnalyzer."
        )
        raise TypeError(msg)
    if outline.shape != (n_targets, width):
        transposed = outline.shape == (width, n_targets)
        remedy = (
            TRANSPOSED
            if transposed
            else "Pass the layer that predicts these targets from these features."
        )
        msg = (
            f"The head has weights of shape {outline.shape}, but there are {n_targets} "
            f"targets of {width} features: expected ({n_targets}, {width}). {remedy}"
        )
        raise ValueError(msg)
    check_n_biases(outline)
