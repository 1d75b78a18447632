"""The head of a model, from a file of its weights."""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.head import LabeledHead
from sknc.io._formats import arrays_in, is_known

_WEIGHTS = ("weights", "weight", "W", "coef_")
_BIASES = ("bias", "b", "intercept_")
_CLASSES = ("classes", "classes_")
_TORCH = (".pt", ".pth", ".bin")
_MOST_NAMES = 6


@dataclass(frozen=True, eq=False)
class _Stored:
    """An array in a file, of which only the shape has been read."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Weights in a file that may be those of the head."""

    name: str  # of the weights
    layer: str  # what comes before "weight"
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
        "--bias", metavar="FILE", help=".npy of its bias, if the weights are in a .npy"
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
    Return what ``head=`` takes, or None if no head was named.

    Parameters
    ----------
    options : argparse.Namespace
        Of `add_head`.
    n_features : int
        Number of features, by which the layer is found.

    Returns
    -------
    object
        Weights, (weights, bias), or these with labels.

    Raises
    ------
    ValueError
        If no layer in the file fits, or several do.
    """
    if options.head is None:
        return None
    path = Path(options.head)
    found, flipped = _arrays(path), bool(options.transpose_head)
    chosen = _chosen(path, found, options.head_key, n_features, flipped)
    if chosen.shape[not flipped] != n_features == chosen.shape[flipped]:
        turn = "without" if flipped else "with"
        msg = (
            f"The head in {path} has weights {chosen}, transposed: expected "
            f"{n_features} features in each row. Run again {turn} --transpose-head."
        )
        raise ValueError(msg)
    weights = found[chosen.name].read().reshape(chosen.shape)
    weights = weights.T if flipped else weights
    bias = _beside(found, chosen.layer, _BIASES)
    if options.bias is not None:
        (bias, *_) = (stored.read() for stored in _arrays(Path(options.bias)).values())
    classes = _beside(found, chosen.layer, _CLASSES)
    if classes is not None:
        return LabeledHead(weights, bias, classes)
    return weights if bias is None else (weights, bias.reshape(-1))


def _chosen(
    path: Path,
    found: dict[str, _Stored],
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


def _candidates(found: dict[str, _Stored]) -> list[_Candidate]:
    """Return all weights of two axes; a 1x1 convolution has others of length one."""
    candidates = []
    for name, stored in found.items():
        layer, _, last = name.rpartition("." if "." in name else "/")
        rows, columns = (*stored.shape, 0, 0)[:2]
        fits = math.prod(stored.shape) == rows * columns > 0
        if fits and (last in _WEIGHTS or len(found) == 1):
            candidates.append(_Candidate(name, layer, (rows, columns)))
    return candidates


def _beside(
    found: dict[str, _Stored], layer: str, names: tuple[str, ...]
) -> np.ndarray | None:
    """Return the array of a layer that has one of some names."""
    starts = [f"{layer}{mark}" for mark in "./"] if layer else [""]
    for name in (f"{start}{name}" for start in starts for name in names):
        if name in found:
            return found[name].read()
    return None


def _listed(candidates: list[_Candidate]) -> str:
    names = [str(candidate) for candidate in candidates[:_MOST_NAMES]]
    more = len(candidates) - len(names)
    return ", ".join([*names, f"{more} more"] if more else names) or "no linear layers"


# Reading --------------------------------------------------------------------------


def _arrays(path: Path) -> dict[str, _Stored]:
    """Return all arrays of a file by name."""
    if not path.is_file():
        msg = f"There is no file {path}: name that of the head's weights."
        raise FileNotFoundError(msg)
    if path.suffix.lower() in _TORCH:
        return _of_torch(path)
    if not is_known(path):
        msg = (
            f"{path} is of no known kind: expected .npz, .npy, .safetensors, or a .pt "
            "file of a state dict."
        )
        raise ValueError(msg)
    return {
        name: _Stored(stored.shape, partial(_read_whole, stored))
        for name, stored in arrays_in(path).items()
        if stored.shape and not stored.dtype.hasobject
    }


def _read_whole(stored: Any) -> np.ndarray:
    n_rows = stored.shape[0]
    return np.concatenate([*stored.pieces(0, n_rows, max(1, n_rows))])


def _of_torch(path: Path) -> dict[str, _Stored]:
    with required(f"Reading {path.name}", "torch", "torch"):
        import torch
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        what = " ".join(str(error).split())[:100]
        msg = (
            f"{path} cannot be read as a state dict without running code ({what}). "
            "Save one with torch.save(model.state_dict(), path)."
        )
        raise ValueError(msg) from error
    return dict(_tensors("", content))


def _tensors(name: str, content: Any) -> Iterator[tuple[str, _Stored]]:
    """Yield the tensors of nested dictionaries with their names."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _tensors(f"{name}.{key}" if name else str(key), value)
    elif hasattr(content, "is_floating_point") and content.is_floating_point():
        yield (
            name,
            _Stored(tuple(content.shape), lambda: content.detach().double().numpy()),
        )
