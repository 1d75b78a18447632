"""The head of a model, from a file with its weights."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sknc.cli._head_files import CLASSES, Stored, split_name, stored_in
from sknc.head import LabeledHead
from sknc.io._choosing import check_readable_labels, holds_objects

_WEIGHTS = ("weights", "weight", "W", "coef_")
_BIASES = ("bias", "b", "intercept_")
_MOST_NAMES = 6


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Weights in a file that may be those of the head."""

    name: str  # of the weights
    layer: str  # the name without "weight"
    shape: tuple[int, int]

    def __str__(self) -> str:
        """Return the name and the shape."""
        return f"{self.name!r} {self.shape}" if self.name else str(self.shape)


def add_head(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a head."""
    parser.add_argument(
        "--head",
        metavar="FILE",
        help="weights of the linear head: .npz, .npy, .safetensors or .pt state dict",
    )
    parser.add_argument(
        "--bias",
        metavar="FILE",
        help=".npy file of its bias, if the weights are in a .npy",
    )
    parser.add_argument(
        "--head-key",
        metavar="NAME",
        help="which of the layers in the file, such as fc or fc.weight",
    )
    parser.add_argument(
        "--transpose-head",
        action="store_true",
        help="the weights are stored as (n_features, n_classes)",
    )


def read_head(options: argparse.Namespace, n_features: int) -> Any:
    """
    Return the head for ``head=``, or None if none was given.

    The layer is found by its number of features.
    """
    if options.head is None:
        return None
    path = Path(options.head)
    found, flipped = stored_in(path), bool(options.transpose_head)
    chosen = _chosen(path, found, options.head_key, n_features, flipped)
    if chosen.shape[not flipped] != n_features == chosen.shape[flipped]:
        turn = "without" if flipped else "with"
        msg = (
            f"The head in {path} has weights {chosen}, transposed: expected "
            f"{n_features} features in each row. Run again {turn} --transpose-head."
        )
        raise ValueError(msg)
    weights = _numbers(path, chosen.name, found[chosen.name]).reshape(chosen.shape)
    weights = weights.T if flipped else weights
    beside = _beside(found, chosen)
    bias = _first(path, beside, _BIASES)
    if options.bias is not None:
        bias = _only_array(Path(options.bias))
    classes = _first(path, beside, CLASSES)
    if bias is None or classes is None:
        _check_all_known(path, beside, len(weights))
    if classes is not None:
        return LabeledHead(weights, bias, classes)
    return weights if bias is None else (weights, bias.reshape(-1))


def _chosen(
    path: Path,
    found: dict[str, Stored],
    key: str | None,
    n_features: int,
    flipped: bool,
) -> _Candidate:
    """Return the weights that were named, or the only ones that fit."""
    candidates = _candidates(found)
    if key is not None:
        named = [c for c in candidates if key in (c.name, c.layer)]
        if len(named) != 1:
            msg = f"{path} has no head {key!r}, but {_listed(candidates)}."
            raise ValueError(msg)
        return named[0]
    fitting = [c for c in candidates if c.shape[not flipped] == n_features]
    turned = [c for c in candidates if c.shape[flipped] == n_features]
    for few in (fitting, turned, candidates):
        if len(few) == 1:
            return few[0]
    if not candidates:
        msg = f"{path} has no weights of two axes: name the file of a linear layer."
        raise ValueError(msg)
    several = fitting or turned or candidates
    msg = (
        f"{path} has several layers that may be the head: {_listed(several)}. Name one "
        f"with --head-key, such as --head-key {several[-1].layer or several[-1].name}."
    )
    raise ValueError(msg)


def _candidates(found: dict[str, Stored]) -> list[_Candidate]:
    """Return all weights with two axes, and those of 1x1 convolutions."""
    candidates = []
    for name, stored in found.items():
        rows, columns = (*stored.shape, 0, 0)[:2]
        if math.prod(stored.shape) == rows * columns > 0:
            candidates.append(_Candidate(name, split_name(name)[0], (rows, columns)))
    if len(candidates) == 1:
        return candidates
    return [c for c in candidates if split_name(c.name)[1] in _WEIGHTS]


def _beside(found: dict[str, Stored], chosen: _Candidate) -> dict[str, Stored]:
    """Return the other arrays of a layer, by the last part of their names."""
    parts = [(*split_name(name), stored) for name, stored in found.items()]
    weights = split_name(chosen.name)
    return {
        last: stored
        for layer, last, stored in parts
        if layer == chosen.layer and (layer, last) != weights
    }


def _first(
    path: Path, beside: dict[str, Stored], names: tuple[str, ...]
) -> np.ndarray | None:
    """Return the first array with one of these names."""
    name = next((name for name in names if name in beside), None)
    if name is None:
        return None
    if name not in CLASSES:
        return _numbers(path, name, beside[name])
    check_readable_labels(f"The labels in {path} ({name!r})", beside[name].dtype)
    return beside[name].read()


def _numbers(path: Path, name: str, stored: Stored) -> np.ndarray:
    if stored.dtype.hasobject:
        what = f"The numbers in {path} ({name!r})"
        raise holds_objects(what, "W.astype(np.float64)")
    return stored.read()


def _only_array(path: Path) -> np.ndarray:
    """Return the bias in a separate file."""
    found = stored_in(path)
    if len(found) != 1:
        names = ", ".join(map(repr, found)) or "none"
        msg = (
            f"{path} must have one array with a bias for each class, got {names}. Save "
            "it alone, with np.save('bias.npy', b)."
        )
        raise ValueError(msg)
    ((name, stored),) = found.items()
    return _numbers(path, name, stored)


def _check_all_known(path: Path, beside: dict[str, Stored], n_classes: int) -> None:
    """Raise if an array may be a bias or labels under an unknown name."""
    for name, stored in beside.items():
        if name not in (*_BIASES, *CLASSES) and stored.shape == (n_classes,):
            msg = (
                f"{path} has {name!r} next to the weights, which may be a bias or "
                f"labels. Name a bias one of {', '.join(_BIASES)} and labels one of "
                f"{', '.join(CLASSES)}, or save the file without {name!r}."
            )
            raise ValueError(msg)


def _listed(candidates: list[_Candidate]) -> str:
    names = [str(candidate) for candidate in candidates[:_MOST_NAMES]]
    more = len(candidates) - len(names)
    return ", ".join([*names, f"{more} more"] if more else names) or "no linear layers"
