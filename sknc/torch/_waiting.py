"""Batches that are buffered, so that training steps do not wait for a device."""

from dataclasses import dataclass
from typing import Any

import torch

from sknc._utils import arrays
from sknc.statistics._accumulation import rows_in_block
from sknc.torch._labels import TokenRule, check_range


@dataclass(frozen=True, eq=False)
class WaitedRows:
    """Finite rows with a class, from batches of these sizes, the oldest first."""

    features: torch.Tensor  # (N, D)
    labels: torch.Tensor  # (N,)
    sizes: tuple[int, ...]
    n_skipped: int  # number of other batches, with a NaN or infinite feature


class WaitingBatches:
    """Buffered features and labels, up to the rows of one block of sums."""

    def __init__(self, ignore_index: int | None) -> None:
        self._ignored = ignore_index
        self._batches: list[tuple[torch.Tensor, torch.Tensor]] = []

    def is_full(self, *more: torch.Tensor) -> bool:
        """Whether the buffer is full, or would overflow with these rows."""
        # The same blocks, and so the same sums, as an estimator fed batch by batch.
        rows = [part for part, _ in self._batches] + list(more)
        if not rows:
            return False
        n_rows, most = sum(map(len, rows)), rows_in_block(int(rows[0].shape[1]))
        return n_rows > most if more else n_rows >= most

    def check(self, labels: torch.Tensor, rule: TokenRule) -> None:
        """Raise for labels that are not rows of the head; waits for their device."""
        check_range(labels[self._has_class(labels)], rule)

    def _has_class(self, labels: torch.Tensor) -> torch.Tensor:
        if self._ignored is None:
            return torch.ones_like(labels, dtype=torch.bool)
        return labels != self._ignored

    def append(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Buffer a batch; labels are copied, because loaders may overwrite them."""
        self._batches.append((features, labels.clone()))

    def take(self) -> WaitedRows | None:
        """Return all buffered rows, and empty the buffer."""
        batches, self._batches = self._batches, []
        if not batches:
            return None
        with arrays.plain_arithmetic(batches[0][0]):
            return self._kept(batches)

    def _kept(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> WaitedRows:
        sizes = [len(labels) for _, labels in batches]
        features, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        keep = self._has_class(labels)
        finite = torch.isfinite(features).all(1) | ~keep
        n_kept = torch.stack([part.sum() for part in keep.split(sizes)])
        is_finite = torch.stack([part.all() for part in finite.split(sizes)])
        repeats: Any = torch.tensor(sizes, device=keep.device)
        keep &= is_finite.repeat_interleave(repeats, output_size=len(keep))
        # The only time that the host waits for the device.
        found = torch.stack([n_kept, is_finite.to(n_kept.dtype)]).tolist()
        kept = tuple(int(n) for n, flag in zip(*found, strict=True) if flag)
        if sum(kept) < len(keep):
            features, labels = features[keep], labels[keep]
        return WaitedRows(features, labels, kept, len(sizes) - len(kept))
