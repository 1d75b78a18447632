"""Digests of heads, so that processes can check whether theirs are the same."""

import hashlib
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.estimators._inputs.heads.parts import parts_of
from sknc.estimators._inputs.labels import plain_labels


def digest_of_head(head: Any, n_features: int) -> str | None:
    """Return a text that differs between heads with different numbers; None without."""
    if head is None:
        return None
    parts = parts_of(head, n_features)
    classes = parts.classes
    if classes is not None:
        classes = plain_labels(np.asarray(classes), "classes_").tolist()
    found = hashlib.blake2b(repr(classes).encode(), digest_size=16)
    for part in (parts.weights, parts.bias):
        if part is None:
            found.update(b"None")
            continue
        # Adding zero makes -0.0 and 0.0 equal.
        numbers = arrays.to_numpy(part).astype(np.float64) + 0.0
        found.update(repr(numbers.shape).encode())
        found.update(np.ascontiguousarray(numbers).data)
    return found.hexdigest()
