"""
What it takes to merge the states of several gloo processes of one machine.

    python tests/benchmarks/ranks.py            # prints the rows of a table, a minute

`merge_over_ranks` in two phases against `all_gather_object` and `merge`. Bytes of the
arrays that are summed are counted. All-reduce in a ring of n ranks passes each number
2 (n - 1) times over n links, so a rank sends 2 (n - 1) / n times these bytes. The state
is its sums with one half of the symmetric scatter, as in a file.
"""

import tempfile
import time
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import multiprocessing

from sknc import ClassStatistics, NeuralCollapseAnalyzer
from sknc.distributed import merge_over_ranks
from sknc.statistics._moments import Moments
from sknc.torch import _rank_merging
from sknc.torch._rank_agreement import PartHeader

CASES = [  # ranks, classes, features, whether to gather too
    (2, 1000, 2048, True),
    (4, 1000, 2048, True),
    (2, 50257, 768, True),
    (4, 50257, 768, False),  # gathered, it takes some 6 GB a rank
]


def state(rank: int, n_classes: int, n_features: int) -> NeuralCollapseAnalyzer:
    """Return an analyzer as if it had seen ten float32 samples of each class."""
    rng = np.random.default_rng(rank)
    shape = (n_classes, n_features)
    moments = Moments(
        counts=np.full(n_classes, 10),
        anchors=rng.standard_normal(shape, dtype=np.float32),
        sums=rng.standard_normal(shape),
        squares=np.full(n_classes, 9.0 * n_features),
        scatter=10.0 * n_classes * np.eye(n_features),
    )
    n_samples = 10 * n_classes
    part = ClassStatistics(np.arange(n_classes), moments, n_samples, "float32")
    analyzer = NeuralCollapseAnalyzer()
    analyzer._restore([part])
    return analyzer


def gather_and_merge(analyzer: NeuralCollapseAnalyzer) -> NeuralCollapseAnalyzer:
    """Merge as one would by hand."""
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, analyzer)
    return NeuralCollapseAnalyzer().merge(*parts)


def seconds(function: Any, analyzer: NeuralCollapseAnalyzer) -> tuple[float, Any]:
    """Return the time until all ranks have merged, and what this one has."""
    dist.barrier()
    start = time.perf_counter()
    merged = function(analyzer)
    dist.barrier()
    return time.perf_counter() - start, merged


def run(rank: int, size: int, shape: tuple[int, int], gather: bool, at: str) -> None:
    """Print the row of a table."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{at}/meeting", rank=rank, world_size=size
    )
    n_classes, width = shape
    analyzer = state(rank, n_classes, width)
    n_bytes = PartHeader.of(analyzer.statistics_).n_bytes
    assert n_bytes * size > _rank_merging._SMALL
    sent, all_reduce = [], dist.all_reduce

    def counting(tensor: torch.Tensor, *rest: Any, **options: Any) -> Any:
        sent.append(tensor.numel() * tensor.element_size())
        return all_reduce(tensor, *rest, **options)

    dist.all_reduce = counting
    ours, merged = seconds(merge_over_ranks, analyzer)
    dist.all_reduce = all_reduce
    del merged
    theirs = seconds(gather_and_merge, analyzer)[0] if gather else float("nan")
    if rank == 0:
        ring = 2 * (size - 1) / size * sum(sent)
        cells = (
            f"K = {n_classes}, D = {width}",
            f"{size}",
            f"{n_bytes / 1e6:.0f} MB",
            f"{sum(sent) / n_bytes:.3f}×",
            f"{ring / n_bytes:.2f}×",
            f"{size - 1}×",
            f"{ours:.2g} s",
            f"{theirs:.2g} s" if gather else "",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
    dist.destroy_process_group()


def main() -> None:
    for size, n_classes, n_features, gather in CASES:
        with tempfile.TemporaryDirectory() as folder:
            arguments = (size, (n_classes, n_features), gather, folder)
            multiprocessing.spawn(run, arguments, nprocs=size)


if __name__ == "__main__":
    main()
