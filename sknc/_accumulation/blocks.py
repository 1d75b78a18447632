"""What one block of rows adds to the totals, for libraries other than NumPy."""

from sknc import _array
from sknc._accumulation.block import Block
from sknc._accumulation.totals import Terms, Totals
from sknc._array import Array, namespace


def terms(totals: Totals, block: Block) -> Terms:
    """
    Return what a block adds to the totals.

    Parameters
    ----------
    totals : Totals
        What it is to be added to.
    block : Block
        Rows of classes that have anchors.

    Returns
    -------
    Terms
        The terms, on the device of the rows.
    """
    rows, root = _residuals(totals.moments.anchors, block)
    energies = None
    if totals.projector is not None:
        energies = _array.row_squared_norms(rows @ totals.projector)
    return Terms(
        index=block.index,
        weights=block.weights,
        squares=_array.row_squared_norms(rows),
        energies=energies,
        rows=(rows, root),
        grams=() if totals.moments.scatter is None else (_array.gram(rows),),
    )


def _residuals(points: Array, block: Block) -> tuple[Array, Array | None]:
    """Return residuals times sqrt(weight), and the sqrt(weight)."""
    xp = namespace(points)
    held = xp.take(points, block.index, axis=0)
    rows = xp.astype(block.features, points.dtype) - held
    if block.weights is None:
        return rows, None
    root = xp.astype(xp.sqrt(block.weights), rows.dtype)
    return rows * root[:, None], root
