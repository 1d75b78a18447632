"""The sweep over pairs of classes, in tiles with O(tile K) memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sknc._utils.arrays import (
    Array,
    device_of,
    namespace,
    row_squared_norms,
    set_at,
    tiles,
)

_TILE_ROWS = 512  # temporaries of 2 MiB stay in cache
_GATHERED = 1 << 21
# Below this share of the squared lengths, a squared distance from the Gram matrix has
# lost five digits, so it is computed from the difference.
_CLOSE = 1e-5


@dataclass(frozen=True, eq=False)
class PairBlock:
    """Some pairs i < j of rows, each once: inner products, and broadcasting indices."""

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
    edges = list(tiles(vectors.shape[0], _TILE_ROWS))
    for place, rows in enumerate(edges):
        tile = vectors[rows, :]
        i = xp.arange(rows.start, rows.stop, device=device)
        upper, right = np.triu_indices(tile.shape[0], 1)
        if len(upper):
            first, second = (xp.asarray(k, device=device) for k in (upper, right))
            corner = xp.reshape(tile @ tile.T, (-1,))
            gram = xp.take(corner, first * tile.shape[0] + second, axis=0)
            yield PairBlock(gram, first + rows.start, second + rows.start)
        for cols in edges[place + 1 :]:
            j = xp.arange(cols.start, cols.stop, device=device)
            yield PairBlock(tile @ vectors[cols, :].T, i[:, None], j[None, :])


def squared_distances(
    block: PairBlock, vectors: Array, squared_norms: Array, noise: Array
) -> Array:
    """
    Return the squared distances of a block's pairs, close ones to full precision.

    Rows closer than the noise (K,), their squared rounding errors, have distance zero.
    """
    xp = namespace(vectors)
    n_i, n_j = block.of_rows(squared_norms), block.of_cols(squared_norms)
    distances = -2 * block.gram
    distances += n_i
    distances += n_j
    # Products cancel only in pairs that are much closer than they are long.
    if float(xp.min(distances)) >= _CLOSE * float(xp.max(n_i) + xp.max(n_j)):
        return distances
    distances = _with_exact_close(block, vectors, distances, n_i + n_j)
    return _without_noise(block, distances, noise)


def squared_chords(
    block: PairBlock, vectors: Array, inverse_norms: Array, noise: Array
) -> Array:
    """
    Return the squared distances between directions, close ones to full precision.

    The directions are not stored: the inner products are scaled, and so are the rows of
    close pairs. Overwrites the block's `gram`. Directions closer than the noise (K,),
    their squared rounding errors, have distance zero.
    """
    xp = namespace(vectors)
    chords = block.gram
    chords *= block.of_rows(inverse_norms)
    chords *= block.of_cols(inverse_norms)
    chords *= -2
    chords += 2
    if float(xp.min(chords)) >= 2 * _CLOSE:
        return chords
    chords = _with_exact_close(block, vectors, chords, 2.0, inverse_norms)
    return _without_noise(block, chords, noise)


def _without_noise(block: PairBlock, distances: Array, noise: Array) -> Array:
    """Set squared distances that are only rounding errors to zero."""
    xp = namespace(distances)
    coincide = distances <= block.of_rows(noise) + block.of_cols(noise)
    return xp.where(coincide, xp.zeros_like(distances), distances)


def _with_exact_close(
    block: PairBlock,
    vectors: Array,
    distances: Array,
    lengths: Array | float,
    factors: Array | None = None,
) -> Array:
    """Recompute the distances of close pairs from row differences, which is exact."""
    xp, shape = namespace(vectors), distances.shape
    positions = xp.nonzero(xp.reshape(distances < _CLOSE * lengths, (-1,)))[0]
    i, j = (
        xp.take(xp.reshape(xp.broadcast_to(index, shape), (-1,)), positions, axis=0)
        for index in (block.rows, block.cols)
    )
    flat = xp.reshape(distances, (-1,))
    for part in tiles(positions.shape[0], max(1, _GATHERED // vectors.shape[1])):
        gap = _rows_at(vectors, i[part], factors) - _rows_at(vectors, j[part], factors)
        flat = set_at(flat, positions[part], row_squared_norms(gap))
    return xp.reshape(flat, shape)


def _rows_at(vectors: Array, index: Array, factors: Array | None) -> Array:
    xp = namespace(vectors)
    rows = xp.take(vectors, index, axis=0)
    if factors is None:
        return rows
    return rows * xp.take(factors, index, axis=0)[:, None]


@dataclass(frozen=True)
class Summary:
    """Count, mean, sum of squared deviations, and extremes of a stream; a monoid."""

    count: int = 0
    mean: float = 0.0
    deviations: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf

    @classmethod
    def of(cls, values: Array) -> "Summary":
        """Return the summary of an array."""
        xp = namespace(values)
        if not math.prod(values.shape):
            return cls()
        mean = float(xp.mean(values))
        deviations = math.nan
        if math.isfinite(mean):
            gaps = xp.reshape(values - mean, (-1,))
            deviations = float(gaps @ gaps)  # vecdot is much slower in NumPy
        return cls(
            math.prod(values.shape),
            mean,
            deviations,
            float(xp.min(values)),
            float(xp.max(values)),
        )

    def merge(self, other: "Summary") -> "Summary":
        """Return the summary of both streams."""
        if not self.count or not other.count:
            return other if not self.count else self
        count = self.count + other.count
        if not (math.isfinite(self.mean) and math.isfinite(other.mean)):
            total = self.mean + other.mean
            extremes = min(self.least, other.least), max(self.greatest, other.greatest)
            if math.isnan(
                total
            ):  # Python's min and max drop NaN depending on its position
                extremes = math.nan, math.nan
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

    @property
    def population_variance(self) -> float:
        """Variance with divisor ``count``; NaN without values."""
        return self.deviations / self.count if self.count else math.nan

    @property
    def root_mean_square(self) -> float:
        """Root of the mean square; NaN without values."""
        return math.sqrt(self.mean**2 + self.population_variance)


@dataclass(frozen=True)
class PairSummaries:
    """
    Summaries over pairs of classes, from one sweep.

    `excess` is that of ``c_ij + 1/(K - 1)``, the cosines minus that of a simplex.
    `cdnv` is that of the class-distance normalized variances, and is empty without
    variances.
    """

    excess: Summary
    absolute_excess: Summary
    cdnv: Summary


@dataclass(frozen=True, eq=False)
class ClassSpreads:
    """The input of the class-distance normalized variances of pairs."""

    means: Array  # (K, D)
    variances: Array  # (K,)
    rounding: Array  # (K,), of means, as lengths: closer ones coincide
    bias: Array | None = None  # (K,), subtracted from squared distances
    missing: Array | None = None  # (K,), whether a class has no samples

    @cached_property
    def _half(self) -> Array:
        return self.variances / 2

    @cached_property
    def _squared_norms(self) -> Array:
        return row_squared_norms(self.means)

    @cached_property
    def _noise(self) -> Array:
        return squared_rounding(self._squared_norms, self.rounding)

    def of(self, block: PairBlock) -> tuple[Array, Array]:
        """Return mean variances and squared distances, NaN if the bias exceeds them."""
        xp = namespace(self.means)
        distances = squared_distances(
            block, self.means, self._squared_norms, self._noise
        )
        if self.bias is not None:
            distances = distances - block.of_rows(self.bias) - block.of_cols(self.bias)
            distances = xp.where(distances > 0, distances, xp.nan)
        return block.of_rows(self._half) + block.of_cols(self._half), distances

    def blocks(self) -> Iterator[tuple[PairBlock, Array, Array]]:
        """Yield blocks of pairs with mean variances and squared distances."""
        for block in pair_blocks(self.means):
            yield block, *self.of(block)

    def ratios(self, block: PairBlock) -> Array:
        """Return the normalized variances of a block's pairs."""
        spread, distances = self.of(block)
        with np.errstate(invalid="ignore", divide="ignore"):
            return spread / distances

    def observed_ratios(self, block: PairBlock) -> Array:
        """Return the normalized variances of pairs of observed classes."""
        values, missing = self.ratios(block), self.missing
        if missing is None or not bool(namespace(missing).any(missing)):
            return values
        return values[~(block.of_rows(missing) | block.of_cols(missing))]


def summarize_pairs(
    vectors: Array, spreads: ClassSpreads | None = None
) -> PairSummaries:
    """Sweep over the pairs of rows of `vectors`, (K, D), with optional spreads."""
    xp = namespace(vectors)
    inverse = inverse_norms(row_squared_norms(vectors))
    simplex = 1 / (vectors.shape[0] - 1)
    excess = absolute = cdnv = Summary()
    for block in pair_blocks(vectors):
        if spreads is not None:
            cdnv = cdnv.merge(Summary.of(spreads.observed_ratios(block)))
        cosines = block.gram
        cosines *= block.of_rows(inverse)
        cosines *= block.of_cols(inverse)
        cosines += simplex
        excess = excess.merge(Summary.of(cosines))
        absolute = absolute.merge(Summary.of(xp.abs(cosines)))
    return PairSummaries(excess, absolute, cdnv)


def inverse_norms(squared_norms: Array) -> Array:
    """Return one over the norms, NaN for zero."""
    xp = namespace(squared_norms)
    norms = xp.sqrt(squared_norms)
    return 1 / xp.where(norms > 0, norms, xp.nan)


def squared_rounding(squared_norms: Array, rounding: Array | None) -> Array:
    """Return the squared rounding errors of rows, including those of their mean."""
    eps = float(namespace(squared_norms).finfo(squared_norms.dtype).eps)
    noise = (8 * eps) ** 2 * squared_norms
    return noise if rounding is None else noise + rounding**2


@dataclass(frozen=True)
class DirectionSummaries:
    """Summaries of distances of unit vectors, and of their energies, from one sweep."""

    distance: Summary
    log_energy: Summary
    riesz_energy: Summary


def summarize_directions(
    vectors: Array, rounding: Array | None = None, power: float = 1.0
) -> DirectionSummaries:
    """
    Sweep over the pairs of directions of the rows of `vectors`, (K, D).

    Directions closer than the rounding (K,) of their rows, a length, coincide. NaN if a
    row is zero. The Riesz energy is that of ``distance ** -power``.
    coinciding. NaN if a row is zero. The Riesz energy is of ``distance ** -power``.
    """
    xp = namespace(vectors)
    squared_norms = row_squared_norms(vectors)
    inverse = inverse_norms(squared_norms)
    noise = squared_rounding(squared_norms, rounding) * inverse**2
    distance = log_energy = riesz_energy = Summary()
    for block in pair_blocks(vectors):
        squared = squared_chords(block, vectors, inverse, noise)
        distances = xp.sqrt(squared)
        distance = distance.merge(Summary.of(distances))
        # Coinciding directions have infinite energy, and powers may overflow.
        with np.errstate(divide="ignore", over="ignore"):
            logs = xp.log(squared)
            logs *= -0.5
            powers = 1 / distances if power == 1 else distances**-power
        log_energy = log_energy.merge(Summary.of(logs))
        riesz_energy = riesz_energy.merge(Summary.of(powers))
    return DirectionSummaries(distance, log_energy, riesz_energy)
