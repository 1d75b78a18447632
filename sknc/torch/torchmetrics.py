"""Neural collapse of batches of features in torchmetrics: `NeuralCollapseMetric`."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import torch
import torchmetrics
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from sknc.convention import Convention
from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.report import NCReport
from sknc.torch.ranks import merge_over_ranks

_REFUSED = ("compute_on_cpu", "dist_sync_fn", "dist_sync_on_step")


class NeuralCollapseMetric(torchmetrics.Metric):
    """
    NC0 to NC3 of features and labels, batch by batch, as a torchmetrics metric.

    In distributed runs `compute` merges the states of all processes exactly. Each may
    have seen any number of samples of any classes, or none.

    Parameters
    ----------
    head : object, default=None
        The linear head, as in `sknc.NeuralCollapseAnalyzer`. Each `compute` reads its
        current weights. It is not part of the metric: its parameters are not the
        metric's, and clones of the metric share it.
    metrics, convention, covariance, n_jackknife : object
        As in `sknc.NeuralCollapseAnalyzer`.
    **kwargs
        Passed to `torchmetrics.Metric`, such as ``sync_on_compute=False``.

    Raises
    ------
    ValueError
        If torchmetrics has no such argument, or it is ``compute_on_cpu``,
        ``dist_sync_fn`` or ``dist_sync_on_step``, which have no effect here.

    See Also
    --------
    sknc.torch.FeatureProbe : Features and head of a model in a loop.
    sknc.torch.analyze : Includes NC4, in one pass of the model.

    Notes
    -----
    NC4 metrics compare samples with the final class means, so they need a second pass
    over the samples and are not included. As with other metrics, the state is not in
    ``state_dict``, but pickling keeps it.

    Examples
    --------
    >>> import torch
    >>> from sknc.torch.torchmetrics import NeuralCollapseMetric
    >>> metric = NeuralCollapseMetric(metrics=["nc1_trace_ratio"])
    >>> metric.update(torch.tensor([[2.0, 1.0], [-2.0, 0.0]]), torch.tensor([0, 1]))
    >>> metric.update(torch.tensor([[2.0, -1.0], [-2.0, 0.0]]), torch.tensor([0, 1]))
    >>> metric.compute()
    {'nc1_trace_ratio': tensor(0.1250, dtype=torch.float64)}
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    _is_synced: bool

    def __init__(
        self,
        head: Any = None,
        *,
        metrics: str | Iterable[str] = "default",
        convention: str | Convention = "default",
        covariance: bool = True,
        n_jackknife: int = 0,
        **kwargs: Any,
    ) -> None:
        refused = [name for name in _REFUSED if kwargs.get(name)]
        if refused:
            msg = (
                f"NeuralCollapseMetric does not support {', '.join(refused)}: its "
                "state is merged as a whole, on the device of the features, in "
                "compute. Leave it out."
            )
            raise ValueError(msg)
        super().__init__(**kwargs)
        self._head = _SharedHead(head)
        self._options: dict[str, Any] = {
            "metrics": metrics,
            "convention": convention,
            "covariance": covariance,
            "n_jackknife": n_jackknife,
        }
        self._analyzer: NeuralCollapseAnalyzer | None = None
        self._local: NeuralCollapseAnalyzer | None = None

    def update(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """
        Add a batch.

        Parameters
        ----------
        features : tensor of shape (batch, n_features)
            Inputs of the head.
        labels : tensor of shape (batch,)
            Classes, as integers.

        Raises
        ------
        ValueError
            If the batch is malformed, or does not fit the head.
        """
        self._analyzer = self._fitted(self._analyzer, features, labels)

    def compute(self) -> dict[str, torch.Tensor]:
        """
        Return the metrics of all batches of all processes.

        Returns
        -------
        dict of str to tensor
            One number per metric, in double precision.

        Raises
        ------
        ValueError
            If there are no batches, or samples of fewer than two classes.
        """
        if self._analyzer is None:
            msg = "There is nothing to compute: call update(features, labels) first."
            raise ValueError(msg)
        return self._values(self._analyzer)

    def forward(
        self, features: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """
        Add a batch, and return its metrics.

        Parameters
        ----------
        features, labels : tensor
            As in `update`.

        Returns
        -------
        dict of str to tensor
            One number per metric; empty if the batch has samples of one class only.

        Raises
        ------
        TorchMetricsUserError
            If the processes are synced.
        """
        if self._is_synced:
            msg = "The states of all processes are merged: call unsync() first."
            raise TorchMetricsUserError(msg)
        self.update(features, labels)
        batch = self._fitted(None, features, labels)
        has_two_classes = int((batch.class_count_ > 0).sum()) > 1
        self._forward_cache = self._values(batch) if has_two_classes else {}
        return self._forward_cache

    def reset(self) -> None:
        """Drop all batches."""
        super().reset()
        self._analyzer = self._local = None

    # Merging --------------------------------------------------------------------

    def merge_state(self, incoming_state: Any) -> None:
        """
        Add the batches of another metric.

        Parameters
        ----------
        incoming_state : NeuralCollapseMetric
            Metric of the same features; it is not changed.

        Raises
        ------
        ValueError
            If `incoming_state` is another object.
        """
        if not isinstance(incoming_state, NeuralCollapseMetric):
            msg = (
                "merge_state expected a NeuralCollapseMetric, got "
                f"{type(incoming_state).__name__}."
            )
            raise ValueError(msg)
        self._analyzer = self._merged([self._analyzer, incoming_state._analyzer])
        self._update_count += incoming_state._update_count
        self._computed = None

    def sync(
        self,
        dist_sync_fn: Any = None,
        process_group: Any = None,
        should_sync: bool = True,
        distributed_available: Any = None,
    ) -> None:
        """Merge the states of all processes; called by `compute`."""
        if self._is_synced and should_sync:
            msg = "The states of all processes are already merged."
            raise TorchMetricsUserError(msg)
        is_available = distributed_available or self.distributed_available_fn
        if not should_sync or not is_available():
            return
        mine = self._analyzer
        if mine is None:
            mine = NeuralCollapseAnalyzer(None, **self._options)
        merged = merge_over_ranks(mine, process_group or self.process_group)
        self._local = self._analyzer
        self._analyzer = merged if merged.__sklearn_is_fitted__() else None
        self._is_synced = True

    def unsync(self, should_unsync: bool = True) -> None:
        """Return to the state of this process; called by `compute`."""
        if not should_unsync:
            return
        if not self._is_synced:
            msg = "The states of processes are not merged."
            raise TorchMetricsUserError(msg)
        self._analyzer, self._local = self._local, None
        self._is_synced = False

    # The state ------------------------------------------------------------------

    def _fitted(
        self, analyzer: NeuralCollapseAnalyzer | None, features: Any, labels: Any
    ) -> NeuralCollapseAnalyzer:
        """Return an analyzer with one more batch, without the head."""
        if analyzer is not None:
            return analyzer.partial_fit(features.detach(), labels)
        # The first batch takes its classes from the head.
        new = NeuralCollapseAnalyzer(self._head.head, **self._options)
        new.partial_fit(features.detach(), labels)
        new.head = None  # it would be copied, pickled and sent with the state
        return new

    def _merged(
        self, parts: list[NeuralCollapseAnalyzer | None]
    ) -> NeuralCollapseAnalyzer | None:
        found = [part for part in parts if part is not None]
        if not found:
            return None
        return NeuralCollapseAnalyzer(None, **self._options).merge(*found)

    def _values(self, analyzer: NeuralCollapseAnalyzer) -> dict[str, torch.Tensor]:
        with_head = copy(analyzer)
        with_head.head = self._head.head
        report: NCReport = with_head.report()
        return {
            key: torch.tensor(value, dtype=torch.float64, device=self.device)
            for key, value in report.items()
        }


class _SharedHead:
    """A head that is copied only together with its model."""

    def __init__(self, head: Any) -> None:
        self.head = head

    def __deepcopy__(self, memo: dict[int, Any]) -> "_SharedHead":
        """Return the copy of the head made by the same call, or the head itself."""
        return _SharedHead(memo.get(id(self.head), self.head))
