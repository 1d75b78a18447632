"""Rows of tensors, as NumPy arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sknc._utils.arrays import to_numpy


@dataclass(frozen=True)
class TorchRows:
    """Rows of a tensor as NumPy arrays; bfloat16 becomes float32, which is exact."""

    tensor: Any  # an object whose ``[start:stop]`` is a tensor

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return some rows."""
        return to_numpy(self.tensor[rows])
