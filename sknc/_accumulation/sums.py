"""Sums of NumPy rows, taken while they are in the cache, without a scatter."""

import numpy as np

from sknc import _array
from sknc._accumulation.block import Block
from sknc._accumulation.rows import fill, finite, in_cache, quiet
from sknc._accumulation.totals import Terms, Totals


def terms(totals: Totals, block: Block, *, check: bool) -> Terms | None:
    """
    Return what a block adds to the totals.

    Parameters
    ----------
    totals : Totals
        What it is to be added to, without a scatter.
    block : Block
        Rows of classes that have anchors.
    check : bool
        Whether to look if the features are finite.

    Returns
    -------
    Terms or None
        The terms; None if the features are not finite.
    """
    moments, projector, n_rows = totals.moments, totals.projector, block.n_rows
    n_classes, n_features = moments.sums.shape
    step = min(n_rows, in_cache(n_features, n_classes))
    held = np.empty((step, n_features), moments.anchors.dtype)
    squares, energies, sums = np.empty(n_rows), np.empty(n_rows), []
    with quiet(check):
        for tile in _array.tiles(n_rows, step):
            part = block.part(tile)
            rows = held[: part.n_rows]
            roots = fill(part, moments.anchors, rows)
            squares[tile] = _array.row_squared_norms(rows)
            sums.append(_array.sums_by_index(part.index, rows, roots, n_classes))
            if projector is not None:
                energies[tile] = _array.row_squared_norms(rows @ projector)
    if check and not finite(squares, block.features):
        return None
    return Terms(
        index=block.index,
        weights=block.weights,
        squares=squares,
        energies=None if projector is None else energies,
        sums=sums,
    )
