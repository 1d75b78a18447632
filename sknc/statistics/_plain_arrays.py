"""Convert class statistics to named NumPy arrays, and back."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.cached import Cached
from sknc._utils.parameters import is_integer, shown
from sknc._utils.places import copier_to
from sknc.statistics._moments import Moments
from sknc.statistics._plain_scatters import (
    SCATTER_NAMES,
    arrays_of_scatters,
    packed,
    scatters_of_arrays,
    unpacked,
)
from sknc.statistics.class_scatters import ClassScatters

_KINDS = "biufUSMm"
_DTYPES = {
    "counts": ("int64", "float64"),
    "anchors": ("float32", "float64"),
    "sums": ("float64",),
    "squares": ("float64",),
    "scatter": ("float64",),
}
_INPUT_DTYPES = ("float16", "bfloat16", "float32", "float64")


class PlainArrays(Cached):
    """Conversions of `ClassStatistics` for other programs and devices."""

    classes: np.ndarray
    moments: Moments
    n_samples: int
    input_dtype: str
    class_scatters: ClassScatters | None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """
        Return copies of all numbers as NumPy arrays, for a file or another process.

        Returns
        -------
        dict of str to ndarray
            "classes" (K,), "counts" (K,), "anchors" (K, D), "sums" (K, D), "squares"
            (K,), "n_samples" () and "input_dtype" (), a string. With the scatter also
            "scatter", its upper triangle row by row, (D (D + 1) / 2,). With the
            scatters of classes also arrays that begin with "class_scatter".
            docs/design.md explains their meaning. No array holds objects, so
            ``np.savez(path, **arrays)`` does not pickle.

        See Also
        --------
        NeuralCollapseAnalyzer.save : A file with a checksum, including parameters.

        Examples
        --------
        >>> import numpy as np
        >>> from sknc import ClassStatistics
        >>> X, y = np.array([[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]]), np.array([0, 0, 1])
        >>> found = ClassStatistics.from_samples(X, y).to_arrays()
        >>> found["counts"], found["scatter"].shape
        (array([2, 1]), (3,))
        >>> ClassStatistics.from_arrays(found).class_means
        array([[2., 1.],
               [0., 5.]])
        """
        moments = self.moments
        found = {"classes": np.array(self.classes)}
        for name in ("counts", "anchors", "sums", "squares"):
            found[name] = np.array(arrays.to_numpy(getattr(moments, name)), order="C")
        if moments.scatter is not None:
            found["scatter"] = packed(arrays.to_numpy(moments.scatter))
        if self.class_scatters is not None:
            found |= arrays_of_scatters(self.class_scatters, self.classes)
        found["n_samples"] = np.asarray(self.n_samples, np.int64)
        found["input_dtype"] = np.asarray(self.input_dtype)
        return found

    @classmethod
    def from_arrays(cls, found: Mapping[str, Any]) -> Self:
        """
        Return the statistics from the arrays of `to_arrays`.

        Parameters
        ----------
        found : mapping of str to ndarray
            The result of `to_arrays`, or a file opened by ``np.load``. Other names are
            ignored.

        Returns
        -------
        ClassStatistics
            The same bits, in NumPy; `to` moves them to a device.

        Raises
        ------
        ValueError
            If an array is missing, or shapes, dtypes or numbers are inconsistent.
        """
        names = ("classes", *_DTYPES, "n_samples", "input_dtype")
        by_class = SCATTER_NAMES if SCATTER_NAMES[0] in found else ()
        names += by_class
        held = {name: np.asarray(found[name]) for name in names if name in found}
        missing = [name for name in names if name not in held and name != "scatter"]
        if missing:
            _refuse(f"all arrays that to_arrays returns, got none named {missing}")
        _check_arrays(held)
        n_features = held["anchors"].shape[1]
        scatter = unpacked(held["scatter"], n_features) if "scatter" in held else None
        counts, anchors, sums, squares = (
            np.array(held[n]) for n in ("counts", "anchors", "sums", "squares")
        )
        return cls(  # type: ignore[call-arg]
            np.array(held["classes"]),
            Moments(counts, anchors, sums, squares, scatter),
            int(held["n_samples"]),
            str(held["input_dtype"]),
            scatters_of_arrays(held, held["classes"], n_features) if by_class else None,
        )

    def to(self, place: Any) -> Self:
        """
        Return a copy of the statistics on another device, with the same numbers.

        Parameters
        ----------
        place : str or torch.device
            "numpy"; "cpu", which keeps tensors as tensors; or another torch device.

        Returns
        -------
        ClassStatistics
            The copy.

        Raises
        ------
        ValueError
            If the place does not exist.
        """
        copied, scatters = copier_to(place), self.class_scatters
        return type(self)(  # type: ignore[call-arg]
            self.classes,
            self.moments.map_all(copied),
            self.n_samples,
            self.input_dtype,
            None if scatters is None else scatters.map(copied),
        )


# Checks ---------------------------------------------------------------------------


def _check_arrays(held: dict[str, np.ndarray]) -> None:
    """Raise for arrays that `to_arrays` cannot have returned."""
    for name, dtypes in _DTYPES.items():
        if name in held and str(held[name].dtype) not in dtypes:
            _refuse(f"{name!r} of {' or '.join(dtypes)}, got {held[name].dtype}")
    _check_shapes(held)
    _check_labels(held["classes"])
    counts, n_samples = held["counts"], held["n_samples"].tolist()
    if not is_integer(n_samples) or n_samples < 0:
        _refuse(f"'n_samples' of at least 0, got {shown(n_samples)}")
    if not np.all(counts >= 0):
        _refuse("'counts' of at least 0")
    if counts.dtype.kind == "i" and int(counts.sum()) != n_samples:
        _refuse(f"'counts' that sum to {n_samples}, got {int(counts.sum())}")
    if held["input_dtype"].tolist() not in _INPUT_DTYPES:
        named = " or ".join(_INPUT_DTYPES)
        _refuse(f"'input_dtype' {named}, got {shown(held['input_dtype'].tolist())}")


def _check_shapes(held: dict[str, np.ndarray]) -> None:
    shape = held["anchors"].shape
    if len(shape) != 2 or not shape[1]:
        _refuse(f"'anchors' of shape (n_classes, n_features), got {shape}")
    n_classes, n_features = shape
    triangle = (n_features * (n_features + 1) // 2,)
    wanted: dict[str, tuple[tuple[int, ...], ...]] = {
        "classes": ((n_classes,),),
        "counts": ((n_classes,),),
        "sums": (shape,),
        "squares": ((n_classes,),),
        "scatter": (triangle, (n_features, n_features)),
        "n_samples": ((),),
        "input_dtype": ((),),
    }
    for name, shapes in wanted.items():
        if name in held and held[name].shape not in shapes:
            expected = " or ".join(map(str, shapes))
            _refuse(f"{name!r} of shape {expected}, got {held[name].shape}")


def _check_labels(labels: Array) -> None:
    if labels.dtype.kind not in _KINDS:
        _refuse(f"'classes' of numbers, strings or times, got {labels.dtype}")
    if len(labels) > 1 and not np.all(labels[1:] > labels[:-1]):
        _refuse("'classes' that are sorted, each once")
    if labels.dtype.kind in "fMm" and np.any(labels != labels):
        _refuse("'classes' without NaN")


def _refuse(expected: str) -> None:
    msg = f"ClassStatistics.from_arrays expected {expected}."
    raise ValueError(msg)
