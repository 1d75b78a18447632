"""Blocks of rows, and the memory in which small batches wait until they make one."""

from dataclasses import dataclass

from sknc._array import Array, device_of, namespace


@dataclass(frozen=True, eq=False)
class Block:
    """
    Rows that are added together.

    Parameters
    ----------
    features : array of shape (B, D)
        Features.
    index : int array of shape (B,)
        Class of each row.
    weights : array of shape (B,), or None
        Sample weights.
    """

    features: Array
    index: Array
    weights: Array | None

    @property
    def n_rows(self) -> int:
        """Number of rows, B."""
        return int(self.features.shape[0])

    def part(self, rows: slice) -> "Block":
        """Return some of the rows, as views."""
        weights = None if self.weights is None else self.weights[rows]
        return Block(self.features[rows, :], self.index[rows], weights)


class Buffer:
    """
    Copies of rows that wait until they make a block.

    Parameters
    ----------
    like : Block
        Its library, device, dtype and width are those of the buffer.
    n_rows : int
        Rows that make a block.
    """

    def __init__(self, like: Block, n_rows: int) -> None:
        features = like.features
        xp, device = namespace(features), device_of(features)
        shape = (n_rows, features.shape[1])
        self._features = xp.empty(shape, dtype=features.dtype, device=device)
        self._index = xp.empty(n_rows, dtype=xp.int64, device=device)
        self._weights = None
        if like.weights is not None:
            self._weights = xp.empty(n_rows, dtype=xp.float64, device=device)
        self._n_rows = n_rows
        self._filled = 0

    @property
    def free(self) -> int:
        """Number of rows that still fit."""
        return self._n_rows - self._filled

    def accepts(self, block: Block) -> bool:
        """Whether the rows are of the same dtype, and weighted as those here."""
        same_dtype = block.features.dtype == self._features.dtype
        return same_dtype and (block.weights is None) == (self._weights is None)

    def append(self, block: Block) -> None:
        """Copy rows, for which there must be room."""
        part = slice(self._filled, self._filled + block.n_rows)
        self._features[part, :] = block.features
        self._index[part] = block.index
        if self._weights is not None:
            self._weights[part] = block.weights
        self._filled = part.stop

    def take(self) -> Block | None:
        """Return the rows that wait, if any, and be empty; use them at once."""
        if not self._filled:
            return None
        part = slice(0, self._filled)
        self._filled = 0
        return Block(self._features, self._index, self._weights).part(part)
