"""Ranks that are threads of one process."""

import functools
import pickle
import threading

import torch

from sknc.torch._collectives import Ranks


class ThreadRanks(Ranks):
    """Ranks that are threads of one process."""

    def __init__(self, number, size, table, barrier):
        self.number, self.size = number, size
        self._table, self._barrier = table, barrier

    def gathered(self, value):
        self._table[self.number] = pickle.dumps(value)
        self._barrier.wait()
        values = [pickle.loads(self._table[rank]) for rank in range(self.size)]
        self._barrier.wait()
        return values

    def from_first(self, make):
        value = failure = None
        if not self.number:
            try:
                value = make()
            except Exception as error:
                failure = error
        value, failure = self.gathered((value, failure))[0]
        if failure is not None:
            raise failure
        return value

    def _reduced(self, array, operation):
        arrays = self.gathered(array)
        shapes = {(tuple(a.shape), str(a.dtype)) for a in arrays}
        assert len(shapes) == 1, shapes
        is_least = operation == torch.distributed.ReduceOp.MIN
        add = torch.minimum if is_least else torch.add
        total = functools.reduce(add, map(torch.as_tensor, arrays))
        return total if isinstance(array, torch.Tensor) else total.numpy()


def in_ranks(size, work):
    """Return what ``work(ranks)`` returns or raises on each rank."""
    results = [None] * size
    barrier = threading.Barrier(size, timeout=30)
    table = {}

    def run(rank):
        try:
            results[rank] = work(ThreadRanks(rank, size, table, barrier))
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
