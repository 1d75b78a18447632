"""Cosines of all pairs of vectors, computed blockwise to save memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sknc.head import LinearHead
from sknc.metrics.grids import pair_grid, pair_grid_rows

_ROWS = 256  # at a time


@dataclass(frozen=True)
class PairRange:
    """Summary of the cosines of pairs; NaN without pairs."""

    low: float
    high: float
    mean: float
    n_pairs: int


def all_cosines(vectors: np.ndarray) -> np.ndarray:
    """Return the cosines of all pairs; NaN on the diagonal and for zero vectors."""
    grid = _without_zeros(pair_grid(LinearHead(vectors)), vectors, slice(None))
    np.fill_diagonal(grid, math.nan)
    return grid


def range_of(vectors: np.ndarray) -> PairRange:
    """Summarize the cosines of all pairs."""
    low, high, total, n_pairs = math.inf, -math.inf, 0.0, 0
    for values in _pairs(vectors):
        if len(values):
            low, high = min(low, values.min()), max(high, values.max())
            total, n_pairs = total + values.sum(), n_pairs + len(values)
    if not n_pairs:
        return PairRange(math.nan, math.nan, math.nan, 0)
    return PairRange(float(low), float(high), float(total / n_pairs), n_pairs)


def histogram_of(vectors: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the share of pairs between equally spaced edges."""
    counts = np.zeros(len(edges) - 1)
    for values in _pairs(vectors):
        # Given a range, NumPy divides; given edges, it would search.
        counts += np.histogram(values, len(counts), (edges[0], edges[-1]))[0]
    return counts / max(1.0, float(counts.sum()))


def _pairs(vectors: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the cosines of pairs, each pair once."""
    columns = np.arange(len(vectors))
    for rows, grid in pair_grid_rows(LinearHead(vectors), n_rows=_ROWS):
        above = columns[None, rows.start :] > columns[rows, None]
        values = _without_zeros(grid, vectors, rows)[:, rows.start :][above]
        yield np.clip(values[np.isfinite(values)], -1, 1)


def _without_zeros(grid: np.ndarray, vectors: np.ndarray, rows: slice) -> np.ndarray:
    """Return a grid with NaN where a vector is zero."""
    zero = np.logical_not((vectors != 0).any(axis=1))
    if not zero.any():
        return grid
    return np.where(zero[rows, None] | zero[None, :], math.nan, grid)
