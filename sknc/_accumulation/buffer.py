"""The memory in which small batches wait until they make a block."""

from sknc._accumulation.block import Block
from sknc._array import device_of, namespace


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
        self.filled = 0

    @property
    def free(self) -> int:
        """Number of rows that still fit."""
        return self._n_rows - self.filled

    def accepts(self, block: Block) -> bool:
        """Whether the rows are of the same dtype, and weighted as those here."""
        same_dtype = block.features.dtype == self._features.dtype
        return same_dtype and (block.weights is None) == (self._weights is None)

    def append(self, block: Block) -> None:
        """Copy rows, for which there must be room."""
        part = slice(self.filled, self.filled + block.n_rows)
        self._features[part, :] = block.features
        self._index[part] = block.index
        if self._weights is not None:
            self._weights[part] = block.weights
        self.filled = part.stop

    def waiting(self) -> Block | None:
        """Return the rows that wait, if any, as views."""
        if not self.filled:
            return None
        part = slice(0, self.filled)
        return Block(self._features, self._index, self._weights).part(part)

    def clear(self) -> None:
        """Be empty."""
        self.filled = 0
