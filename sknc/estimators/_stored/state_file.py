"""The file of a fitted estimator: a header, and the arrays of each group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sknc._utils import arrays
from sknc._utils.label_kinds import kind_of
from sknc._utils.parameters import is_integer
from sknc._utils.storage.container import read_container, write_container
from sknc._version import __version__
from sknc.estimators._fitting.groups import AnyStream, map_held
from sknc.estimators._fitting.stream import HeldStream
from sknc.estimators._stored.parameters import read_parameters, stored_parameters
from sknc.estimators._stored.sums import arrays_of_sums, sums_of_arrays

# Incremented when earlier versions cannot read the files of this one.
FORMAT_VERSION = 1
_NAMES = "feature_names"
_MOST_GROUPS = 1 << 16
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, eq=False)
class StoredState:
    """The content of an estimator's file."""

    estimator: str  # class name
    parameters: dict[str, Any]
    groups: list[HeldStream | None]  # state of each group of its stream, in NumPy
    n_groups: int  # number of jackknife groups, or zero
    library: str  # array library of the sums, such as "torch"
    n_features_in_: int
    feature_names_in_: np.ndarray | None
    notes: dict[str, Any]  # notes of the writer


# Writing --------------------------------------------------------------------------


def write_state(
    file: BinaryIO,
    estimator: str,
    parameters: dict[str, Any],
    stream: AnyStream,
    feature_names: np.ndarray | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """
    Write the fitted state; it is not changed, and buffered rows are not added.

    The file must be empty, seekable, and open for reading and writing. Notes are JSON
    data for the reader.
    """
    groups, n_groups = map_held(stream, arrays_of_sums_and_place)
    held = [group for group in groups if group is not None]
    (first, library, device), n_samples = held[0], 0
    found: dict[str, np.ndarray] = {}
    for number, group in enumerate(groups):
        if group is not None:
            found |= {f"{number}/{name}": array for name, array in group[0].items()}
            n_samples += int(group[0]["n_samples"]) + len(
                group[0].get("waiting_rows", ())
            )
    n_features = first["anchors"].shape[1]
    document, more = stored_parameters(parameters, n_features)
    found |= more
    if feature_names is not None:
        found[_NAMES] = feature_names.astype(np.str_)
    header = {
        "sknc_state": FORMAT_VERSION,
        "sknc_version": __version__,
        "estimator": estimator,
        "parameters": document,
        "n_samples": n_samples,
        "n_features": n_features,
        "input_dtype": first["input_dtype"].tolist(),
        "label_kind": kind_of(first["classes"]),
        "classes_fixed": stream.fixed,
        "n_groups": n_groups,
        "groups": [number for number, group in enumerate(groups) if group is not None],
        "library": library,
        "device": device,
        "notes": dict(notes or {}),
    }
    write_container(file, header, found)


def arrays_of_sums_and_place(held: HeldStream) -> tuple[dict[str, Any], str, str]:
    """Return the arrays of a group, and its library and device."""
    like = held.sums.totals.sums
    library = type(like).__module__.partition(".")[0]
    return arrays_of_sums(held), library, str(arrays.device_of(like))


# Reading --------------------------------------------------------------------------


def read_state(file: BinaryIO, name: str) -> StoredState:
    """Read a file of `write_state`, with the same bits, or raise."""
    content = read_container(file, name)
    header, found = content.header, content.arrays
    _check_version(header, name)
    try:
        return _state_of(header, found)
    except _UNREADABLE as error:
        msg = f"{name} is not a valid state of sknc: {error}. Create it again."
        raise ValueError(msg) from error


def _check_version(header: dict[str, Any], name: str) -> None:
    version: Any = header.get("sknc_state")
    if not is_integer(version) or version < 1:
        msg = (
            f'{name} is not a state file of sknc: its header has no "sknc_state". Name '
            "a file written by save(path)."
        )
        raise ValueError(msg)
    if version > FORMAT_VERSION:
        msg = (
            f"{name} has format {version}, written by sknc "
            f"{str(header.get('sknc_version'))[:40]}, but sknc {__version__} reads "
            f"formats up to {FORMAT_VERSION}. Install a later sknc."
        )
        raise ValueError(msg)


def _groups_of(
    header: dict[str, Any], found: dict[str, np.ndarray]
) -> list[HeldStream | None]:
    """Return the state of each group."""
    n_groups: int = _get(header, "n_groups", int)
    numbers: list[Any] = _get(header, "groups", list)
    fixed: bool = _get(header, "classes_fixed", bool)
    n_parts = max(1, n_groups)
    known = all(is_integer(number) and 0 <= number < n_parts for number in numbers)
    if not 0 <= n_groups <= _MOST_GROUPS or not numbers or not known:
        msg = f"it has {n_groups} groups, of which those in {numbers} have rows"
        raise ValueError(msg)
    groups: list[HeldStream | None] = [None] * n_parts
    for number in numbers:
        part = {
            name.partition("/")[2]: array
            for name, array in found.items()
            if name.startswith(f"{number}/")
        }
        groups[number] = sums_of_arrays(part, fixed=fixed)
    return groups


def _state_of(header: dict[str, Any], found: dict[str, np.ndarray]) -> StoredState:
    groups = _groups_of(header, found)
    held = [group for group in groups if group is not None]
    widths = {int(group.sums.totals.sums.shape[1]) for group in held}
    n_features: int = _get(header, "n_features", int)
    n_samples = sum(group.n_samples for group in held)
    if widths != {n_features} or n_samples != _get(header, "n_samples", int):
        msg = (
            f"it has {n_samples} samples of {sorted(widths)} features, but its header "
            f"says {header['n_samples']} of {n_features}"
        )
        raise ValueError(msg)
    names = found.get(_NAMES)
    if names is not None and (names.shape != (n_features,) or names.dtype.kind != "U"):
        msg = f"it has {names.shape} names of {n_features} features"
        raise ValueError(msg)
    return StoredState(
        estimator=_get(header, "estimator", str),
        parameters=read_parameters(_get(header, "parameters", dict), found),
        groups=groups,
        n_groups=header["n_groups"],
        library=_get(header, "library", str),
        n_features_in_=n_features,
        feature_names_in_=None if names is None else names.astype(object),
        notes=_get({"notes": {}} | header, "notes", dict),
    )


def _get(header: dict[str, Any], name: str, kind: type) -> Any:
    value = header.get(name)
    if type(value) is not kind:
        msg = f"its header has no {name!r} of type {kind.__name__}"
        raise ValueError(msg)
    return value
