"""Read state files of all estimators."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from sknc._utils.arrays import Array
from sknc._utils.places import copier_to
from sknc.estimators._fitting.groups import stream_of_held
from sknc.estimators._stored.state_file import StoredState, read_state
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.classifier import NearestClassCenter

_Estimator: TypeAlias = NeuralCollapseAnalyzer | NearestClassCenter
_KINDS = {kind.__name__: kind for kind in (NeuralCollapseAnalyzer, NearestClassCenter)}


def load(path: Any, *, place: Any = None) -> _Estimator:
    """
    Read an estimator from a file of `save`, without running code from the file.

    Parameters
    ----------
    path : str, path-like, or binary file
        The file, or an object open for reading.
    place : str or torch.device, default=None
        Where to put its sums, as in `NeuralCollapseAnalyzer.to`. By default their
        original library on the CPU: NumPy arrays, or tensors if torch is installed.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        With the same numbers and parameters, to the last bit. The head is restored as
        its weights and labels; replace it with ``loaded.set_params(head=layer)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a state file, is damaged, or was written by a later version
        of sknc.

    See Also
    --------
    NeuralCollapseAnalyzer.save : Writes the file.

    Examples
    --------
    >>> import io, sknc
    >>> from sklearn.datasets import load_iris
    >>> model = sknc.NearestClassCenter().fit(*load_iris(return_X_y=True))
    >>> file = io.BytesIO()
    >>> model.save(file)
    >>> sknc.load(file).predict([[5.0, 3.4, 1.5, 0.2]])
    array([0])
    """
    return load_with_notes(path, place=place)[0]


def load_with_notes(
    path: Any, *, place: Any = None
) -> tuple[_Estimator, dict[str, Any]]:
    """Read an estimator and the notes of its writer."""
    if hasattr(path, "read"):
        name = str(getattr(path, "name", "The file"))
        state = read_state(_seekable(path), name)
    else:
        name, source = str(path), Path(path)
        if source.is_dir():
            msg = (
                f"{name} is a folder. Name a file in it that was written by save(path)."
            )
            raise IsADirectoryError(msg)
        if not source.exists():
            msg = f"There is no file {name}. Name a file written by save(path)."
            raise FileNotFoundError(msg)
        with source.open("rb") as file:
            state = read_state(file, name)
    return _estimator(state, name, place), state.notes


def _seekable(file: Any) -> BinaryIO:
    """Return a file, or the content of a pipe in memory."""
    seekable: BinaryIO = file if file.seekable() else io.BytesIO(file.read())
    return seekable


def _estimator(state: StoredState, name: str, place: Any) -> _Estimator:
    """Return the estimator of a state."""
    moved = _mover(place, state.library)
    groups = [None if group is None else group.map(moved) for group in state.groups]
    try:
        estimator = _KINDS[state.estimator](**state.parameters)
        estimator._check_parameters()
        stream = stream_of_held(
            groups, state.n_groups, covariance=estimator._keeps_scatter
        )
        estimator._resume(stream, state.n_features_in_, state)
    except (ValueError, TypeError, KeyError) as error:
        msg = (
            f"{name} has a {state.estimator[:40]!r} that this sknc cannot restore: "
            f"{error}. Create it again."
        )
        raise ValueError(msg) from error
    return estimator


def _mover(place: Any, library: str) -> Callable[[Array], Array]:
    """Return a function that moves NumPy arrays to a place."""
    if place is not None and str(place) != "cpu":
        return copier_to(place)
    if library != "torch":
        return _unmoved
    try:
        import torch
    except ImportError:
        return _unmoved  # NumPy arrays replace tensors if torch is missing
    return lambda array: torch.from_numpy(np.require(array, requirements="W"))


def _unmoved(array: Array) -> Array:
    return array  # no copy: nothing else uses the arrays that were read
