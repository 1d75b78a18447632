"""Adding one block of rows to the totals, for libraries other than NumPy."""

from dataclasses import replace

from sknc import _array
from sknc._accumulation.block import Block
from sknc._accumulation.totals import Totals
from sknc._array import Array, namespace


def add(totals: Totals, block: Block) -> Totals:
    """Return the totals with a block added; in place where the library can."""
    moments, index = totals.moments, block.index
    rows, root = _residuals(moments.anchors, block)
    lengths = _array.row_squared_norms(rows)
    scatter = moments.scatter
    if scatter is not None:
        scatter += _array.gram(rows)
    added = replace(
        moments,
        counts=_array.add_at(moments.counts, index, block.weights),
        sums=_array.add_rows_at(moments.sums, index, rows, root),
        squares=_array.add_at(moments.squares, index, lengths),
        scatter=scatter,
    )
    energies = totals.energies
    if totals.projector is not None:
        lengths = _array.row_squared_norms(rows @ totals.projector)
        energies = _array.add_at(energies, index, lengths)
    return replace(totals, moments=added, energies=energies)


def _residuals(points: Array, block: Block) -> tuple[Array, Array | None]:
    """Return residuals times sqrt(weight), and the sqrt(weight)."""
    xp = namespace(points)
    held = xp.take(points, block.index, axis=0)
    rows = xp.astype(block.features, points.dtype) - held
    if block.weights is None:
        return rows, None
    root = xp.astype(xp.sqrt(block.weights), rows.dtype)
    return rows * root[:, None], root
