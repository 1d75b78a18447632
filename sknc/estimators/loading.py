"""Reading the file of an estimator of any class."""

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
    Read an estimator that its `save` wrote; no code in the file is run.

    Parameters
    ----------
    path : str, path-like, or binary file
        The file, or what is open for reading.
    place : str or torch.device, default=None
        Where its sums are to lie, as in `NeuralCollapseAnalyzer.to`. By default where
        they were, but on the CPU: NumPy arrays, or tensors if torch is installed.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        With the numbers and parameters of the one that was saved, to the last bit. A
        head comes back as its weights and labels; replace it with
        ``loaded.set_params(head=layer)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is something else, is damaged, or was written by a later version of
        sknc.

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
    """Read an estimator, and what its writer wrote down beside it."""
    if hasattr(path, "read"):
        name = str(getattr(path, "name", "The file"))
        state = read_state(_seekable(path), name)
    else:
        name, source = str(path), Path(path)
        if source.is_dir():
            msg = f"{name} is a folder: name a file in it that save(path) wrote."
            raise IsADirectoryError(msg)
        if not source.exists():
            msg = f"There is no file {name}: name one that save(path) wrote."
            raise FileNotFoundError(msg)
        with source.open("rb") as file:
            state = read_state(file, name)
    return _estimator(state, name, place), state.notes


def _seekable(file: Any) -> BinaryIO:
    """Return a file, or in memory what comes through a pipe."""
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
            f"{name} holds a {state.estimator[:40]!r} that this sknc cannot make: "
            f"{error}. Make it again."
        )
        raise ValueError(msg) from error
    return estimator


def _mover(place: Any, library: str) -> Callable[[Array], Array]:
    """Return a function that brings arrays of NumPy to a place."""
    if place is not None and str(place) != "cpu":
        return copier_to(place)
    if library != "torch":
        return _unmoved
    try:
        import torch
    except ImportError:
        return _unmoved  # as good as tensors, where there can be none
    return lambda array: torch.from_numpy(np.require(array, requirements="W"))


def _unmoved(array: Array) -> Array:
    return array
