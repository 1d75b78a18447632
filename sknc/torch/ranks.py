"""Merge the estimators and reports of all processes of a group."""

from collections.abc import Iterable
from typing import Any

from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.report import NCReport
from sknc.torch._collectives import Ranks
from sknc.torch._rank_merging import Estimator, merged_over_ranks, scored_over_ranks


def merge_over_ranks(analyzer: Estimator, group: Any = None) -> Estimator:
    """
    Return an estimator of the samples of all processes of torch.distributed.

    All processes of the group must call it. Each may have seen any number of samples of
    any classes. A process without samples passes an unfitted estimator.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer or NearestClassCenter
        The estimator of this process, which is not changed.
    group : torch.distributed.ProcessGroup, default=None
        The processes; by default all of them. Gloo and NCCL are supported.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        A new estimator with the parameters and the head of `analyzer`, the same to the
        last bit in every process. Unfitted if no process has samples.

    Raises
    ------
    RuntimeError
        If torch.distributed is not initialized, or the state of another process cannot
        be read.
    ValueError
        In every process, if parameters, heads, widths, feature names, array libraries,
        devices, kinds of labels or numbers of groups differ.
    TypeError
        If `analyzer` is another object.

    See Also
    --------
    sknc.distributed.score_over_ranks : A report on the samples of all processes.

    Notes
    -----
    States of up to 1 MiB in total are gathered and merged. Larger ones are summed in
    two phases: processes first agree on one point near the mean of each class, then add
    sums about these points. A process sends less than twice its state, whatever the
    number of processes. The result is as exact as one fit, even where classes are tight
    and far from the origin.

    Heads must have the same weights, bias and classes in all processes, to the last
    bit, as replicas of DistributedDataParallel have.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.distributed import merge_over_ranks
    >>> torch.distributed.init_process_group(
    ...     "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    ... )
    >>> mine = NeuralCollapseAnalyzer().fit(np.eye(4), [0, 0, 1, 1])
    >>> merge_over_ranks(mine).n_samples_seen_
    4
    >>> torch.distributed.destroy_process_group()
    """
    return merged_over_ranks(analyzer, Ranks(group))


def score_over_ranks(
    analyzer: NeuralCollapseAnalyzer,
    batches: Iterable[Any],
    group: Any = None,
    *,
    progress: bool = False,
) -> NCReport:
    """
    Report the metrics of the samples of all processes about the fitted centers.

    All processes of the group must call it, each with the batches of its own samples,
    or with none.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer
        With the same state in every process, as returned by `merge_over_ranks`.
    batches : iterable of (X, y) or (X, y, sample_weight)
        The samples of this process, as in `NeuralCollapseAnalyzer.score_batches`.
    group : torch.distributed.ProcessGroup, default=None
        The processes; by default all of them.
    progress : bool, default=False
        Whether to show a progress bar; requires tqdm.

    Returns
    -------
    NCReport
        The same in every process.

    Raises
    ------
    RuntimeError
        If torch.distributed is not initialized, or another process failed.
    ValueError
        In every process, if parameters, heads or fitted states differ, or no process
        has batches; in this process, if one of its batches is malformed.

    See Also
    --------
    sknc.distributed.merge_over_ranks : One fitted state of all processes.
    """
    return scored_over_ranks(analyzer, batches, Ranks(group), progress)
