"""One estimator, and one report, of the samples of all processes of a group."""

from collections.abc import Iterable
from typing import Any

from sknc.estimators.analyzer import NeuralCollapseAnalyzer
from sknc.report import NCReport
from sknc.torch._collectives import Ranks
from sknc.torch._merging import Estimator, merged_over_ranks, scored_over_ranks


def merge_over_ranks(analyzer: Estimator, group: Any = None) -> Estimator:
    """
    Return an estimator of the samples of all processes of torch.distributed.

    All processes of the group have to call it. They may have seen any number of samples
    of any classes, or none: such a process passes an unfitted estimator.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer or NearestClassCenter
        What this process has accumulated. It stays as it is.
    group : torch.distributed.ProcessGroup, default=None
        The processes; by default all of them. Gloo and NCCL are supported.

    Returns
    -------
    NeuralCollapseAnalyzer or NearestClassCenter
        A new one, with the same bits in every process, and with the parameters and the
        head of `analyzer`. Unfitted if no process has samples.

    Raises
    ------
    RuntimeError
        If torch.distributed is not initialized, or the state of another process cannot
        be read.
    ValueError
        In every process, if parameters, heads, widths, names of features, array
        libraries, devices, kinds of labels or numbers of groups differ.
    TypeError
        If `analyzer` is no such estimator.

    See Also
    --------
    sknc.distributed.score_over_ranks : A report of samples that processes share.

    Notes
    -----
    States of up to 1 MiB in all are gathered and merged. Larger ones are summed in two
    phases, in which a process sends less than twice its state, however many there are:
    first they agree on one point near the mean of each class, then sums about these
    points are added. That is as exact as one fit, also where classes are tight and far
    from the origin.

    Heads must have the same weights, bias and classes in all processes, to the last
    bit. The replicas of DistributedDataParallel have.

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
    Report the metrics of samples that processes share about the fitted centers.

    All processes of the group have to call it, each with the batches of its own
    samples, or with none.

    Parameters
    ----------
    analyzer : NeuralCollapseAnalyzer
        With the same state in every process, as `merge_over_ranks` returns it.
    batches : iterable of (X, y) or (X, y, sample_weight)
        The samples of this process, as in `NeuralCollapseAnalyzer.score_batches`.
    group : torch.distributed.ProcessGroup, default=None
        The processes; by default all of them.
    progress : bool, default=False
        Whether to show a progress bar, which takes tqdm.

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
        has batches; if a batch of this one is malformed.

    See Also
    --------
    sknc.distributed.merge_over_ranks : One fitted state of all processes.
    """
    return scored_over_ranks(analyzer, batches, Ranks(group), progress)
