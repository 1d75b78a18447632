"""Shared by the callbacks of all frameworks: loaders, measuring, metric names."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch.distributed

from sknc._utils.parameters import check_integer, refuse, shown
from sknc.convention import Convention
from sknc.metrics import select
from sknc.torch._collectives import Ranks
from sknc.torch._every_sample import every_sample, n_samples, part_of
from sknc.torch._monitoring import Monitoring
from sknc.torch._rank_agreement import check_alike
from sknc.torch.analysis import Analysis, analyze

_OPTIONS = tuple(
    inspect.signature(analyze).parameters.keys()
    - {"model", "loader", "held_out", "group"}
)


# Shared by the docstrings of all callbacks.
CALLBACK = """

Parameters
----------
every_n_steps : int, default=None
    Measure every this many optimizer steps instead.
history : NCHistory, default=None
    Stores every report, by step.
monitor : bool or "only", default=False
    Whether to also report, at the same times, the features that training sees,
    under names such as "nc/monitor/nc1_pinv" (see `sknc.torch.Monitor` for their
    bias). "only" reports these alone, without any pass over the samples, and stores
    them in `history`.
half_life : float, default=None
    Number of samples after which a sample counts half in the monitor.
prefix : str, default="nc"
    Prefix of the names of logged metrics.

Attributes
----------
analysis : Analysis or None
    The most recent analysis.

Raises
------
TypeError
    If `analyze` has no such option, or `history` is not an `NCHistory`.

See Also
--------
sknc.torch.analyze : What is measured, and how.
sknc.NCHistory : The reports by step.
"""


class Measuring:
    """
    Measure a model during training, and keep the reports.

    `loader` and `held_out` are None to use those of the framework; `held_out` is False
    for none. The options are those of `analyze`. `monitoring` sees the batches of
    training, and its metrics are reported too, or alone with ``monitor="only"``.
    """

    def __init__(
        self,
        loader: Iterable[Any] | None,
        held_out: Any,
        history: Any,
        prefix: str,
        options: Mapping[str, Any],
        monitor: Any = False,
        half_life: Any = None,
    ) -> None:
        if held_out is True:
            refuse("held_out", "a loader, False or None", held_out)
        _check_options(options)
        if history is not None and not callable(getattr(history, "append", None)):
            msg = f"history must be an sknc.NCHistory, got {shown(history)}."
            raise TypeError(msg)
        self._given = (loader, held_out)
        self._loaders: tuple[Any, Any] | None = None
        self._is_distributed = False
        self._history, self._prefix, self._options = history, prefix, dict(options)
        self.monitoring = Monitoring(monitor, half_life, options)
        self.analysis: Analysis | None = None

    def begin(self, loader: Any, held_out: Any, *, distributed: bool = False) -> None:
        """
        Choose the loaders before training starts.

        `loader` and `held_out` come from the framework: one, several, or None. With
        `distributed`, the processes of torch.distributed train together.
        """
        self._is_distributed = distributed
        if self.monitoring.is_alone:
            return
        train, other = self._given
        if train is None:
            train = every_sample(_only(loader, "loader"), distributed=distributed)
        if train is None:
            msg = "There is no loader of training samples: pass one with loader=..."
            raise ValueError(msg)
        if other is None:
            other = _only(held_out, "held_out")
            other = every_sample(other, distributed=distributed)
        self._loaders = train, None if other is False else other

    def measure(self, model: Any, step: float) -> dict[str, float]:
        """
        Measure a model, and add the reports to the history at a step.

        Returns every metric, under names such as "nc/train/nc1_pinv".
        """
        seen = self.monitoring.report(distributed=self._is_distributed)
        reports = {"monitor": seen}
        if self.monitoring.is_alone:
            self._remember(step, seen, None)
        else:
            found = self._analyzed(model)
            self.analysis = found
            self._remember(step, found.train, found.held_out)
            reports |= {"train": found.train, "held_out": found.held_out}
        return {
            f"{self._prefix}/{part}/{key}": value
            for part, report in reports.items()
            if report is not None
            for key, value in report.items()
        }

    def _analyzed(self, model: Any) -> Analysis:
        """Analyze a model; in distributed training each process runs on its part."""
        assert self._loaders is not None
        loader, held_out = self._loaders
        # All processes of a sharded model must run the same number of batches: all.
        if not self._is_distributed or _is_sharded(model):
            return analyze(model, loader, held_out=held_out, **self._options)
        ranks = Ranks()
        check_alike(
            "data sets of the same size",
            ranks.gathered((n_samples(loader), n_samples(held_out))),
            "Each process measures its part of the samples: give every process the "
            "whole data set.",
        )
        if held_out is not None:
            held_out = part_of(held_out, ranks.number, ranks.size)
        return analyze(
            model,
            part_of(loader, ranks.number, ranks.size),
            held_out=held_out,
            group=torch.distributed.group.WORLD,
            **self._options,
        )

    def _remember(self, step: float, train: Any, held_out: Any) -> None:
        is_first = not self._is_distributed or torch.distributed.get_rank() == 0
        if self._history is not None and train is not None and is_first:
            self._history.append(step, train, held_out)


class Schedule:
    """Which epochs, or steps if `every_n_steps` is given, are measured."""

    def __init__(self, every_n_epochs: int, every_n_steps: int | None = None) -> None:
        def checked(name: str, value: Any) -> int:
            return check_integer(name, value, "a positive integer", lambda n: n > 0)

        self._epochs = checked("every_n_epochs", every_n_epochs)
        self._steps = None
        if every_n_steps is not None:
            self._steps = checked("every_n_steps", every_n_steps)

    def has_epoch(self, n_epochs: int) -> bool:
        """Whether to measure after this many epochs."""
        return self._steps is None and n_epochs % self._epochs == 0

    def has_step(self, n_steps: int) -> bool:
        """Whether to measure after this many steps."""
        return self._steps is not None and n_steps % self._steps == 0


def _only(loaders: Any, name: str) -> Any:
    """Return the only loader of a framework, if it has one."""
    if not isinstance(loaders, (list, tuple, Mapping)):
        return loaders
    each = list(loaders.values() if isinstance(loaders, Mapping) else loaders)
    if len(each) > 1:
        msg = f"There are {len(each)} loaders to choose from: pass one with {name}=..."
        raise ValueError(msg)
    return each[0] if each else None


def _check_options(options: Mapping[str, Any]) -> None:
    """Raise for invalid options now, not after the first epoch."""
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        msg = (
            f"sknc.torch.analyze has no option {', '.join(unknown)}. Its options are "
            f"{', '.join(sorted(_OPTIONS))}."
        )
        raise TypeError(msg)
    select(options.get("metrics", "default"))
    Convention.preset(options.get("convention", "default"))


def _is_sharded(model: Any) -> bool:
    """Whether processes hold parts of the weights, and must run the model together."""
    names = {type(part).__name__ for part in model.modules()}
    marks = ("full_tensor", "ds_id")  # of FSDP and tensor parallelism, of DeepSpeed
    return "FullyShardedDataParallel" in names or any(
        hasattr(weight, mark) for weight in model.parameters() for mark in marks
    )
