"""Vectors and labels of classes, as they are passed to figures."""

from typing import Any

import numpy as np

from sknc._utils import arrays


def check_rows(name: str, values: Any, n_rows: int | None = None) -> np.ndarray:
    """Return finite vectors, one a class, as float64, (K, D)."""
    found = np.asarray(arrays.to_numpy(values), dtype=np.float64)
    count = "n_classes" if n_rows is None else str(n_rows)
    if found.ndim != 2 or n_rows not in (None, len(found)):
        msg = (
            f"{name} must have one row a class, shape ({count}, n_features), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    if not np.isfinite(found).all():
        msg = f"{name} must be finite, got NaN or infinity. Leave those classes out."
        raise ValueError(msg)
    return found


def check_labels(classes: Any, n_classes: int) -> np.ndarray:
    """Return one label a class, by default its number."""
    found = np.arange(n_classes) if classes is None else np.asarray(classes)
    if found.shape != (n_classes,):
        msg = (
            f"classes must have one label a class, shape ({n_classes},), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    return found
