"""Batches that wait to be added together, so that no step waits for a device."""

from dataclasses import dataclass
from typing import Any

import torch

from sknc._utils import arrays
from sknc.statistics._accumulation import rows_in_block
from sknc.torch._labels import TokenRule, check_range


@dataclass(frozen=True, eq=False)
class WaitedRows:
    """Finite rows with a class: of batches of these sizes, the oldest first."""

    features: torch.Tensor  # (N, D)
    labels: torch.Tensor  # (N,)
    sizes: tuple[int, ...]
    n_skipped: int  # other batches, of which a feature was NaN or infinite


class WaitingBatches:
    """Features and labels of some batches, up to the rows of one block of sums."""

    def __init__(self, ignore_index: int | None) -> None:
        self._ignored = ignore_index
        self._batches: list[tuple[torch.Tensor, torch.Tensor]] = []

    def is_full(self, *more: torch.Tensor) -> bool:
        """Whether there would be too many rows with these, or are enough now."""
        # The same blocks as of an estimator that gets batch by batch: the same sums.
        rows = [part for part, _ in self._batches] + list(more)
        if not rows:
            return False
        n_rows, most = sum(map(len, rows)), rows_in_block(int(rows[0].shape[1]))
        return n_rows > most if more else n_rows >= most

    def check(self, labels: torch.Tensor, rule: TokenRule) -> None:
        """Refuse labels that are no rows of the head, and wait for their device."""
        check_range(labels[self._has_class(labels)], rule)

    def _has_class(self, labels: torch.Tensor) -> torch.Tensor:
        if self._ignored is None:
            return torch.ones_like(labels, dtype=torch.bool)
        return labels != self._ignored

    def append(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Let a batch wait, with a copy of the labels: loaders may write over them."""
        self._batches.append((features, labels.clone()))

    def take(self) -> WaitedRows | None:
        """Return all that waits, and let nothing wait any more."""
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
