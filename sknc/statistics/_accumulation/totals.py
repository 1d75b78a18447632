"""Sums over rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self, TypeAlias

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.thread_pool import ThreadPool, cut
from sknc.statistics._accumulation.products import gram_jobs
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._moments import Moments

_MOST_ROWS = 4096  # in one float32 sum; assumed by `ClassStatistics.mean_rounding`
_ClassSums: TypeAlias = tuple[np.ndarray | None, Array]  # classes (None for all), sums


@dataclass(frozen=True, eq=False)
class Totals(Moments):
    """All sums. Methods return new totals; only `put` changes these."""

    projector: Array | None = None  # directions, (D, R)
    energies: Array | None = None  # sums of squared lengths along them, float64, (K,)
    others: Array | float = 0.0  # sum of squares of all other classes

    @property
    def weighted(self) -> bool:
        """Whether weights are summed instead of samples counted."""
        return bool(self.counts.dtype == self.squares.dtype)

    def counting(self, weights: Array | None) -> Self:
        """Return totals to which weights can be added, if there are any."""
        if weights is None or self.weighted:
            return self
        counts = namespace(self.counts).astype(self.counts, self.squares.dtype)
        return replace(self, counts=counts)

    def map(self, function: Callable[[Array], Array]) -> Self:
        """Apply `function` to every array with one row per class."""
        energies = None if self.energies is None else function(self.energies)
        return replace(super().map(function), energies=energies)

    def select(self, ids: Array) -> Self:
        """Return the totals of some classes."""
        xp, part = namespace(ids), super().select(ids)
        rest = xp.asarray(self.squares, copy=True)
        rest = arrays.set_at(rest, ids, xp.zeros_like(part.squares))
        return replace(part, others=xp.sum(rest))

    def put(self, ids: Array, part: Self) -> Self:
        """Store the totals of classes in their rows; repeating it is harmless."""
        energies = self.energies
        if energies is not None:
            energies = arrays.set_at(energies, ids, part.energies)
        return replace(super().put(ids, part), energies=energies)

    def with_sums(
        self, rows: Rows, threads: ThreadPool, memory: Array | None = None
    ) -> Self:
        """Return totals with residuals added, except products, in memory if given."""
        tiles = [slice(0, rows.n_rows)]
        if isinstance(rows.values, np.ndarray):
            most = min(_MOST_ROWS, (rows.memory or rows).n_rows)
            tiles = cut(rows.n_rows, max(threads.size, -(-rows.n_rows // most)))
        found = threads.run([partial(self._sums, rows[tile]) for tile in tiles])
        squares, energies, sums = zip(*found, strict=True)
        index, weights = rows.index, rows.weights
        new = replace(
            self,
            counts=_plus_at(self.counts, index, weights),
            sums=_plus_sums(self.sums, sums, threads, memory),
            squares=_plus_at(self.squares, index, _of_all_rows(squares, weights)),
        )
        if self.energies is None:
            return new
        numbers = _of_all_rows(energies, weights)
        return replace(new, energies=_plus_at(self.energies, index, numbers))

    def _sums(self, rows: Rows) -> tuple[Array, Array | None, _ClassSums]:
        """Return squared lengths of residuals and of projections, and class sums."""
        rows = rows.residuals()
        xp, values, energies, factors = namespace(rows.values), rows.values, None, None
        if self.projector is not None:
            projector = xp.astype(self.projector, values.dtype, copy=False)
            energies = xp.astype(
                arrays.row_squared_norms(values @ projector), xp.float64
            )
        if rows.weights is not None:
            factors = xp.astype(rows.weights, values.dtype)
        sums, index = self.sums, rows.index
        if isinstance(values, np.ndarray):
            found = arrays.sums_by_index(index, values, factors, len(sums))
            return rows.squares, energies, found
        sums = arrays.add_rows_at(xp.zeros_like(sums), index, values, factors)
        return rows.squares, energies, (None, sums)

    def with_products(
        self, rows: Rows, threads: ThreadPool, memory: Array | None = None
    ) -> Self:
        """Return totals with the products of residuals, in memory if given."""
        scatter, values = self.scatter, rows.values
        if scatter is None:
            return self
        if rows.weights is not None:
            roots = namespace(values).sqrt(rows.weights)
            values = values * namespace(values).astype(roots, values.dtype)[:, None]
        if isinstance(values, np.ndarray):
            grams, jobs = gram_jobs(values, threads)
            threads.run(jobs, hold_blas=True)
            if grams[0].dtype == scatter.dtype:
                memory = grams[0]
            memory = np.empty_like(scatter) if memory is None else memory
            scatter = _sum_of([scatter, *grams], threads, memory)
        else:
            gram = arrays.gram(values)
            scatter = scatter + namespace(gram).astype(gram, scatter.dtype)
        return replace(self, scatter=scatter)


def _of_all_rows(parts: Sequence[Array], weights: Array | None) -> Array:
    """Return the values of all rows, times the weights."""
    values = namespace(parts[0]).concat(parts)
    return values if weights is None else values * weights


def _plus_at(target: Array, index: Array, values: Array | None) -> Array:
    """Return a copy of `target` with ``values[i]``, or 1, added at ``index[i]``."""
    return arrays.add_at(namespace(target).asarray(target, copy=True), index, values)


def _plus_sums(
    target: Array,
    found: Sequence[_ClassSums],
    threads: ThreadPool,
    memory: Array | None,
) -> Array:
    """Return `target`, (K, D), with sums of classes added, in other memory."""
    parts = [sums for ids, sums in found if ids is None]
    if len(parts) < len(found):
        total = target.copy()
        for ids, sums in found:
            arrays.add_sums(total, ids, sums)
        return total
    if not isinstance(target, np.ndarray):
        return sum(parts, start=target)
    if memory is None or memory.shape != target.shape:
        memory = np.empty_like(target)
    return _sum_of([target, *parts], threads, memory)


def _sum_of(
    parts: Sequence[np.ndarray], threads: ThreadPool, total: np.ndarray
) -> np.ndarray:
    """Return the sum of arrays of the same shape, in the memory of `total`."""
    first, second, *others = parts

    def add(part: slice) -> None:
        np.add(first[part], second[part], out=total[part])
        for array in others:
            total[part] += array[part]

    n_parts = min(threads.size, len(total))
    threads.run([partial(add, part) for part in cut(len(total), n_parts)])
    return total
