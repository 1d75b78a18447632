"""Neural collapse by epoch or step in Lightning: `NeuralCollapseCallback`."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sknc._utils.docstrings import documented
from sknc.torch._callbacks import CALLBACK, Measuring, Schedule
from sknc.torch.analysis import Analysis

# The two libraries have different classes of callbacks: use the imported one.
if TYPE_CHECKING or (
    "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
):
    from pytorch_lightning import Callback
else:
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback


@documented(CALLBACK)
class NeuralCollapseCallback(Callback):
    """
    Measure neural collapse while a Lightning trainer fits a model.

    Metrics are logged with the model's ``log_dict``, so all loggers receive them, under
    names such as "nc/train/nc1_pinv" and "nc/held_out/nc4_mismatch". They are logged in
    time for early stopping and checkpoints to monitor them. Training is unaffected, bit
    for bit, as with `sknc.torch.analyze`.

    Parameters
    ----------
    loader : iterable, default=None
        Samples to measure. By default each sample in the data set of the trainer's
        training loader once, in order.
    held_out : iterable or False, default=None
        Held-out samples. By default those of the trainer's validation loader, if it has
        one; False for none.
    every_n_epochs : int, default=1
        Number of epochs between measurements. Measures after each validation of such an
        epoch, or at its end if there was none.
    submodule : str, default=None
        Name of the part of the Lightning module that maps inputs to logits, such as
        "net". By default the module itself, by its ``forward``.
    **options
        Passed to `sknc.torch.analyze`, such as ``metrics="all"`` or ``head="net.fc"``.

    Raises
    ------
    ValueError
        If another parameter is invalid, or, when training starts, if there are several
        loaders to choose from.

    Notes
    -----
    Lightning stores logged numbers in single precision; the history has double
    precision. In distributed training each process measures its part of the samples.
    All processes log the metrics of all samples, and the first one writes the history.
    A `loader` or `held_out` that is passed must be the same in all processes. The
    sanity check is not measured.

    Examples
    --------
    >>> from lightning import Trainer  # doctest: +SKIP
    >>> from sknc.torch.lightning import NeuralCollapseCallback  # doctest: +SKIP
    >>> Trainer(callbacks=[NeuralCollapseCallback()]).fit(model)  # doctest: +SKIP
    """

    def __init__(
        self,
        loader: Iterable[Any] | None = None,
        *,
        held_out: Any = None,
        every_n_epochs: int = 1,
        every_n_steps: int | None = None,
        history: Any = None,
        submodule: str | None = None,
        monitor: bool | str = False,
        half_life: float | None = None,
        prefix: str = "nc",
        **options: Any,
    ) -> None:
        super().__init__()
        self._schedule = Schedule(every_n_epochs, every_n_steps)
        self._measuring = Measuring(
            loader, held_out, history, prefix, options, monitor, half_life
        )
        self._submodule = submodule
        self._last_epoch = self._last_step = -1

    @property
    def analysis(self) -> Analysis | None:
        """The most recent analysis."""
        return self._measuring.analysis

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Choose the loaders, and watch the model."""
        self._last_epoch = self._last_step = -1
        self._measuring.monitoring.begin(self._model(pl_module))
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the monitor; measure if an optimizer step is due."""
        self._monitor(batch)
        step = trainer.global_step
        # While gradients accumulate, several batches end at the same step.
        if step and step != self._last_step and self._schedule.has_step(step):
            self._measure(trainer, pl_module, on_step=True)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Measure during validation, in time for callbacks that monitor it."""
        is_fit = trainer.state.fn == "fit" and not trainer.sanity_checking
        if is_fit and self._schedule.has_epoch(trainer.current_epoch + 1):
            self._measure(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Measure an epoch without validation."""
        epoch = trainer.current_epoch
        if epoch != self._last_epoch and self._schedule.has_epoch(epoch + 1):
            self._measure(trainer, pl_module)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Remove the hooks."""
        self._measuring.monitoring.end()

    def on_exception(self, trainer: Any, pl_module: Any, exception: Any) -> None:
        """Remove the hooks."""
        self._measuring.monitoring.end()

    def _model(self, pl_module: Any) -> Any:
        name = self._submodule
        return pl_module if name is None else pl_module.get_submodule(name)

    def _monitor(self, batch: Any) -> None:
        try:
            self._measuring.monitoring.update_batch(batch)
        except RuntimeError as error:
            msg = (
                f"{error} If training_step calls a part of the module, name it: "
                "submodule='net'."
            )
            raise RuntimeError(msg) from error

    def _begin(self, trainer: Any) -> None:
        self._measuring.begin(
            trainer.train_dataloader,
            trainer.val_dataloaders,
            distributed=trainer.world_size > 1,
        )

    def _measure(self, trainer: Any, pl_module: Any, on_step: bool = False) -> None:
        # Again, because trainers may load validation samples only when they are due.
        self._begin(trainer)
        step = trainer.global_step
        values = self._measuring.measure(self._model(pl_module), step)
        self._last_epoch, self._last_step = trainer.current_epoch, step
        pl_module.log_dict(
            values, on_step=on_step, on_epoch=not on_step, batch_size=1, sync_dist=True
        )
