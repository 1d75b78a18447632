"""Constructor parameters as JSON data and arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.parameters import shown
from sknc.convention import Convention
from sknc.estimators._stored.heads import arrays_of_head, head_of_arrays
from sknc.report._rendering import convention_document, read_convention

_PRIORS = "priors"


def stored_parameters(
    parameters: Mapping[str, Any], n_features: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """
    Return checked parameters for a file, as JSON data and other arrays.

    Heads that are modules are called with this many features.
    """
    document: dict[str, Any] = {}
    found: dict[str, np.ndarray] = {}
    for name, value in parameters.items():
        if name == "head":
            found |= arrays_of_head(value, n_features)
        elif name == "priors" and not isinstance(value, str):
            found[_PRIORS] = np.asarray(arrays.to_numpy(value), np.float64)
        elif value is not None:  # None is then the default
            document[name] = _document(name, value)
    return document, found


def _document(name: str, value: Any) -> Any:
    """Return a parameter as JSON data."""
    if isinstance(value, Convention):
        return convention_document(value)
    if name == "metrics" and not isinstance(value, str):
        return [str(key) for key in value]
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (str, bool, int, float)):
        msg = f"save cannot store {name}={shown(value)}: expected text or a number."
        raise ValueError(msg)
    return value


def read_parameters(
    document: Mapping[str, Any], found: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return the parameters from the results of `stored_parameters`."""
    parameters = dict(document)
    if isinstance(parameters.get("convention"), dict):
        parameters["convention"] = read_convention(parameters["convention"])
    head = head_of_arrays(found)
    if head is not None:
        parameters["head"] = head
    if _PRIORS in found:
        parameters["priors"] = found[_PRIORS]
    return parameters
