"""Neural collapse by epoch or step in transformers: `NeuralCollapseCallback`."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from transformers import TrainerCallback

from sknc._utils.docstrings import documented
from sknc.torch._callbacks import CALLBACK, Measuring, Schedule
from sknc.torch.analysis import Analysis


@documented(CALLBACK)
class NeuralCollapseCallback(TrainerCallback):
    """
    Measure neural collapse while a Hugging Face trainer trains a model.

    Metrics are logged by the trainer, so all its integrations receive them, under names
    such as "nc/train/nc1_pinv" and "nc/held_out/nc4_mismatch". The latest values are
    also added to evaluations, with ``eval_`` before the name, where early stopping and
    ``metric_for_best_model`` find them. Training is unaffected, bit for bit, as with
    `sknc.torch.analyze`.

    Parameters
    ----------
    trainer : transformers.Trainer
        The trainer to which the callback is added; it is needed for logging.
    loader : iterable, default=None
        Samples to measure. By default each sample of the trainer's training set once,
        in order.
    held_out : iterable or False, default=None
        Held-out samples. By default those of the trainer's evaluation set, if it has
        one; False for none.
    every_n_epochs : int, default=1
        Number of epochs between measurements.
    **options
        Passed to `sknc.torch.analyze`, such as ``metrics="all"`` or ``shift=True``.

    Raises
    ------
    ValueError
        If another parameter is invalid, or, when training starts, if there are several
        evaluation sets to choose from.

    Notes
    -----
    To choose the best model by steps, measure as often as the trainer evaluates:
    ``every_n_steps`` equal to ``eval_steps``. In distributed training each process
    measures its part of the samples. All processes log the metrics of all samples, and
    the first one writes the history. A `loader` or `held_out` that is passed must be
    the same in all processes.

    Examples
    --------
    >>> from sknc.torch.transformers import NeuralCollapseCallback  # doctest: +SKIP
    >>> trainer = Trainer(model, arguments, ...)  # doctest: +SKIP
    >>> trainer.add_callback(NeuralCollapseCallback(trainer))  # doctest: +SKIP
    """

    def __init__(
        self,
        trainer: Any,
        loader: Iterable[Any] | None = None,
        *,
        held_out: Any = None,
        every_n_epochs: int = 1,
        every_n_steps: int | None = None,
        history: Any = None,
        monitor: bool | str = False,
        half_life: float | None = None,
        prefix: str = "nc",
        **options: Any,
    ) -> None:
        self._schedule = Schedule(every_n_epochs, every_n_steps)
        self._measuring = Measuring(
            loader, held_out, history, prefix, options, monitor, half_life
        )
        self._hook: Any = None
        self._has_seen = False
        self._trainer = trainer
        self._finds_held_out = held_out is None
        self._values: dict[str, float] = {}

    @property
    def analysis(self) -> Analysis | None:
        """The most recent analysis."""
        return self._measuring.analysis

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Choose the loaders, and move before callbacks that read the metrics."""
        self._watch(parts["model"])
        callbacks = self._trainer.callback_handler.callbacks
        # Early stopping reads an evaluation in its turn. And logging with the trainer
        # cancels the log of the loss that an earlier callback asked for.
        if self in callbacks:
            callbacks.remove(self)
            callbacks.insert(0, self)
        held_out = self._trainer.eval_dataset if self._finds_held_out else None
        if held_out is not None and not isinstance(held_out, dict):
            held_out = self._trainer.get_eval_dataloader()
        self._values = {}
        self._measuring.begin(
            parts.get("train_dataloader"), held_out, distributed=args.world_size > 1
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Measure if the step is due."""
        if self._measuring.monitoring.is_wanted and not self._has_seen:
            msg = (
                "The trainer runs its steps without the hooks of the model, as "
                "compiled code does, so there is nothing to monitor. Set "
                "torch_compile=False, or leave monitor= out."
            )
            raise RuntimeError(msg)
        if self._schedule.has_step(state.global_step):
            self._measure(state, parts["model"])

    def on_epoch_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Measure if the epoch is due, before it is evaluated."""
        # max_steps may cut the last epoch short.
        if self._schedule.has_epoch(math.ceil(state.epoch - 1e-6)):
            self._measure(state, parts["model"])

    def on_evaluate(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Add the latest metrics to those that choose the best model."""
        metrics = parts.get("metrics")
        if metrics is not None:
            metrics.update({f"eval_{k}": v for k, v in self._values.items()})

    def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Drop the metrics, because the next training may have another model."""
        self._values = {}
        self._leave_alone()

    def _watch(self, model: Any) -> None:
        """Show the monitor each forward pass of training with its labels."""
        self._leave_alone()
        self._has_seen = False
        self._measuring.monitoring.begin(model)
        if self._measuring.monitoring.is_wanted:
            self._hook = model.register_forward_hook(self._see, with_kwargs=True)

    def _leave_alone(self) -> None:
        self._measuring.monitoring.end()
        if self._hook is not None:
            self._hook.remove()
        self._hook = None

    def _see(self, model: Any, args: Any, kwargs: Any, output: Any) -> None:
        # Nothing else passes training batches to callbacks.
        if torch.compiler.is_compiling():
            return
        if not (model.training and torch.is_grad_enabled()):
            return
        self._has_seen = True
        if kwargs.get("labels") is None:
            msg = (
                "The trainer does not pass labels= to the model, as with label "
                "smoothing or a custom loss function, so there is nothing to monitor. "
                "Leave monitor= out."
            )
            raise RuntimeError(msg)
        self._measuring.monitoring.update(kwargs["labels"])

    def _measure(self, state: Any, model: Any) -> None:
        self._values = self._measuring.measure(model, state.global_step)
        self._trainer.log(dict(self._values))
