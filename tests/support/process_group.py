"""Groups of processes, as in a distributed training."""

import contextlib
import gc
from datetime import timedelta


@contextlib.contextmanager
def of_one_process():
    """Be the only process of a group."""
    import torch

    with _group(store=torch.distributed.HashStore(), rank=0, world_size=1):
        yield


@contextlib.contextmanager
def of_processes(rank, size, folder):
    """Be one of several processes, which meet in a file of a folder."""
    import torch

    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    with _group(init_method=meeting, rank=rank, world_size=size):
        yield


@contextlib.contextmanager
def _group(**options):
    """
    Be in a group until the end.

    What the body made is collected before the group ends: a wrapper that outlives its
    group destroys it while it holds the interpreter's lock, for which threads of the
    group may wait.
    """
    import torch

    wait = timedelta(seconds=300)
    torch.distributed.init_process_group("gloo", timeout=wait, **options)
    try:
        yield
    finally:
        gc.collect()
        torch.distributed.destroy_process_group()
