"""Class statistics in which the weights of samples halve with their age."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.statistics.class_statistics import ClassStatistics

# New samples get larger weights instead of all others smaller ones, up to 2^32, which
# float32 products tolerate. Then all sums are halved that often, which is exact.
_MOST_HALVINGS = 32
# A class below this weight has had no samples for about 60 half-lives: it is below
# the rounding of all others.
_LEAST_COUNT = 2.0**-60


class ForgettingFit:
    """
    Class statistics in which a sample counts 2^(-age / half-life).

    Age is the number of samples that came after the sample's batch. With an infinite
    half-life all samples count the same. `options` are parameters of the estimator.
    """

    def __init__(self, half_life: float, options: dict[str, Any]) -> None:
        self.half_life = half_life
        self.n_seen = 0
        self._options = options
        self._fit: NeuralCollapseAnalyzer | None = None
        self._n_halvings = 0  # included in the sums
        # Sums of weights and of their squares, scaled like the statistics.
        self._sum = self._sum_of_squares = 0.0

    @property
    def effective_sample_size(self) -> float:
        """Effective sample size, (Σ w)² / Σ w²."""
        return self._sum**2 / self._sum_of_squares if self._sum else 0.0

    def add(
        self,
        features: torch.Tensor,
        labels: torch.Tensor,
        sizes: Sequence[int],
        n_classes: int,
    ) -> None:
        """Add rows of batches of these sizes, the oldest first, with labels from 0."""
        start, stop = 0, 0
        together: list[int] = []
        for size in sizes:
            n_halvings = self._halvings(self.n_seen + stop - start + size)[0]
            if n_halvings - self._n_halvings > _MOST_HALVINGS:
                part = slice(start, stop)
                self._add(features[part], labels[part], together, n_classes)
                start, together = stop, []
                self._halve(n_halvings - self._n_halvings)
            together.append(size)
            stop += size
        self._add(features[start:], labels[start:], together, n_classes)

    def _halvings(self, n_samples: float) -> tuple[int, float]:
        """Return the whole number of half-lives in `n_samples`, and the remainder."""
        whole, rest = divmod(float(n_samples), self.half_life)
        return int(whole), rest / self.half_life

    def _add(
        self,
        features: torch.Tensor,
        labels: torch.Tensor,
        sizes: Sequence[int],
        n_classes: int,
    ) -> None:
        """Add batches whose weights are in range."""
        if not len(labels):
            return
        weights = []
        for n_seen in self.n_seen + np.cumsum(sizes):
            whole, share = self._halvings(n_seen)
            weights.append(2.0 ** (whole - self._n_halvings + share))
        if self._fit is None:
            self._fit = NeuralCollapseAnalyzer(None, **self._options)
        self._fit.partial_fit(
            features,
            labels,
            classes=np.arange(n_classes),
            sample_weight=np.repeat(weights, sizes) if self._forgets else None,
        )
        self.n_seen += len(labels)
        self._sum += math.fsum(np.multiply(sizes, weights))
        self._sum_of_squares += math.fsum(np.multiply(sizes, np.square(weights)))

    @property
    def _forgets(self) -> bool:
        return math.isfinite(self.half_life)

    def _halve(self, times: int) -> None:
        """Halve all weights `times` times."""
        self._n_halvings += times
        if self._fit is None:
            return
        factor = math.ldexp(1.0, -times)
        held = self._fit.statistics_
        moments = held.moments.scaled(factor).without_few(_LEAST_COUNT)
        self._fit = self._fitted(replace(held, moments=moments))
        self._sum *= factor
        self._sum_of_squares *= factor**2

    def _fitted(self, statistics: ClassStatistics) -> NeuralCollapseAnalyzer:
        new = NeuralCollapseAnalyzer(None, **self._options)
        new._restore([statistics], fixed=True)
        return new

    def analyzer(self, head: Any) -> NeuralCollapseAnalyzer:
        """Return a fitted estimator whose counts are effective sample sizes."""
        assert self._fit is not None
        statistics = self._fit.statistics_
        if self._forgets:
            factor = self._sum / self._sum_of_squares
            statistics = replace(
                statistics,
                moments=statistics.moments.scaled(factor),
                n_samples=round(self.effective_sample_size),
            )
        new = self._fitted(statistics)
        new.head = head
        return new
