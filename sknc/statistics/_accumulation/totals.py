"""Sums over rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Self, TypeAlias

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.thread_pool import ThreadPool, cut
from sknc.statistics._accumulation.products import gram_jobs
from sknc.statistics._accumulation.residuals import Rows
from sknc.statistics._moments import Moments

_MOST_ROWS = 4096  # in one float32 sum; assumed by `ClassStatistics.mean_rounding`
_ClassSums: TypeAlias = tuple[np.ndarray | None, Array]  # classes (None for all), sums


class Spare(NamedTuple):
    """Memory for the next sums (NumPy only), because new pages are slow."""

    sums: np.ndarray | None = None
    scatter: np.ndarray | None = None


NO_SPARE = Spare()


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

    def spare(self, *, sums: bool, scatter: bool) -> Spare:
        """Return memory of arrays that are no longer needed."""
        host = isinstance(self.sums, np.ndarray)
        return Spare(
            self.sums if host and sums else None,
            self.scatter if host and scatter else None,
        )

    def with_sums(
        self, rows: Rows, threads: ThreadPool, memory: np.ndarray | None = None
    ) -> Self:
        """Return totals with residuals added, except products, in memory if given."""
        tiles = [slice(0, rows.n_rows)]
        if isinstance(rows.values, np.ndarray):
            tiles = cut(rows.n_rows, max(threads.size, -(-rows.n_rows // _MOST_ROWS)))
        found = threads.run([partial(self._sums, rows[tile]) for tile in tiles])
        sums, energies = zip(*found, strict=True)
        index, weights = rows.index, rows.weights

        def plus(target: Array, values: Array | None) -> Array:
            if weights is not None:
                values = weights if values is None else values * weights
            target = namespace(target).asarray(target, copy=True)
            return arrays.add_at(target, index, values)

        new = replace(
            self,
            counts=plus(self.counts, None),
            sums=_plus_sums(self.sums, sums, threads, memory),
            squares=plus(self.squares, rows.squares),
        )
        if self.energies is None:
            return new
        xp = namespace(self.energies)
        return replace(new, energies=plus(self.energies, xp.concat(energies)))

    def _sums(self, rows: Rows) -> tuple[_ClassSums, Array | None]:
        """Return sums of classes, and squared lengths of projections."""
        xp, values, energies, factors = namespace(rows.values), rows.values, None, None
        if self.projector is not None:
            projector = xp.astype(self.projector, values.dtype, copy=False)
            energies = arrays.row_squared_norms(values @ projector)
            energies = xp.astype(energies, xp.float64)
        if rows.weights is not None:
            factors = xp.astype(rows.weights, values.dtype)
        if isinstance(values, np.ndarray):
            n_classes = len(self.sums)
            found = arrays.sums_by_index(rows.index, values, factors, n_classes)
            return found, energies
        sums = xp.zeros_like(self.sums)
        return (None, arrays.add_rows_at(sums, rows.index, values, factors)), energies

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
        if not isinstance(values, np.ndarray):
            gram = arrays.gram(values)
            scatter = scatter + namespace(gram).astype(gram, scatter.dtype)
            return replace(self, scatter=scatter)
        grams, jobs = gram_jobs(values, threads)
        threads.run(jobs, hold_blas=True)
        if grams[0].dtype == scatter.dtype:
            memory = grams[0]
        memory = np.empty_like(scatter) if memory is None else memory
        return replace(self, scatter=_sum_of([scatter, *grams], threads, memory))


def _plus_sums(
    target: Array,
    found: Sequence[_ClassSums],
    threads: ThreadPool,
    memory: np.ndarray | None,
) -> Array:
    """Return `target`, (K, D), with sums of classes added, in other memory."""
    if not isinstance(target, np.ndarray):
        return sum((sums for _, sums in found), start=target)
    if all(ids is None for ids, _ in found):
        if memory is None or memory.shape != target.shape:
            memory = np.empty_like(target)
        return _sum_of([target, *(sums for _, sums in found)], threads, memory)
    total = target.copy()
    for ids, sums in found:
        arrays.add_sums(total, ids, sums)
    return total


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
