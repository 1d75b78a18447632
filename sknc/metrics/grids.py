"""Values for every pair of classes, which metrics summarize."""

from collections.abc import Callable, Iterator

import numpy as np

from sknc._utils.arrays import Array, device_of, namespace, row_squared_norms, tiles
from sknc._utils.docstrings import documented
from sknc._utils.parameters import check_choice, check_integer, check_positive
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue import sources as by
from sknc.metrics._catalogue.arguments import check_statistics
from sknc.metrics._shared.frames import spreads_of
from sknc.metrics._shared.geometry import centered_means
from sknc.metrics._shared.pairs import (
    PairBlock,
    inverse_norms,
    squared_chords,
    squared_rounding,
)
from sknc.statistics.held_out import AnyStatistics

_KINDS = ("inner_product", "cosine", "distance", "log_energy", "riesz_energy", "cdnv")


@documented(by.references(by.WU))
def pair_grid(
    source: AnyStatistics | LinearHead,
    kind: str = "cosine",
    *,
    convention: str | Convention = "default",
    power: float = 1.0,
) -> Array:
    r"""
    Return a value for every pair of classes, as a K x K array.

    The rows m_k are centered class means or rows of a head, with directions u_k:

    - ``"inner_product"``: :math:`\langle m_i, m_j \rangle`
    - ``"cosine"``: :math:`\langle u_i, u_j \rangle`
    - ``"distance"``: :math:`\lVert u_i - u_j \rVert`
    - ``"log_energy"``: :math:`-\log \lVert u_i - u_j \rVert`
    - ``"riesz_energy"``: :math:`\lVert u_i - u_j \rVert^{-s}`
    - ``"cdnv"``: :math:`(\sigma_i^2 + \sigma_j^2) / (2 \lVert m_i - m_j \rVert^2)`

    Parameters
    ----------
    source : ClassStatistics, HeldOutStatistics or LinearHead
        K classes, at least two, all with samples.
    kind : str, default="cosine"
        Which value.
    convention : str or Convention, default="default"
        Its center and bias correction. Rows of a head are not centered.
    power : float, default=1.0
        The exponent s of the Riesz energy.

    Returns
    -------
    float64 array of shape (K, K)
        Symmetric up to rounding, in the library and on the device of the source. Takes
        8 K^2 bytes, and twice as much during the computation. The diagonal is NaN for
        energies and ``"cdnv"``, which need two different classes.

    Raises
    ------
    ValueError
        If the kind is unknown, if it is ``"cdnv"`` for a head, or if there are fewer
        than two classes.

    See Also
    --------
    pair_grid_rows : The same, a few rows at a time.
    nc1_cdnv, nc2_equiangular, gnc2_energy_log : Summaries of such grids.

    Notes
    -----
    As in the metrics, close pairs are computed from differences, to full precision.

    Examples
    --------
    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import pair_grid
    >>> X = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> pair_grid(ClassStatistics.from_samples(X, np.arange(4)), "inner_product")
    array([[ 1.,  0., -1.,  0.],
           [ 0.,  1.,  0., -1.],
           [-1.,  0.,  1.,  0.],
           [ 0., -1.,  0.,  1.]])
    """
    rows = pair_grid_rows(source, kind, convention=convention, power=power)
    tiles_of_grid = [grid for _, grid in rows]
    return namespace(tiles_of_grid[0]).concat(tiles_of_grid)


@documented(pair_grid, by.references(by.WU))
def pair_grid_rows(
    source: AnyStatistics | LinearHead,
    kind: str = "cosine",
    *,
    convention: str | Convention = "default",
    power: float = 1.0,
    n_rows: int = 512,
) -> Iterator[tuple[slice, Array]]:
    """
    Yield `pair_grid` a few rows at a time, for any number of classes.

    Parameters
    ----------
    kind : str, default="cosine"
        Which value; see `pair_grid`.
    n_rows : int, default=512
        Rows at a time; takes about 24 ``n_rows`` K bytes.

    Returns
    -------
    iterator of (slice, float64 array of shape (at most n_rows, K))
        The slice of the grid, and its rows.

    Raises
    ------
    ValueError
        As in `pair_grid`, or if `n_rows` is not positive.

    See Also
    --------
    pair_grid : All rows in one array.

    Examples
    --------
    The nearest other class of each class:

    >>> import numpy as np
    >>> from sknc import ClassStatistics
    >>> from sknc.metrics import pair_grid_rows
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.0], [-1.0, -0.1]])
    >>> statistics = ClassStatistics.from_samples(X, np.arange(4))
    >>> for rows, grid in pair_grid_rows(statistics, "log_energy", n_rows=2):
    ...     print(rows.start, np.nanargmax(grid, axis=1))
    0 [1 0]
    2 [3 2]
    """
    check_choice("kind", kind, _KINDS)
    check_integer("n_rows", n_rows, "an integer of at least 1", lambda n: n >= 1)
    check_positive("power", power)
    if isinstance(source, LinearHead):
        if source.weights.shape[0] < 2:
            msg = "Pairs of classes require a head with at least 2 rows, got 1 row."
            raise ValueError(msg)
        if kind == "cdnv":
            msg = (
                'kind "cdnv" requires class means and variances: pass statistics, such '
                "as analyzer.statistics_, not a head."
            )
            raise ValueError(msg)
        fill = _of_vectors(source.weights, None, kind, power)
        return _in_tiles(source.weights, fill, kind, n_rows)
    check_statistics("source", source)
    agreed = Convention.preset(convention)
    means = centered_means(source, agreed)
    rounding = source.centers.mean_rounding()
    if kind == "cdnv":
        return _in_tiles(means, spreads_of(source, agreed).ratios, kind, n_rows)
    return _in_tiles(means, _of_vectors(means, rounding, kind, power), kind, n_rows)


def _in_tiles(
    vectors: Array, fill: Callable[[PairBlock], Array], kind: str, n_rows: int
) -> Iterator[tuple[slice, Array]]:
    xp, device = namespace(vectors), device_of(vectors)
    columns = xp.arange(vectors.shape[0], device=device)[None, :]
    for tile in tiles(int(vectors.shape[0]), n_rows):
        rows = xp.arange(tile.start, tile.stop, device=device)[:, None]
        grid = fill(PairBlock(vectors[tile, :] @ vectors.T, rows, columns))
        if kind in ("log_energy", "riesz_energy", "cdnv"):
            grid = xp.where(rows == columns, xp.nan, grid)
        yield tile, grid


def _of_vectors(
    vectors: Array, rounding: Array | None, kind: str, power: float
) -> Callable[[PairBlock], Array]:
    """Return a function that computes values from a block's inner products."""
    xp = namespace(vectors)
    squared_norms = row_squared_norms(vectors)
    inverse = inverse_norms(squared_norms)
    noise = squared_rounding(squared_norms, rounding) * inverse**2

    def fill(block: PairBlock) -> Array:
        if kind == "inner_product":
            return block.gram
        if kind == "cosine":
            return block.gram * block.of_rows(inverse) * block.of_cols(inverse)
        squared = squared_chords(block, vectors, inverse, noise)
        if kind == "distance":
            return xp.sqrt(squared)
        # Coinciding directions have infinite energy, and powers may overflow.
        with np.errstate(divide="ignore", over="ignore"):
            if kind == "log_energy":
                return -xp.log(squared) / 2
            return squared ** (-power / 2)

    return fill
