"""Loaders that yield each sample once, and parts of them for processes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
)

# For a data set whose own batches have no fixed size.
_BATCH_SIZE = 128
_PARTS = ("num_workers", "collate_fn", "worker_init_fn", "multiprocessing_context")


def every_sample(loader: Any, *, distributed: bool = False) -> Any:
    """
    Return a loader that yields each sample of a data set once, in order.

    A training loader shuffles, and may drop the last batch, repeat samples, or hold the
    share of one process, padded with samples of others. If its data set has no order,
    the loader itself is returned; distributed training then raises an error.
    """
    if _ordered_dataset(loader) is not None:
        return _in_order(loader)
    if loader is not None and distributed:
        msg = (
            "In distributed training, a process cannot tell which part of the samples "
            "its loader yields. Pass loaders that yield all samples in every process; "
            "each process then measures its part: loader=..., held_out=... (or "
            "held_out=False)."
        )
        raise ValueError(msg)
    return loader


def part_of(loader: Any, rank: int, size: int) -> Any:
    """
    Return a loader of every `size`-th sample or batch, for one of several processes.

    Samples are split if the loader yields each sample of a data set once, in any order;
    otherwise batches are, which must then be the same in all processes. Together the
    parts have each sample once, without padding.
    """
    dataset = _ordered_dataset(loader)
    if dataset is not None and _yields_each_once(loader):
        return _in_order(loader, range(rank, len(dataset), size))
    return _EveryNth(loader, rank, size)


def n_samples(loader: Any) -> int | None:
    """Return the size of a loader's data set, if it has an order."""
    dataset = _ordered_dataset(loader)
    return None if dataset is None else len(dataset)


class _EveryNth:
    """Every `step`-th batch of a loader, starting from `first`."""

    def __init__(self, loader: Iterable[Any], first: int, step: int) -> None:
        self.dataloader = loader  # searched by `RandomNumbers`
        self._first, self._step = first, step

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        return islice(iter(self.dataloader), self._first, None, self._step)

    def __len__(self) -> int:
        """Return the number of batches, if the loader has one."""
        total = len(self.dataloader)  # type: ignore[arg-type]
        return len(range(self._first, total, self._step))


def _yields_each_once(loader: Any) -> bool:
    """Whether a loader yields each sample of its data set once."""
    batches, sampler = (getattr(loader, n, None) for n in ("batch_sampler", "sampler"))
    if batches is not None and type(batches) is not BatchSampler:
        return False
    if isinstance(sampler, RandomSampler):
        draws_all = sampler.num_samples == len(loader.dataset)
        return draws_all and not sampler.replacement
    return isinstance(sampler, (SequentialSampler, DistributedSampler))


def _ordered_dataset(loader: Any) -> Any:
    """Return the data set of a loader, if it can be indexed."""
    dataset = getattr(loader, "dataset", None)
    is_map = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    return dataset if is_map and not isinstance(dataset, IterableDataset) else None


def _in_order(loader: Any, sampler: Iterable[int] | None = None) -> Any:
    """Return a loader of the same data set, or of some of its samples, in order."""
    batches = getattr(loader, "batch_sampler", None)
    size = getattr(loader, "batch_size", None) or getattr(batches, "batch_size", None)
    if size is None and batches is not None:
        size = _BATCH_SIZE
    options = {name: getattr(loader, name) for name in _PARTS if hasattr(loader, name)}
    return DataLoader(loader.dataset, size, sampler=sampler, **options)
