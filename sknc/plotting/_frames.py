"""Check vectors and labels of classes that are passed to figures."""

from typing import Any

import numpy as np

from sknc._utils import arrays


def check_rows(name: str, values: Any, n_rows: int | None = None) -> np.ndarray:
    """Return finite float64 vectors, one per class, (K, D)."""
    found = np.asarray(arrays.to_numpy(values), dtype=np.float64)
    count = "n_classes" if n_rows is None else str(n_rows)
    if found.ndim != 2 or n_rows not in (None, len(found)):
        msg = (
            f"{name} must have one row per class, shape ({count}, n_features), got "
            f"shape {found.shape}."
        )
        raise ValueError(msg)
    if not np.isfinite(found).all():
        msg = f"{name} must be finite, got NaN or infinity. Leave those classes out."
        raise ValueError(msg)
    return found


def check_labels(classes: Any, n_classes: int) -> np.ndarray:
    """Return one label per class, by default its number."""
    found = np.arange(n_classes) if classes is None else np.asarray(classes)
    if found.shape != (n_classes,):
        msg = (
            f"classes must have one label per class, shape ({n_classes},), got shape "
            f"{found.shape}."
        )
        raise ValueError(msg)
    return found
