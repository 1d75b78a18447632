"""Check that input is a real array before any library converts it."""

import os
from typing import Any, NoReturn

import array_api_compat
import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.parameters import refuse
from sknc._utils.tensors import check_tensor

# An array has one of these attributes. The types below are not arrays of rows.
_ATTRIBUTES = ("__array__", "__dlpack__", "shape", "columns", "__len__")
_NOT_ROWS = (type, dict, set, frozenset)
_TIMES = (
    "Convert them to numbers first, for example to days with (X - X.min()) / "
    "np.timedelta64(1, 'D')."
)
_TEXT = "Convert them with X.astype(float) if they are numbers, or encode them."
_COMPLEX = "Pass their parts side by side: np.hstack([X.real, X.imag])."
_REMEDIES = {"c": _COMPLEX, "m": _TIMES, "M": _TIMES, "S": _TEXT, "U": _TEXT}


def numeric_features(X: Any) -> Any:
    """Return features that may be real numbers; lists become an array."""
    _check_is_array(X)
    if isinstance(X, (list, tuple)):
        X = _array_of_rows(X)
    if np.ma.is_masked(X):
        msg = (
            "X must have a value everywhere, got masked values. Drop their rows: "
            "X[~X.mask.any(axis=1)], with their labels."
        )
        raise ValueError(msg)
    dtype = getattr(X, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in _REMEDIES:
        _refuse_dtype(dtype, dtype.kind)
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        X = _converted(X)
    if hasattr(X, "columns") and hasattr(X, "dtypes"):
        for column, dtype in zip(X.columns, X.dtypes, strict=True):
            temporal = getattr(dtype, "is_temporal", bool)()  # of polars
            if temporal or getattr(dtype, "kind", "") in ("m", "M"):
                _refuse_dtype(f"{dtype} in column {column!r}", "M")
    return X


def _array_of_rows(X: Any) -> np.ndarray:
    """Return nested lists as an array."""
    try:
        return np.asarray(X)
    except ValueError:
        refuse("X", "rows of equal length", X, "Pad or drop the others.")


def _converted(X: np.ndarray) -> np.ndarray:
    """Return objects as float64."""
    try:
        return X.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"X must be real numbers, got objects: {error}. {_TEXT}"
        raise type(error)(msg) from None


def _check_is_array(X: Any) -> None:
    """Raise for objects without rows, with a hint for files."""
    remedy = ""
    if isinstance(X, (str, bytes, os.PathLike)):
        remedy = "Load it first, for example with np.load(path, mmap_mode='r')."
    elif isinstance(X, np.lib.npyio.NpzFile):
        remedy = f"Pass one of its arrays, such as archive[{X.files[0]!r}]."
    elif not isinstance(X, _NOT_ROWS) and any(hasattr(X, a) for a in _ATTRIBUTES):
        return
    refuse("X", "an array of shape (n_samples, n_features)", X, remedy)


def _refuse_dtype(dtype: Any, kind: str) -> NoReturn:
    what = "Complex data not supported: X" if kind == "c" else "X"
    msg = f"{what} must be real numbers, got {dtype}. {_REMEDIES[kind]}"
    raise ValueError(msg)


def numeric_weights(sample_weight: Any) -> Any:
    """Return weights, as an array if they are a list; raise if they are not numbers."""
    found = _real_array(sample_weight)
    if found is None:
        remedy = ""
        if isinstance(sample_weight, (str, dict)):
            remedy = (
                "Compute them first, for example with "
                "sklearn.utils.class_weight.compute_sample_weight('balanced', y)."
            )
        refuse("sample_weight", "one real number per row of X", sample_weight, remedy)
    return found


def numeric_part(what: str, part: Any) -> Any:
    """Return weights or bias of a head as an array; raise if they are not numbers."""
    found = _real_array(part.toarray() if hasattr(part, "toarray") else part)
    if found is None:
        refuse(f"The head's {what}", "real numbers", part)
    return found


def _real_array(values: Any) -> Any:
    """Return a real array, a NumPy array for other types, or None."""
    is_array = array_api_compat.is_array_api_obj(values)
    if is_array and not array_api_compat.is_numpy_array(values):
        return None if "complex" in str(values.dtype) else values
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            texts = any(isinstance(x, (str, bytes)) for x in array.flat)
            array = array if texts else array.astype(np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def numeric_targets(y: Any, X: Array) -> Array:
    """Return finite float64 targets for the rows of X, (B, n), or raise."""
    if arrays.is_tensor(y):
        check_tensor("y", y)
    found = _real_array(y)
    if found is None:
        refuse("y", "real numbers, one row of targets per sample", y)
    xp, n_samples = arrays.namespace(X), int(X.shape[0])
    targets = arrays.move_like(found, X, xp.float64)
    if targets.ndim == 1:
        targets = targets[:, None]
    if targets.ndim != 2 or 0 in targets.shape:
        msg = (
            "y must be of shape (n_samples,) or (n_samples, n_targets), got "
            f"{tuple(targets.shape)}."
        )
        raise ValueError(msg)
    if targets.shape[0] != n_samples:
        msg = (
            f"X and y have inconsistent numbers of samples: expected {n_samples} rows "
            f"of targets, one for each row of X, got {targets.shape[0]}."
        )
        raise ValueError(msg)
    if not arrays.all_finite(targets):
        n_nan, n_infinite = arrays.count_not_finite(targets)
        msg = (
            f"y contains NaN or infinity: expected finite targets, got {n_nan} NaN and "
            f"{n_infinite} infinite values. Drop those samples."
        )
        raise ValueError(msg)
    return targets


def checked_samples(X: Any, labels: np.ndarray) -> Array:
    """Return finite features that match the labels, or raise."""
    X = X if arrays.is_tensor(X) else numeric_features(X)
    if X.ndim != 2 or labels.shape != tuple(X.shape[:1]):
        msg = (
            "X must be of shape (n_samples, n_features) and y of (n_samples,), got "
            f"{tuple(X.shape)} and {labels.shape}."
        )
        raise ValueError(msg)
    return _finite(X)


def checked_targets(X: Any, y: Any) -> tuple[Array, Array]:
    """Return finite features and matching float64 targets, or raise."""
    X = X if arrays.is_tensor(X) else numeric_features(X)
    if X.ndim != 2:
        msg = f"X must be of shape (n_samples, n_features), got shape {tuple(X.shape)}."
        raise ValueError(msg)
    return _finite(X), numeric_targets(y, X)


def _finite(X: Array) -> Array:
    """Return finite features, or raise."""
    if not arrays.all_finite(X):
        n_nan, n_infinite = arrays.count_not_finite(X)
        msg = f"X must be finite, got {n_nan} NaN and {n_infinite} infinite values."
        raise ValueError(msg)
    return X


def positive_weights(sample_weight: Any, X: Array) -> Array | None:
    """Return a positive float64 weight per row of X, or None; raise if invalid."""
    if sample_weight is None:
        return None
    xp = arrays.namespace(X)
    weights = arrays.move_like(numeric_weights(sample_weight), X, xp.float64)
    good = (weights > 0) & (weights < xp.inf)
    if weights.shape != X.shape[:1] or not bool(xp.all(good)):
        refuse("sample_weight", "one positive number per row of X", sample_weight)
    return weights
