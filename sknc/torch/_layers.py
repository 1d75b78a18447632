"""Which layers of a model to measure: all, names, or patterns."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

from sknc.torch._head_modules import multiplies

_EXPECTED = (
    'layers must be "all", or names of parts of the model as in '
    'model.named_modules(), or patterns such as "blocks.*"'
)


def chosen_layers(model: nn.Module, layers: Any) -> dict[str, nn.Module]:
    """
    Return the layers that a user asked for, by name, in the order of the model.

    "all" selects every linear layer and convolution. In patterns, "*" and "?" match
    within one part of a name, between two dots. Errors list similar names.
    """
    parts = dict(model.named_modules())
    if isinstance(layers, str) and layers == "all":
        found = {name: part for name, part in parts.items() if _is_linear(part)}
        if not found:
            msg = (
                "The model has no linear layers or convolutions. Name the layers to "
                "measure: layers=[...]."
            )
            raise ValueError(msg)
        return found
    wanted = _as_names(layers)
    fitting = {name: _fitting(name, parts) for name in wanted}
    unknown = [name for name, found in fitting.items() if not found]
    if unknown or not wanted:
        close = [near for name in unknown for near in _close(name, parts)]
        listed = ", ".join(map(repr, dict.fromkeys(close)))
        question = f" Did you mean one of {listed}?" if close else ""
        msg = f"{_EXPECTED}, got {unknown or wanted}.{question}"
        raise ValueError(msg)
    chosen = {name for found in fitting.values() for name in found}
    return {name: part for name, part in parts.items() if name in chosen}


def _as_names(layers: Any) -> list[str]:
    if isinstance(layers, str):
        return [layers]
    names = list(layers) if isinstance(layers, Iterable) else [layers]
    if isinstance(layers, Iterable) and all(isinstance(name, str) for name in names):
        return names
    wrong = next((name for name in names if not isinstance(name, str)), layers)
    msg = f"{_EXPECTED}, got {type(wrong).__name__}."
    raise TypeError(msg)


def _fitting(pattern: str, parts: dict[str, nn.Module]) -> list[str]:
    if pattern in parts:
        return [pattern]
    pieces = pattern.split(".")
    found = []
    for name in parts:
        others = name.split(".")
        if name and len(others) == len(pieces):
            pairs = zip(others, pieces, strict=True)
            if all(fnmatchcase(other, piece) for other, piece in pairs):
                found.append(name)
    return found


def _close(name: str, parts: dict[str, nn.Module]) -> list[str]:
    return get_close_matches(name, [known for known in parts if known], n=3, cutoff=0.4)


def _is_linear(module: nn.Module) -> bool:
    if isinstance(module, (nn.Linear, _ConvNd)):
        return True
    is_leaf = not list(module.children())
    return is_leaf and multiplies(module) and not isinstance(module, nn.LayerNorm)
