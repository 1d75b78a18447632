"""Loaders of each sample of a data set once, and parts of them for processes."""

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

# Of the loader for a data set whose own batches have no fixed size.
_BATCH_SIZE = 128
_PARTS = ("num_workers", "collate_fn", "worker_init_fn", "multiprocessing_context")


def every_sample(loader: Any, *, distributed: bool = False) -> Any:
    """
    Return a loader of each sample of a data set once, in order.

    A loader of training shuffles, and may drop the last batch, draw samples repeatedly,
    or hold the share of one process, padded by samples of others. It is returned itself
    if its data set has no order, and refused then in distributed training.
    """
    if _ordered_dataset(loader) is not None:
        return _in_order(loader)
    if loader is not None and distributed:
        msg = (
            "In distributed training the loader of a process yields a part of the "
            "samples that is not known. Pass loaders that yield all samples in every "
            "process, which then measures its part of them: loader=..., "
            "held_out=... (or held_out=False)."
        )
        raise ValueError(msg)
    return loader


def part_of(loader: Any, rank: int, size: int) -> Any:
    """
    Return a loader of every so many-th sample, or batch, for one of several processes.

    Samples if the loader yields each sample of a data set once, in any order; otherwise
    batches, of which it must yield the same in all processes. The parts of all
    processes have each sample once, without padding.
    """
    dataset = _ordered_dataset(loader)
    if dataset is not None and _yields_each_once(loader):
        return _in_order(loader, range(rank, len(dataset), size))
    return _EveryNth(loader, rank, size)


def n_samples(loader: Any) -> int | None:
    """Return the size of a loader's data set, if that has an order."""
    dataset = _ordered_dataset(loader)
    return None if dataset is None else len(dataset)


class _EveryNth:
    """Every so many-th batch of a loader, from a first one on."""

    def __init__(self, loader: Iterable[Any], first: int, step: int) -> None:
        self.dataloader = loader  # found by what restores random numbers
        self._first, self._step = first, step

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches."""
        return islice(iter(self.dataloader), self._first, None, self._step)

    def __len__(self) -> int:
        """Return the number of batches, if the loader has one."""
        total = len(self.dataloader)  # type: ignore[arg-type]
        return len(range(self._first, total, self._step))


def _yields_each_once(loader: Any) -> bool:
    """Whether a loader samples its data set without repeating or choosing."""
    batches, sampler = (getattr(loader, n, None) for n in ("batch_sampler", "sampler"))
    if batches is not None and type(batches) is not BatchSampler:
        return False
    if isinstance(sampler, RandomSampler):
        draws_all = sampler.num_samples == len(loader.dataset)
        return draws_all and not sampler.replacement
    return isinstance(sampler, (SequentialSampler, DistributedSampler))


def _ordered_dataset(loader: Any) -> Any:
    """Return the data set of a loader, if its samples have numbers."""
    dataset = getattr(loader, "dataset", None)
    is_map = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    return dataset if is_map and not isinstance(dataset, IterableDataset) else None


def _in_order(loader: Any, sampler: Iterable[int] | None = None) -> Any:
    """Return a loader of the same data set, in order, or of some of its samples."""
    batches = getattr(loader, "batch_sampler", None)
    size = getattr(loader, "batch_size", None) or getattr(batches, "batch_size", None)
    if size is None and batches is not None:
        size = _BATCH_SIZE
    options = {name: getattr(loader, name) for name in _PARTS if hasattr(loader, name)}
    return DataLoader(loader.dataset, size, sampler=sampler, **options)
