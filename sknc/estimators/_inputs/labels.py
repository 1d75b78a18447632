"""Check labels of samples, and lists of classes."""

import warnings
from typing import Any, NoReturn

import array_api_compat
import numpy as np
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, column_or_1d

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.parameters import shown
from sknc._utils.tensors import check_tensor

_COLUMN = (
    "A column-vector y was passed when a 1d array was expected. Please change the "
    "shape of y to (n_samples, ), for example using ravel()."
)
# Of pandas, which may not be installed.
_MISSING = ("NAType", "NaTType", "NoneType")


def check_labels(y: Any, n_samples: int, name: str) -> Array:
    """Return one label per sample: an integer tensor, or a NumPy array of any kind."""
    if y is None:
        msg = (
            f"{name} requires y to be passed, but the target y is None: expected one "
            "class label per sample."
        )
        raise ValueError(msg)
    if arrays.is_tensor(y):
        y = _tensor_labels(y)
    elif not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"):
        y = _host_labels(y)
    if y.shape[0] != n_samples:
        msg = (
            f"X and y have inconsistent numbers of samples: expected {n_samples} "
            f"labels, one for each row of X, got {y.shape[0]}."
        )
        raise ValueError(msg)
    return y


def _tensor_labels(y: Array) -> Array:
    """Return labels of a tensor; unsigned 64-bit integers on the host."""
    check_tensor("y", y)
    y = y.detach()
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(_COLUMN, DataConversionWarning, stacklevel=2)
        y = y[:, 0]
    if y.ndim != 1:
        raise _not_one_label(y, "dim")
    if y.is_floating_point() or y.is_complex():
        msg = (
            "y must be a 1-D tensor of integer class labels, got shape "
            f"{tuple(y.shape)} and {y.dtype}. Convert whole numbers with y.long()."
        )
        raise ValueError(msg)
    return arrays.to_numpy(y) if str(y.dtype) == "torch.uint64" else y


def _host_labels(y: Any) -> np.ndarray:
    """Return labels of any kind as a 1-D NumPy array."""
    if array_api_compat.is_array_api_obj(y):
        y = arrays.to_numpy(y)
    y = _without_mask(y)
    if isinstance(y, (list, tuple)) and len(y):
        # As objects, because NumPy would convert numbers next to strings to strings.
        strings = any(isinstance(label, str) for label in y)
        y = np.array(y, dtype=object) if strings else y
        y = np.asarray(y) if np.ndim(y[0]) else y
    shape: tuple[int, ...] = getattr(y, "shape", ())
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise _not_one_label(np.asarray(y), "axis")
    labels = plain_labels(column_or_1d(y, warn=True), "y")
    if labels.dtype.kind not in "iub":
        _check_kind_of_labels(labels)
    return labels


def _without_mask(y: Any) -> Any:
    """Return a column of nullable numbers in its plain dtype, if none is missing."""
    if hasattr(y, "iloc") and getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
        column = y.iloc[:, 0]
        found = _without_mask(column)
        return y if found is column else found[:, None]
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if dtype is None or dtype.kind not in "biuf" or y.isna().any():
        return y
    return y.to_numpy(dtype=dtype)


def _check_kind_of_labels(y: np.ndarray) -> None:
    """Raise if values are not class labels, partly in scikit-learn's words."""
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
    """Return the error for labels that are not 1-D."""
    shape = tuple(y.shape)
    host = arrays.to_numpy(y)
    # Fractions, and whole numbers that sum to one, are soft labels; others are labels.
    is_soft = y.ndim > 1 and (
        host.dtype.kind == "f"
        or (host.dtype.kind in "biu" and (host.sum(-1) == 1).all())
    )
    remedy = (
        f"Soft or one-hot labels are not classes: use y.argmax({axis}={y.ndim - 1})."
        if is_soft
        else "Flatten labels of sequences with y.reshape(-1), and their features with "
        "X.reshape(-1, X.shape[-1])."
    )
    return ValueError(
        f"y should be a 1d array with one class label per row of X, got shape {shape} "
        f"and {y.dtype}. {remedy}"
    )


def check_classes(classes: Any) -> np.ndarray:
    """Return the sorted unique labels of a ``classes`` argument."""
    classes = _without_mask(classes)
    # Lists as objects, because NumPy would convert numbers next to strings to strings.
    labels = (
        arrays.to_numpy(classes)
        if hasattr(classes, "dtype")
        else np.array(classes, dtype=object)
    )
    if labels.ndim != 1 or not len(labels):
        msg = (
            "classes must be a 1-D list of labels, got an array of shape "
            f"{labels.shape}."
        )
        raise ValueError(msg)
    labels = plain_labels(labels, "classes")
    found = np.unique(labels)
    if len(found) != len(labels):
        msg = f"classes has duplicates: {len(labels)} labels, {len(found)} unique."
        raise ValueError(msg)
    return found


def plain_labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Return labels in a dtype that sorts and compares fast, without missing ones."""
    if labels.dtype.kind in "OT":
        labels = _from_objects(labels.tolist(), name)
    kind = labels.dtype.kind
    if kind == "f" and np.isnan(labels).any():
        _refuse_missing(name, "NaN")
    if kind in "Mm" and np.isnat(labels).any():
        _refuse_missing(name, "NaT")
    if kind == "c":
        msg = f"Complex data not supported: {name} must be class labels."
        raise ValueError(msg)
    if kind == "V":
        fields = ", ".join(map(repr, labels.dtype.names or ()))
        msg = (
            f"{name} must be one label each, got records. Pass one of their fields, "
            f"such as {name}[...] of {fields}."
        )
        raise ValueError(msg)
    return labels


def _from_objects(labels: list[Any], name: str) -> np.ndarray:
    """Return objects as strings, numbers or dates."""
    for label in labels:
        is_nan = isinstance(label, float) and label != label
        if is_nan or type(label).__name__ in _MISSING:
            _refuse_missing(name, "NaN" if is_nan else shown(label))
    strings = {isinstance(label, str) for label in labels}
    if len(strings) > 1:
        msg = (
            f"{name} mixes strings with other labels: expected labels of one kind. "
            f"Convert them, for example with [str(label) for label in {name}]."
        )
        raise ValueError(msg)
    if strings == {True}:
        # For a member of an enumeration this is its value, as in comparisons.
        return np.asarray([str.__str__(label) for label in labels])
    try:
        found = np.asarray(labels)
    except ValueError:  # sequences of unequal length
        found = np.empty((0, 0))
    if found.ndim != 1 or found.dtype.kind == "O":
        msg = (
            f"{name} must contain strings, numbers or dates, got {shown(labels[0])}. "
            f"Convert them, for example with [str(label) for label in {name}]."
        )
        raise ValueError(msg)
    return found


def _refuse_missing(name: str, what: str) -> NoReturn:
    subject = "Input y" if name == "y" else name
    each = "of every sample: drop the other rows" if name == "y" else "of every class"
    msg = f"{subject} contains {what}. Expected a class label {each}."
    raise ValueError(msg)
