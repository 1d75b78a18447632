"""Features kept for a second pass, in memory or in a temporary file."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

Rows = tuple[torch.Tensor, torch.Tensor, Any]  # features, labels, weights
_ALIGNED = 64  # bytes


@dataclass(frozen=True)
class _Place:
    """Where the features of a batch are in the file."""

    start: int
    n_bytes: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class FeatureCache:
    """
    Batches of features that can be read several times.

    The first `n_bytes` are kept in memory, the rest in a temporary file. The file is
    deleted when the context closes.
    """

    def __init__(self, n_bytes: float) -> None:
        self._free = n_bytes
        self._batches: list[tuple[torch.Tensor | _Place, torch.Tensor, Any]] = []
        self._stack = ExitStack()
        self._file: Any = None
        self._device = torch.device("cpu")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Delete the file."""
        self._batches.clear()
        self._stack.close()

    def keeping(self, batches: Iterable[Rows]) -> Iterator[Rows]:
        """Yield batches, and keep them."""
        for features, labels, weights in batches:
            self._device = features.device
            self._batches.append((self._kept(features), labels, weights))
            yield features, labels, weights

    def batches(self) -> Iterator[Rows]:
        """Yield the kept batches, on their original device."""
        on_disk: Any = None
        if self._file is not None:
            self._file.flush()
            on_disk = np.memmap(self._file, np.uint8, "c")
        for kept, labels, weights in self._batches:
            features = kept if isinstance(kept, torch.Tensor) else _read(on_disk, kept)
            yield features.to(self._device), labels, weights

    def _kept(self, features: torch.Tensor) -> torch.Tensor | _Place:
        features = features.cpu().contiguous()
        size = features.numel() * features.element_size()
        if self._file is None and size <= self._free:
            self._free -= size
            return features
        if self._file is None:
            file = tempfile.TemporaryFile(prefix="sknc_features_")  # noqa: SIM115
            self._file = self._stack.enter_context(file)
        start = self._file.tell()
        try:
            self._file.write(memoryview(features.view(torch.uint8).numpy()))
            self._file.write(b"\0" * (-size % _ALIGNED))
        except OSError as error:
            error.add_note(
                "The features fit neither into the memory allowed by cache= nor into "
                f"the temporary folder, {tempfile.gettempdir()}. Free space there, set "
                "the variable TMPDIR to another folder, or run the model twice: "
                "cache='none'."
            )
            raise
        return _Place(start, size, tuple(features.shape), features.dtype)


def _read(on_disk: np.ndarray, place: _Place) -> torch.Tensor:
    part = on_disk[place.start : place.start + place.n_bytes]
    return torch.from_numpy(part).view(place.dtype).reshape(place.shape)
