"""The weights of a head, as arrays in a file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.estimators._inputs.heads import parts_of
from sknc.estimators._inputs.labels import plain_labels
from sknc.head import LabeledHead, LinearHead

_WEIGHTS, _BIAS, _CLASSES = "head/weights", "head/bias", "head/classes"


def arrays_of_head(head: Any, n_features: int) -> dict[str, np.ndarray]:
    """Return the current numbers of a head; empty if there is no head."""
    if head is None:
        return {}
    parts = parts_of(head, n_features)
    found = {_WEIGHTS: _host(parts.weights)}
    if parts.bias is not None:
        found[_BIAS] = _host(parts.bias)
    if parts.classes is not None:
        found[_CLASSES] = plain_labels(np.asarray(parts.classes), "classes_")
    return found


def _host(values: Any) -> np.ndarray:
    """Return real numbers in a NumPy dtype that can hold them."""
    host = arrays.to_numpy(values)
    return host if host.dtype.kind == "f" else host.astype(np.float64)


def head_of_arrays(found: Mapping[str, np.ndarray]) -> LinearHead | LabeledHead | None:
    """Return the head from the arrays of `arrays_of_head`."""
    if _WEIGHTS not in found:
        return None
    weights, bias = found[_WEIGHTS], found.get(_BIAS)
    if _CLASSES in found:
        return LabeledHead(weights, bias, found[_CLASSES])
    weights = np.atleast_2d(weights)
    if bias is not None:
        bias = np.broadcast_to(bias.reshape(-1), (len(weights),))
    return LinearHead(weights, bias)
