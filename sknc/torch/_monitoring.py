"""The monitor of a callback: its parameters, its batches and its reports."""

import inspect
from collections.abc import Mapping
from typing import Any

from sknc._utils.parameters import refuse
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.report import NCReport
from sknc.report._building import with_notes
from sknc.torch._batches import unpacked
from sknc.torch._collectives import Ranks
from sknc.torch._rank_merging import merged_over_ranks
from sknc.torch.monitor import Monitor, checked_half_life

_OPTIONS = inspect.signature(Monitor).parameters.keys() - {"model", "half_life"}


class Monitoring:
    """The monitors of successive trainings, if `monitor` is True or "only"."""

    def __init__(
        self, monitor: Any, half_life: Any, options: Mapping[str, Any]
    ) -> None:
        if monitor not in (True, False, "only"):
            refuse("monitor", "True, False or 'only'", monitor)
        self.is_wanted, self.is_alone = bool(monitor), monitor == "only"
        self._unpack = options.get("unpack")
        self._options = {k: v for k, v in options.items() if k in _OPTIONS}
        self._options["half_life"] = checked_half_life(half_life)
        self._model: Any = None
        self._monitor: Monitor | None = None

    def begin(self, model: Any) -> None:
        """Watch a model that is about to be trained."""
        self.end()
        if self.is_wanted:
            self._model, self._monitor = model, Monitor(model, **self._options)

    def end(self) -> None:
        """Remove the hooks."""
        if self._monitor is not None:
            self._monitor.close()
        self._model = self._monitor = None

    def update(self, labels: Any) -> None:
        """Add the last forward pass, if a model is being watched."""
        if self._monitor is not None:
            self._monitor.update(labels)

    def update_batch(self, batch: Any) -> None:
        """Add the last forward pass, given the batch from the framework's loader."""
        if self._monitor is not None:
            self.update(unpacked(batch, self._model, self._unpack).labels)

    def report(self, *, distributed: bool = False) -> NCReport | None:
        """Report what all processes saw; None before two classes were seen."""
        if self._monitor is None:
            return None
        analyzer = self._monitor._analyzer()
        if not distributed:
            return (
                self._monitor._report_of(analyzer) if _has_classes(analyzer) else None
            )
        ranks = Ranks()
        merged = merged_over_ranks(analyzer, ranks)
        if not _has_classes(merged):
            return None
        report = self._monitor._report_of(merged)
        note = (
            f"{report.notes['monitor']} States of {ranks.size} processes were merged."
        )
        return with_notes(report, monitor=note)


def _has_classes(analyzer: NeuralCollapseAnalyzer) -> bool:
    """Whether there are at least two classes, as a report needs."""
    if not analyzer.__sklearn_is_fitted__():
        return False
    return len(analyzer.statistics_.observed) > 1
