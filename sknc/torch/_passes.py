"""The features and labels of one pass of a model over a loader."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from sknc.torch._batches import ModelBatch, unpacked
from sknc.torch._cache import Rows
from sknc.torch._labels import TokenRule, hard_labels, labeled_rows
from sknc.torch._shift import is_shifted
from sknc.torch.probe import FeatureProbe

# Relative to the spread of features: above the effect of summation order.
_SAME = 1e-4


class Passes:
    """
    Run a probed model over loaders, yielding rows of features with labels.

    With `shift`, a token goes with the label of the next one; None detects this from
    the first batch. Rows with the label `ignore_index` are skipped.
    """

    def __init__(
        self,
        model: nn.Module,
        probe: FeatureProbe,
        device: torch.device,
        unpack: Callable[[Any], Any] | None,
        shift: bool | None,
        ignore_index: int | None,
    ) -> None:
        self._model, self._probe = model, probe
        self._device, self._unpack = device, unpack
        self._shift, self._ignore_index = shift, ignore_index

    def over(self, loader: Iterable[Any]) -> Generator[Rows, None, None]:
        """Yield the rows of each batch that has some."""
        with iterating(loader) as batches:
            for batch in batches:
                rows = self._rows(unpacked(batch, self._model, self._unpack))
                if len(rows[0]):
                    yield rows

    def _rows(self, batch: ModelBatch) -> Rows:
        batch.call(self._model, self._device)
        features, logits = self._probe.features, self._probe.logits
        labels = hard_labels(batch.labels, features, int(logits.shape[-1]))
        if self._shift is None and bool((labels != self._ignore_index).any()):
            self._shift = features.ndim == 3 and is_shifted(
                self._model, batch, labels, logits, self._ignore_index
            )
        if self._shift and features.ndim != 3:
            msg = (
                "shift=True is for token models: expected features of shape (batch, "
                f"tokens, features), got {tuple(features.shape)}. Leave shift out."
            )
            raise ValueError(msg)
        n_classes = max(2, int(logits.shape[-1]))  # one row separates two classes
        rule = TokenRule(bool(self._shift), self._ignore_index, n_classes)
        return labeled_rows(features, labels, batch.weights, rule)


@contextmanager
def iterating(loader: Iterable[Any]) -> Iterator[Iterator[Any]]:
    """Iterate over a loader, and stop its workers even after an error."""
    batches = iter(loader)
    try:
        yield batches
    finally:
        stop = getattr(batches, "_shutdown_workers", None)
        if stop is not None and not getattr(batches, "_persistent_workers", True):
            stop()


class Sized:
    """Batches with the length of their loader, for a progress bar."""

    def __init__(self, batches: Iterable[Rows], loader: Iterable[Any]) -> None:
        self._batches, self._loader = batches, loader

    def __iter__(self) -> Iterator[Rows]:
        """Yield the batches."""
        return iter(self._batches)

    def __len__(self) -> int:
        """Return the number of batches of the loader, if it has one."""
        return len(self._loader)  # type: ignore[arg-type]


class Signature:
    """Summary of the samples of a pass, to check that two passes saw the same ones."""

    def __init__(self) -> None:
        self._labels: list[np.ndarray] = []
        self._means: list[np.ndarray] = []

    def of(self, batches: Iterable[Rows]) -> Iterator[Rows]:
        """Yield batches, and record one number for each sample."""
        for features, labels, weights in batches:
            means = features.to(torch.float64).mean(1)
            self._means.append(means.cpu().numpy())
            self._labels.append(labels.cpu().numpy())
            yield features, labels, weights

    def differs_from(self, other: "Signature") -> str:
        """Return how the samples of another pass differ, or an empty string."""
        mine, theirs = self._sorted(), other._sorted()
        if len(mine[0]) != len(theirs[0]):
            return f"{len(mine[0])} samples and {len(theirs[0])}"
        if not np.array_equal(mine[0], theirs[0]):
            return "samples of other classes"
        if not len(mine[0]):
            return ""
        scale = float(np.std(mine[1])) or float(np.max(np.abs(mine[1])))
        if np.max(np.abs(mine[1] - theirs[1])) > _SAME * scale:
            return "other features of the samples"
        return ""

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        labels = np.concatenate([np.empty(0, np.int64), *self._labels])
        means = np.concatenate([np.empty(0), *self._means])
        order = np.lexsort((means, labels))
        return labels[order], means[order]
