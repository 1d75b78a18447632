"""The features of layers, labels and decisions of one pass of a model over a loader."""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sknc.torch._batches import ModelBatch, unpacked
from sknc.torch._labels import TokenRule, hard_labels, labeled_rows
from sknc.torch._layer_probe import LayerProbe
from sknc.torch._passes import iterating
from sknc.torch.probe import FeatureProbe


@dataclass(frozen=True, eq=False)
class LayerRows:
    """The rows of one batch."""

    features: dict[str, torch.Tensor]  # (N, D), of each layer
    labels: torch.Tensor  # (N,), classes
    weights: Any  # (N,)
    decisions: torch.Tensor  # (N,), classes of the largest logits
    n_classes: int  # number of classes of the head


class LayerPasses:
    """
    Run a model with probed layers over loaders.

    Samples with the label `ignore_index` are skipped.
    """

    def __init__(
        self,
        model: nn.Module,
        probe: FeatureProbe,
        layers: LayerProbe,
        device: torch.device,
        unpack: Callable[[Any], Any] | None,
        ignore_index: int | None,
    ) -> None:
        self._model, self.probe, self._layers = model, probe, layers
        self._device, self._unpack = device, unpack
        self._ignore_index = ignore_index

    def over(self, loader: Iterable[Any]) -> Generator[LayerRows, None, None]:
        """Yield the rows of each batch that has some."""
        with iterating(loader) as batches:
            for batch in batches:
                rows = self._rows(unpacked(batch, self._model, self._unpack))
                if len(rows.labels):
                    yield rows

    def _rows(self, batch: ModelBatch) -> LayerRows:
        mask = batch.kwargs.get("attention_mask")
        self._layers.mask = mask if isinstance(mask, torch.Tensor) else None
        batch.call(self._model, self._device)
        found, logits = self._layers.take(), self.probe.logits
        if logits.ndim != 2:
            msg = (
                "analyze_layers measures one decision per sample: expected logits of "
                f"shape (samples, classes), got {tuple(logits.shape)}. Pass a model "
                "that pools them, or use sknc.torch.analyze, which measures tokens and "
                "places."
            )
            raise ValueError(msg)
        n_classes = int(logits.shape[-1])
        labels = hard_labels(batch.labels, logits, n_classes)
        self._check_samples(found, len(logits))
        rule = TokenRule(False, self._ignore_index, max(2, n_classes))
        every = torch.arange(len(logits), device=logits.device)[:, None]
        rows, labels, weights = labeled_rows(every, labels, batch.weights, rule)
        chosen = logits.argmax(1) if n_classes > 1 else (logits[:, 0] > 0).long()
        if len(rows) < len(every):
            found = {k: x[rows[:, 0].to(x.device)] for k, x in found.items()}
        return LayerRows(found, labels, weights, chosen[rows[:, 0]], rule.n_classes)

    def _check_samples(self, found: dict[str, torch.Tensor], n_samples: int) -> None:
        for name, features in found.items():
            if len(features) != n_samples:
                msg = (
                    f"The features of layer {name!r} must have one row per sample, "
                    f"{n_samples}, got {len(features)}: its first axis is not the "
                    "sample axis. Leave it out of layers=, or name the part of the "
                    "model that calls it."
                )
                raise ValueError(msg)
