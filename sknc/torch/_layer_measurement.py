"""One estimator per layer, fitted and scored on the rows of one pass."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import torch
from torch import nn

from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.estimators.classifier import NearestClassCenter
from sknc.report import NCReport
from sknc.torch._cache import FeatureCache, Rows
from sknc.torch._layer_passes import LayerPasses, LayerRows

# Layers with more features do not keep their scatter, 32 MiB here, by default.
WIDEST_SCATTER = 2048


class LayerMeasurement:
    """
    One estimator per layer, fitted on the rows of passes.

    Up to `n_bytes` of features are kept in memory. The layers in `readers`, one of
    which may be the head, are measured by their inputs.
    """

    def __init__(
        self,
        passes: LayerPasses,
        options: dict[str, Any],
        covariance: bool | str,
        n_bytes: float,
        readers: dict[str, nn.Module],
    ) -> None:
        self._passes, self._options = passes, options
        self._covariance, self._n_bytes = covariance, n_bytes
        self._readers = readers
        self._analyzers: dict[str, NeuralCollapseAnalyzer] = {}

    def fitted(self, loader: Iterable[Any]) -> tuple[dict[str, NCReport], np.ndarray]:
        """Fit an estimator to each layer, and score the kept features."""
        return self._measured(loader, fit=True)

    def scored(self, loader: Iterable[Any]) -> tuple[dict[str, NCReport], np.ndarray]:
        """Score the samples of another loader about the fitted class means."""
        return self._measured(loader, fit=False)

    def notes(self) -> list[str]:
        """Return notes about layers whose scatter was not kept."""
        wide = [
            f"{name!r} ({analyzer.n_features_in_})"
            for name, analyzer in self._analyzers.items()
            if self._covariance == "auto" and not analyzer.covariance
        ]
        if not wide:
            return []
        return [
            f"Layers with more than {WIDEST_SCATTER} features did not keep their "
            f"scatter: {', '.join(wide)}. Pass covariance=True if a metric needs it."
        ]

    def _measured(
        self, loader: Iterable[Any], *, fit: bool
    ) -> tuple[dict[str, NCReport], np.ndarray]:
        with ExitStack() as stack:
            caches: dict[str, FeatureCache] = {}
            decisions: list[torch.Tensor] = []
            with closing(self._passes.over(loader)) as batches:
                for batch in batches:
                    if fit:
                        self._fit(batch)
                    self._keep(batch, caches, stack)
                    decisions.append(batch.decisions)
            if not decisions:
                msg = (
                    "The loader yields no labeled samples: expected at least one batch."
                )
                raise ValueError(msg)
            reports, shares = {}, []
            for name, cache in caches.items():
                scored = _Scored(self._analyzers[name], decisions)
                rows = scored.counting(cache.batches())
                reports[name] = self._analyzers[name].score_batches(rows)
                shares.append(scored.mismatch)
            return reports, np.array(shares)

    def _fit(self, batch: LayerRows) -> None:
        if not self._analyzers:
            self._analyzers = self._made_for(batch)
        # Labels are row numbers of the head, as in cross-entropy.
        classes = np.arange(batch.n_classes)
        for name, features in batch.features.items():
            self._analyzers[name].partial_fit(
                features, batch.labels, sample_weight=batch.weights, classes=classes
            )

    def _made_for(self, batch: LayerRows) -> dict[str, NeuralCollapseAnalyzer]:
        """Return an estimator for each layer, with the head if the head reads it."""
        probe, keeps, made = self._passes.probe, self._covariance, {}
        head = probe.linear_head()  # a copy, because training continues
        for name, features in batch.features.items():
            width = features.shape[1]
            reads = self._readers.get(name) is probe.head
            made[name] = NeuralCollapseAnalyzer(
                head if reads and width == head.weights.shape[1] else None,
                covariance=width <= WIDEST_SCATTER if keeps == "auto" else bool(keeps),
                **self._options,
            )
        return made

    def _keep(
        self, batch: LayerRows, caches: dict[str, FeatureCache], stack: ExitStack
    ) -> None:
        for name, features in batch.features.items():
            if name not in caches:
                share = self._n_bytes / len(batch.features)
                caches[name] = stack.enter_context(FeatureCache(share))
            rows: Rows = (features, batch.labels, batch.weights)
            for _ in caches[name].keeping([rows]):
                pass


class _Scored:
    """How often the nearest center of a layer differs from the model's decision."""

    def __init__(
        self, analyzer: NeuralCollapseAnalyzer, decisions: list[torch.Tensor]
    ) -> None:
        self._nearest = NearestClassCenter.from_statistics(analyzer.statistics_)
        self._decisions = decisions
        self._wrong = self._total = 0.0

    @property
    def mismatch(self) -> float:
        """Return the weighted share of samples."""
        return self._wrong / self._total if self._total else float("nan")

    def counting(self, batches: Iterable[Rows]) -> Iterator[Rows]:
        """Yield batches, and compare their decisions."""
        for rows, chosen in zip(batches, self._decisions, strict=True):
            features, _, weights = rows
            near = torch.as_tensor(self._nearest.predict(features))
            differs = (near.to(chosen.device) != chosen).to(torch.float64)
            if weights is None:
                self._wrong += float(differs.sum())
                self._total += len(chosen)
            else:
                weights = weights.to(differs)
                self._wrong += float((weights * differs).sum())
                self._total += float(weights.sum())
            yield rows
