"""Neural collapse by epoch in skorch: `NeuralCollapseCallback`."""

from collections.abc import Iterable
from typing import Any

from skorch.callbacks import Callback

from sknc._utils.docstrings import documented
from sknc.torch._callbacks import CALLBACK, Measuring, Schedule
from sknc.torch.analysis import Analysis

_OWN = {"loader", "held_out", "every_n_epochs", "history", "prefix"}
_OWN |= {"monitor", "half_life"}


@documented(CALLBACK)
class NeuralCollapseCallback(Callback):
    """
    Measure neural collapse while a skorch net is fitted.

    Metrics are recorded in ``net.history``, under names such as "nc/train/nc1_pinv" and
    "nc/held_out/nc4_mismatch". Later callbacks, such as early stopping and checkpoints,
    can monitor them. Training is unaffected, bit for bit, as with `sknc.torch.analyze`.

    Parameters
    ----------
    loader : iterable, default=None
        Samples to measure. By default each sample of the training set once, in order.
    held_out : iterable or False, default=None
        Held-out samples. By default those of the validation set, if there is one; False
        for none.
    every_n_epochs : int, default=1
        Number of epochs between measurements.
    history : NCHistory, default=None
        Stores every report, by epoch. Clones of the net, as in a grid search, get
        copies of it.
    prefix : str, default="nc"
        Prefix of the names in ``net.history``.
    **options
        Passed to `sknc.torch.analyze`, such as ``metrics=["NC1"]`` or ``head="2"``.
        They are parameters of the callback like all others.

    Attributes
    ----------
    analysis_ : Analysis or None
        The most recent analysis.

    Raises
    ------
    TypeError
        When training starts, if `analyze` has no such option, or `history` is not an
        `NCHistory`.
    ValueError
        When training starts, if another parameter is invalid.

    Notes
    -----
    If a module ends in a softmax, name the layer before it: ``head="..."``. skorch
    prints a column for each metric; choose a few with ``metrics=``.

    Examples
    --------
    >>> from sknc.torch.skorch import NeuralCollapseCallback
    >>> callback = NeuralCollapseCallback(metrics=["nc1_cdnv"])
    >>> callback.get_params()["metrics"]
    ['nc1_cdnv']
    """

    def __init__(
        self,
        loader: Iterable[Any] | None = None,
        *,
        held_out: Any = None,
        every_n_epochs: int = 1,
        history: Any = None,
        monitor: bool | str = False,
        half_life: float | None = None,
        prefix: str = "nc",
        **options: Any,
    ) -> None:
        # As in all callbacks of skorch, attributes without a final underscore are the
        # parameters that clones get.
        self.loader = loader
        self.held_out = held_out
        self.every_n_epochs = every_n_epochs
        self.history = history
        self.monitor = monitor
        self.half_life = half_life
        self.prefix = prefix
        for name, value in options.items():
            setattr(self, name, value)
        self.analysis_: Analysis | None = None
        self.measuring_: Measuring | None = None

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        """Check the parameters, and watch the module."""
        parameters = self.get_params(deep=False)
        options = {k: v for k, v in parameters.items() if k not in _OWN}
        Schedule(self.every_n_epochs)
        self.measuring_ = Measuring(
            self.loader,
            self.held_out,
            self.history,
            self.prefix,
            options,
            self.monitor,
            self.half_life,
        )
        self.measuring_.monitoring.begin(net.module_)

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool | None = None, **_: Any
    ) -> None:
        """Add what the training step saw."""
        if training and self.measuring_ is not None:
            self.measuring_.monitoring.update_batch(batch)

    def on_epoch_end(
        self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **_: Any
    ) -> None:
        """Measure if the epoch is due."""
        epoch = len(net.history)
        measuring = self.measuring_
        if measuring is None or not Schedule(self.every_n_epochs).has_epoch(epoch):
            return
        loaders = [
            None if dataset is None else net.get_iterator(dataset, training=False)
            for dataset in (dataset_train, dataset_valid)
        ]
        accelerator = getattr(net, "accelerator", None)
        n_processes = getattr(accelerator, "num_processes", 1)
        measuring.begin(*loaders, distributed=n_processes > 1)
        for name, value in measuring.measure(net.module_, epoch).items():
            net.history.record(name, value)
        self.analysis_ = measuring.analysis

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **_: Any) -> None:
        """Drop the module and the samples, so that a pickled net does not hold them."""
        if self.measuring_ is not None:
            self.measuring_.monitoring.end()
        self.measuring_ = None
