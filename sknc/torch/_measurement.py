"""Fit and score an estimator on the outputs of a model, in one or many processes."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.head import LinearHead
from sknc.report import NCReport
from sknc.torch._cache import FeatureCache, Rows
from sknc.torch._collectives import Ranks
from sknc.torch._passes import Passes, Signature, Sized
from sknc.torch._rank_merging import merged_over_ranks, scored_over_ranks
from sknc.torch.probe import FeatureProbe

_Through = Callable[[Iterable[Rows]], Iterator[Rows]]


class Measurement:
    """
    Fit and score the rows of passes, also over processes with separate samples.

    `head_name` is set once samples were fitted.
    """

    def __init__(
        self,
        passes: Passes,
        probe: FeatureProbe,
        options: dict[str, Any],
        progress: bool,
        ranks: Ranks | None,
    ) -> None:
        self._passes, self._probe = passes, probe
        self._options, self._ranks = options, ranks
        self._progress = progress if ranks is None or ranks.number == 0 else False
        self.head_name = ""

    def in_one_pass(
        self, loader: Iterable[Any], n_bytes: float
    ) -> tuple[NeuralCollapseAnalyzer, NCReport]:
        """Fit, and score the kept features."""
        with FeatureCache(n_bytes) as kept:
            analyzer = self._fitted(loader, kept.keeping)
            return analyzer, self._report(analyzer, kept.batches())

    def in_two_passes(
        self, loader: Iterable[Any], rewind: Callable[[], None]
    ) -> tuple[NeuralCollapseAnalyzer, NCReport, tuple[str, ...]]:
        """Fit, run the model again, and score."""
        first, second = Signature(), Signature()
        analyzer = self._fitted(loader, first.of)
        rewind()
        report = self.scored(analyzer, loader, second.of)
        difference = first.differs_from(second)
        if self._ranks is not None:
            found = self._ranks.gathered(difference)
            difference = next(filter(None, found), "")
        if not difference:
            return analyzer, report, ()
        note = (
            f"The two passes over the loader saw {difference}: the class means are "
            "those of the first pass, NC1 and NC4 those of the second. The likely "
            "cause is augmentation or shuffling with an unknown random generator. Keep "
            "the features of one pass (cache=2**30), or pass a loader without "
            "randomness."
        )
        warnings.warn(note, UserWarning, stacklevel=3)
        return analyzer, report, (note,)

    def scored(
        self,
        analyzer: NeuralCollapseAnalyzer,
        loader: Iterable[Any],
        through: _Through = iter,
    ) -> NCReport:
        """Run the model over a loader, and score it."""
        with closing(self._passes.over(loader)) as rows:
            return self._report(analyzer, Sized(through(rows), loader), self._progress)

    def _report(
        self,
        analyzer: NeuralCollapseAnalyzer,
        batches: Iterable[Rows],
        progress: bool = False,
    ) -> NCReport:
        if self._ranks is None:
            return analyzer.score_batches(batches, progress=progress)
        return scored_over_ranks(analyzer, batches, self._ranks, progress)

    # Fitting --------------------------------------------------------------------

    def _fitted(
        self, loader: Iterable[Any], through: _Through
    ) -> NeuralCollapseAnalyzer:
        """Fit the samples of all processes."""
        ranks = self._ranks
        if ranks is None:
            analyzer = self._fitted_here(loader, through)
            self.head_name = "" if analyzer is None else self._probe.head_name
        else:
            own = ranks.together(lambda: self._fitted_here(loader, through))
            analyzer = self._merged(own, ranks)
        if analyzer is None:
            msg = "The loader yields no labeled samples: expected at least one batch."
            raise ValueError(msg)
        return analyzer

    def _fitted_here(
        self, loader: Iterable[Any], through: _Through
    ) -> NeuralCollapseAnalyzer | None:
        """Fit the samples of this process; None without samples."""
        with closing(self._passes.over(loader)) as rows:
            first = next(rows, None)
            if first is None:
                return None
            # A copy: the head keeps training, but must match the class means.
            head = self._probe.linear_head()
            analyzer = NeuralCollapseAnalyzer(head, **self._options)
            batches = Sized(through(chain([first], rows)), loader)
            # Labels are row numbers of the head, as in cross-entropy.
            classes = np.arange(max(2, int(head.weights.shape[0])))
            return analyzer.fit_batches(
                batches, classes=classes, progress=self._progress
            )

    def _merged(
        self, own: NeuralCollapseAnalyzer | None, ranks: Ranks
    ) -> NeuralCollapseAnalyzer | None:
        """Merge the analyzers of all processes; those without samples get the head."""
        names = ranks.gathered(None if own is None else self._probe.head_name)
        first = next((i for i, name in enumerate(names) if name is not None), None)
        if first is None:
            return None
        self.head_name = str(names[first])
        if None in names:
            is_sender = ranks.number == first
            sent = _on_host(self._probe.linear_head()) if is_sender else None
            head = ranks.gathered(sent)[first]
            if own is None:
                own = NeuralCollapseAnalyzer(head, **self._options)
        assert own is not None
        return merged_over_ranks(own, ranks)


def _on_host(head: LinearHead) -> LinearHead:
    bias = None if head.bias is None else arrays.to_numpy(head.bias)
    return LinearHead(arrays.to_numpy(head.weights), bias)
