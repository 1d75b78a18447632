"""The one sweep over pairs of classes, in tiles of O(tile K) memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sknc._array import Array, device_of, namespace, row_squared_norms, tiles

_TILE_ELEMENTS = 1 << 22  # 32 MiB of float64 a temporary
# Below this share of the squared lengths a squared distance taken from the Gram
# matrix has lost five digits, and is taken from the difference instead.
_CLOSE = 1e-5


@dataclass(frozen=True, eq=False)
class PairBlock:
    """
    Some pairs i < j of rows, each pair once.

    Parameters
    ----------
    gram : array
        Inner products of the pairs.
    rows, cols : array of int
        Class indices, of shapes that broadcast to that of `gram`.
    """

    gram: Array
    rows: Array
    cols: Array

    def of_rows(self, values: Array) -> Array:
        """Return ``values[i]`` for each pair."""
        return _take(values, self.rows)

    def of_cols(self, values: Array) -> Array:
        """Return ``values[j]`` for each pair."""
        return _take(values, self.cols)


def _take(values: Array, index: Array) -> Array:
    xp = namespace(values)
    flat = xp.take(values, xp.reshape(index, (-1,)), axis=0)
    return xp.reshape(flat, index.shape)


def pair_blocks(vectors: Array) -> Iterator[PairBlock]:
    """Yield all pairs of rows of `vectors` with their inner products."""
    xp, device = namespace(vectors), device_of(vectors)
    n_rows = vectors.shape[0]
    step = max(1, min(n_rows, _TILE_ELEMENTS // n_rows))
    for rows in tiles(n_rows, step):
        start, stop = rows.start, rows.stop
        tile = vectors[rows, :]
        upper, right = np.triu_indices(stop - start, 1)
        if len(upper):
            i, j = (xp.asarray(index, device=device) for index in (upper, right))
            corner = xp.reshape(tile @ tile.T, (-1,))
            yield PairBlock(
                xp.take(corner, i * (stop - start) + j, axis=0), i + start, j + start
            )
        if stop < n_rows:
            yield PairBlock(
                tile @ vectors[stop:, :].T,
                xp.arange(start, stop, device=device)[:, None],
                xp.arange(stop, n_rows, device=device)[None, :],
            )


def squared_distances(block: PairBlock, vectors: Array, squared_norms: Array) -> Array:
    """Return the squared distances of a block's pairs, close ones to full precision."""
    xp = namespace(vectors)
    lengths = block.of_rows(squared_norms) + block.of_cols(squared_norms)
    distances = lengths - 2 * block.gram
    close = xp.reshape(distances < _CLOSE * lengths, (-1,))
    if not bool(xp.any(close)):
        return distances
    positions = xp.nonzero(close)[0]
    shape = distances.shape
    i, j = (
        xp.take(xp.reshape(xp.broadcast_to(index, shape), (-1,)), positions, axis=0)
        for index in (block.rows, block.cols)
    )
    flat = xp.reshape(distances, (-1,))
    step = max(1, _TILE_ELEMENTS // vectors.shape[1])
    for part in tiles(positions.shape[0], step):
        difference = xp.take(vectors, i[part], axis=0) - xp.take(vectors, j[part], axis=0)
        flat[positions[part]] = row_squared_norms(difference)
    return xp.reshape(flat, shape)


@dataclass(frozen=True)
class Summary:
    """
    Count, mean, spread and extremes of a stream of values; a monoid.

    Parameters
    ----------
    count : int
        Number of values.
    mean : float
        Their mean.
    deviations : float
        Sum of squared deviations from the mean.
    least, greatest : float
        Extremes.
    """

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    @classmethod
    def of(cls, values: Array) -> "Summary":
        """Summarize an array."""
        xp = namespace(values)
        mean = float(xp.mean(values))
        deviations = math.nan
        if math.isfinite(mean):
            deviations = float(xp.sum((values - mean) ** 2))
        return cls(
            math.prod(values.shape),
            mean,
            deviations,
            float(xp.min(values)),
            float(xp.max(values)),
        )

    def merge(self, other: "Summary") -> "Summary":
        """Summarize both streams."""
        if not self.count or not other.count:
            return other if not self.count else self
        count = self.count + other.count
        if not (math.isfinite(self.mean) and math.isfinite(other.mean)):
            total = self.mean + other.mean
            extremes = min(self.least, other.least), max(self.greatest, other.greatest)
            return Summary(count, total, math.nan, *extremes)
        delta = other.mean - self.mean
        between = delta * delta * self.count * other.count / count
        return Summary(
            count,
            self.mean + delta * other.count / count,
            self.deviations + other.deviations + between,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )

    @property
    def std(self) -> float:
        """Standard deviation with divisor ``count - 1``; zero for one value."""
        if self.count < 2:
            return 0.0
        return math.sqrt(self.deviations / (self.count - 1))

    @property
    def variance(self) -> float:
        """Variance with divisor ``count - 1``; zero for one value."""
        return self.std**2


@dataclass(frozen=True)
class PairSummaries:
    """
    What the metrics over pairs of classes need, from one sweep.

    Parameters
    ----------
    excess : Summary
        Of ``c_ij + 1/(K - 1)``, the cosines less those of a simplex.
    absolute_excess : Summary
        Of its absolute value.
    cdnv : Summary
        Of the class-distance normalized variances; empty without variances.
    """

    excess: Summary
    absolute_excess: Summary
    cdnv: Summary


def summarize_pairs(
    vectors: Array, variances: Array | None = None, rounding: Array | None = None
) -> PairSummaries:
    """
    Sweep over the pairs of rows of `vectors`.

    Parameters
    ----------
    vectors : array of shape (K, D)
        Centered class means, or rows of a head.
    variances : array of shape (K,), optional
        Class variances; NaN for a class that takes no part in the CDNV.
    rounding : array of shape (K,), optional
        Rounding error of each row, a length: closer rows count as coinciding.

    Returns
    -------
    PairSummaries
        Over all pairs i < j.
    """
    xp = namespace(vectors)
    squared_norms = row_squared_norms(vectors)
    norms = xp.sqrt(squared_norms)
    simplex = 1 / (vectors.shape[0] - 1)
    excess = absolute = cdnv = Summary()
    for block in pair_blocks(vectors):
        if variances is not None:
            values = _cdnv(block, vectors, squared_norms, variances, rounding)
            if values.shape[0]:
                cdnv = cdnv.merge(Summary.of(values))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosines = block.gram / block.of_rows(norms) / block.of_cols(norms)
        cosines += simplex
        excess = excess.merge(Summary.of(cosines))
        absolute = absolute.merge(Summary.of(xp.abs(cosines)))
    return PairSummaries(excess, absolute, cdnv)


def _cdnv(
    block: PairBlock,
    vectors: Array,
    squared_norms: Array,
    variances: Array,
    rounding: Array | None,
) -> Array:
    xp = namespace(vectors)
    distances = squared_distances(block, vectors, squared_norms)
    eps = float(xp.finfo(vectors.dtype).eps)
    noise = (8 * eps) ** 2 * squared_norms
    if rounding is not None:
        noise = noise + rounding**2
    coincide = distances <= block.of_rows(noise) + block.of_cols(noise)
    distances = xp.where(coincide, xp.zeros_like(distances), distances)
    spread = block.of_rows(variances) + block.of_cols(variances)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = spread / (2 * distances)
    held = xp.isnan(variances)
    if not bool(xp.any(held)):
        return values
    return values[~(block.of_rows(held) | block.of_cols(held))]
