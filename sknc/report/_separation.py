"""The law of data separation: a line through the logarithms of all layers."""

import math

import numpy as np

_LEAST_LAYERS = 3  # needed for a meaningful line


def separation_rate(values: np.ndarray) -> float:
    """Return the factor from layer to layer, given logarithms by layer, or NaN."""
    if not _has_line(values):
        return math.nan
    depth, values = _centered(np.arange(len(values))), _centered(values)
    return math.exp(float(depth @ values) / float(depth @ depth))


def separation_correlation(values: np.ndarray) -> float:
    """Return Pearson's correlation of logarithms with depth, or NaN."""
    if not _has_line(values) or np.ptp(values) == 0:
        return math.nan
    depth, values = _centered(np.arange(len(values))), _centered(values)
    found = depth @ values / (np.linalg.norm(depth) * np.linalg.norm(values))
    return float(np.clip(found, -1, 1))


def _has_line(values: np.ndarray) -> bool:
    return len(values) >= _LEAST_LAYERS and bool(np.isfinite(values).all())


def _centered(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean())
