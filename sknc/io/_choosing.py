"""Which array of a file holds the features, and which the labels."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from sknc.io._formats import StoredArray, arrays_in

FEATURE_NAMES = ("features", "X", "x", "embeddings")
LABEL_NAMES = ("labels", "label", "y", "targets", "target")


def features_of(path: Path, key: str | None) -> StoredArray:
    """
    Return the features of a file: a real array with two axes.

    Without a key, this is the only array with two axes, or the only one with a usual
    name.
    """
    arrays = arrays_in(path)
    if key is None:
        two_axes = [name for name, array in arrays.items() if len(array.shape) == 2]
        key = _only(path, arrays, two_axes or arrays, FEATURE_NAMES, "key")
    array = _named(path, arrays, key, "key")
    what = _what("features", path, key)
    _check_axes(what, array, 2, "a row for each sample", _AXES.get(len(array.shape)))
    if array.dtype.hasobject:
        raise holds_objects(what, "X.astype(np.float32)")
    if array.dtype.kind not in "biuf":
        msg = f"{what} must be real numbers, got {array.dtype}."
        raise ValueError(msg)
    return array


_AXES = {
    1: "Pass labels as labels=. If a folder has both, name the feature files, as in "
    "'folder/features*.npy'.",
    3: "Stack the samples: X.reshape(-1, X.shape[-1]), with one label per row.",
    4: "Pool or flatten maps first: X.mean(axis=(2, 3)) or X.reshape(len(X), -1).",
}


def labels_of(path: Path, key: str | None, *, beside: bool) -> StoredArray | None:
    """
    Return the labels of a file, with one axis, or None if a feature file has none.

    Without a key, these are the labels with a usual name or, in a label file, the only
    array.
    """
    arrays = arrays_in(path)
    if key is None:
        usual = [name for name in LABEL_NAMES if name in arrays]
        if beside and not usual:
            return None
        one_axis = [name for name, array in arrays.items() if len(array.shape) == 1]
        among = usual if beside else one_axis or arrays
        key = _only(path, arrays, among, LABEL_NAMES, "label_key")
    array = _named(path, arrays, key, "label_key")
    what = _what("labels", path, key)
    _check_axes(what, array, 1, "one label for each row", "y.ravel() or y.argmax(1).")
    check_readable_labels(what, array.dtype)
    return array


def check_readable_labels(what: str, dtype: np.dtype) -> None:
    """Raise if the labels in a file are Python objects or bytes."""
    if dtype.hasobject:
        raise holds_objects(what, "y.astype(str)")
    if dtype.kind == "S":
        msg = f"{what} are bytes, expected numbers or text. Save y.astype(str) instead."
        raise ValueError(msg)


def _only(
    path: Path,
    arrays: dict[str, StoredArray],
    among: Collection[str],
    usual: tuple[str, ...],
    parameter: str,
) -> str:
    """Return the only name, or the only usual one."""
    names = [*among] if len(among) == 1 else [n for n in usual if n in among]
    if len(names) == 1:
        return names[0]
    found = f"several arrays, {_listed(arrays)}" if arrays else "no arrays"
    example = next(iter(names or among), "features")
    msg = f"{path} has {found}. Name the one to read, as in {parameter}={example!r}."
    raise ValueError(msg)


def _named(
    path: Path, arrays: dict[str, StoredArray], key: str, parameter: str
) -> StoredArray:
    if key in arrays:
        return arrays[key]
    if set(arrays) == {""}:  # a format without names
        return arrays[""]
    msg = f"{path} has no array {parameter}={key!r}, but {_listed(arrays)}."
    raise ValueError(msg)


def _listed(arrays: dict[str, StoredArray], at_most: int = 8) -> str:
    """Return the names of arrays with their shapes."""
    names = [f"{name!r} {array.shape}" for name, array in arrays.items()]
    more = [f"{len(names) - at_most} more"] if len(names) > at_most else []
    return ", ".join([*names[:at_most], *more])


def _what(kind: str, path: Path, key: str) -> str:
    return f"The {kind} in {path} ({key!r})" if key else f"The {kind} in {path}"


def _check_axes(
    what: str, array: StoredArray, n_axes: int, expected: str, remedy: str | None
) -> None:
    if len(array.shape) != n_axes:
        axes = "two axes" if n_axes == 2 else "one axis"
        msg = f"{what} must have {axes}, {expected}; got shape {array.shape}."
        raise ValueError(f"{msg} {remedy}" if remedy else msg)


def holds_objects(what: str, remedy: str) -> ValueError:
    """Return the error for an array of Python objects in a file."""
    msg = (
        f"{what} are Python objects, which are not loaded because doing so could run "
        f"code. Save {remedy} instead."
    )
    return ValueError(msg)
