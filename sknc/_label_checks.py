"""Labels of samples and names of classes, checked."""

from typing import Any

import array_api_compat
import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from sknc import _array
from sknc._array import Array
from sknc._tensors import check_tensor


def check_labels(y: Any, n_samples: int, name: str) -> Array:
    """Return one label a sample: an integer tensor, or a NumPy array of any kind."""
    if y is None:
        msg = (
            f"{name} requires y to be passed, but the target y is None: expected one "
            "class label a sample."
        )
        raise ValueError(msg)
    if _array.is_tensor(y):
        check_tensor("y", y)
        y = y.detach()
        if y.ndim != 1:
            raise _not_one_label(y, "dim")
        if y.is_floating_point() or y.is_complex():
            msg = (
                "y must be a 1-D tensor of integer class labels, got shape "
                f"{tuple(y.shape)} and {y.dtype}: convert whole numbers with y.long()."
            )
            raise ValueError(msg)
    elif not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"):
        y = _host_labels(y)
    if y.shape[0] != n_samples:
        msg = (
            f"X and y have inconsistent numbers of samples: expected {n_samples} "
            "labels, "
            f"one a row of X, got {y.shape[0]}."
        )
        raise ValueError(msg)
    return y


def _host_labels(y: Any) -> np.ndarray:
    """Return labels of any kind as a NumPy array of one axis."""
    if array_api_compat.is_array_api_obj(y):
        y = _array.to_numpy(y)
    if isinstance(y, (list, tuple)) and y and np.ndim(y[0]):
        y = np.asarray(y)
    shape: tuple[int, ...] = getattr(y, "shape", ())
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise _not_one_label(np.asarray(y), "axis")
    if isinstance(y, np.ndarray) and y.dtype.kind == "T":
        y = y.astype(object)  # strings of any length, which few functions know
    labels: np.ndarray = column_or_1d(y, warn=True)
    if labels.dtype.kind == "O":
        labels = _plain_strings(labels)
    if labels.dtype.kind not in "iub":
        _check_kind_of_labels(labels)
    return labels


def _check_kind_of_labels(y: np.ndarray) -> None:
    """Refuse what are no class labels, in scikit-learn's words and some more."""
    try:
        assert_all_finite(y, input_name="y")
    except ValueError as error:
        msg = f"{error} Expected a class label of every sample: drop the other rows."
        raise ValueError(msg) from None
    try:
        check_classification_targets(y)
    except ValueError as error:
        what = str(error).partition(". ")[0]
        msg = (
            f"{what}. Expected class labels as y, not measurements: pass the labels, "
            "or bin the numbers first, for example with np.digitize."
        )
        raise ValueError(msg) from None


def _not_one_label(y: Array, axis: str) -> ValueError:
    """Return the error for labels that are not of one axis."""
    shape = tuple(y.shape)
    host = _array.to_numpy(y)
    # Fractions, and whole numbers that sum to one, are of classes; others are labels.
    is_soft = y.ndim > 1 and (
        host.dtype.kind == "f"
        or (host.dtype.kind in "biu" and (host.sum(-1) == 1).all())
    )
    remedy = (
        f"Soft or one-hot labels have no class: use y.argmax({axis}={y.ndim - 1})."
        if is_soft
        else "Flatten labels of sequences with y.reshape(-1), and their features with "
        "X.reshape(-1, X.shape[-1])."
    )
    return ValueError(
        f"y should be a 1d array of one class label a row of X, got shape {shape} and "
        f"{y.dtype}. {remedy}"
    )


def check_classes(classes: Any) -> np.ndarray:
    """Return the sorted distinct labels of a ``classes`` argument."""
    labels = np.asarray(
        _array.to_numpy(classes) if hasattr(classes, "dtype") else classes
    )
    if labels.dtype.kind == "O":
        labels = _plain_strings(labels.ravel()).reshape(labels.shape)
    if labels.ndim != 1 or not len(labels):
        msg = (
            "classes must be a 1-D list of labels, got an array of shape "
            f"{labels.shape}."
        )
        raise ValueError(msg)
    found = np.unique(labels)
    if len(found) != len(labels):
        msg = (
            f"classes holds a label twice: {len(labels)} labels, {len(found)} distinct."
        )
        raise ValueError(msg)
    return found


def _plain_strings(y: np.ndarray) -> np.ndarray:
    """Return object labels as strings or numbers that sort and compare fast."""
    kinds = {isinstance(label, str) for label in y}
    if len(kinds) > 1:
        msg = (
            "y mixes strings and other labels: expected labels of one kind. Convert "
            "them, for example with y.astype(str)."
        )
        raise ValueError(msg)
    return np.asarray(y.tolist()) if kinds else y
