"""Communication between the processes of a torch.distributed group."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from sknc._utils.arrays import Array

T = TypeVar("T")


class Ranks:
    """
    The processes of a group; all must call the same methods in the same order.

    `number` is the rank of this process in the group, and `size` the number of
    processes.
    """

    def __init__(self, group: Any = None) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            msg = (
                "torch.distributed is not initialized, so there is nothing to merge "
                "over: call torch.distributed.init_process_group(...) first, or start "
                "the program with torchrun."
            )
            raise RuntimeError(msg)
        self._group = group
        self.number, self.size = dist.get_rank(group), dist.get_world_size(group)
        if self.number < 0:
            msg = (
                f"Process {dist.get_rank()} is not in the group that was passed: call "
                "this in the processes of the group only."
            )
            raise ValueError(msg)

    def gathered(self, value: T) -> list[T]:
        """Return the values of all ranks; they must be picklable."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._group)
        return values

    def together(self, make: Callable[[], T]) -> T:
        """Return ``make()``; if it fails on one rank, raise on all ranks."""
        value, failure = None, None
        try:
            value = make()
        except Exception as error:
            failure = error
        reasons = self.gathered("" if failure is None else _described(failure))
        if failure is not None:
            raise failure
        for rank, reason in enumerate(reasons):
            if reason:
                msg = f"Rank {rank} failed, so nothing was merged: {reason}"
                raise RuntimeError(msg)
        return value  # type: ignore[return-value]

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what ``make()`` returns on the first rank, or raise what it raises."""
        outcome: list[Any] = [None, None]
        if not self.number:
            try:
                outcome[0] = make()
            except Exception as error:
                outcome[1] = error
        first = 0 if self._group is None else dist.get_global_rank(self._group, 0)
        dist.broadcast_object_list(outcome, src=first, group=self._group)
        value, failure = outcome
        if failure is not None:
            raise failure
        return value  # type: ignore[no-any-return]

    def copy_from_first(self, tensors: Iterable[torch.Tensor]) -> None:
        """Overwrite tensors with those of the first rank."""
        mine = [tensor.detach() for tensor in tensors]
        first = self.from_first(lambda: [tensor.cpu() for tensor in mine])
        for tensor, value in zip(mine, first, strict=True):
            value = value.to(tensor.device)
            if not torch.equal(tensor, value):
                tensor.copy_(value)

    def total(self, array: Array) -> Array:
        """Return the sum of an array that has the same shape and dtype on all ranks."""
        return self._reduced(array, dist.ReduceOp.SUM)

    def least(self, array: Array) -> Array:
        """Return the elementwise minimum of such an array over the ranks."""
        return self._reduced(array, dist.ReduceOp.MIN)

    def _reduced(self, array: Array, operation: Any) -> Array:
        # Copy, because the result overwrites the array.
        if isinstance(array, np.ndarray):
            tensor = torch.from_numpy(np.array(array, order="C"))
        else:
            tensor = array.detach().clone(memory_format=torch.contiguous_format)
        sent = tensor.to(self._device_for(tensor.device))
        dist.all_reduce(sent, operation, group=self._group)
        if isinstance(array, np.ndarray):
            return sent.cpu().numpy()
        return sent.to(array.device)

    def _device_for(self, device: torch.device) -> torch.device:
        """Return the device on which the group's backend accepts a tensor."""
        config = str(dist.get_backend_config(self._group))
        backends = dict(item.split(":") for item in config.split(","))
        if backends.get(device.type, "gloo") != "gloo":
            return device
        # Gloo sends from the host, NCCL from the current device of the process.
        return torch.device("cpu" if "cpu" in backends else next(iter(backends)))


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
