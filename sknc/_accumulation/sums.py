"""Adding NumPy rows to the totals while they are in the cache, without a scatter."""

import numpy as np

from sknc import _array
from sknc._accumulation.block import Block
from sknc._accumulation.rows import fill, finite, in_cache, quiet
from sknc._accumulation.totals import Totals


def add(totals: Totals, block: Block, *, check: bool) -> bool:
    """
    Add a block to the totals, in place.

    Parameters
    ----------
    totals : Totals
        What to add to, without a scatter.
    block : Block
        Rows of classes that have anchors.
    check : bool
        Whether to add nothing if the features are not finite.

    Returns
    -------
    bool
        Whether it was added.
    """
    moments, n_rows = totals.moments, block.n_rows
    n_classes, n_features = moments.sums.shape
    step = min(n_rows, in_cache(n_features, n_classes))
    held = np.empty((step, n_features), moments.anchors.dtype)
    squares, energies, sums = np.empty(n_rows), np.empty(n_rows), []
    with quiet(check):
        for tile in _array.tiles(n_rows, step):
            part = block.part(tile)
            roots = None
            if part.weights is not None:
                roots = np.sqrt(part.weights).astype(held.dtype)
            rows = held[: part.n_rows]
            fill(part, moments.anchors, roots, rows)
            squares[tile] = _array.row_squared_norms(rows)
            sums.append(_array.sums_by_index(part.index, rows, roots, n_classes))
            if totals.projector is not None:
                along = rows @ totals.projector
                energies[tile] = _array.row_squared_norms(along)
    if check and not finite(squares, block.features):
        return False
    _array.add_at(moments.counts, block.index, block.weights)
    _array.add_at(moments.squares, block.index, squares)
    if totals.energies is not None:
        _array.add_at(totals.energies, block.index, energies)
    for classes, found in sums:
        _array.add_sums(moments.sums, classes, found)
    return True
