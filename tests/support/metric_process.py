"""One of several processes that update a torchmetrics metric, and merge it."""

import sys

import torch
from process_group import of_processes
from torch import nn
from training_runs import D, K, X, Y

from sknc.torch.torchmetrics import NeuralCollapseMetric

FEATURES, LABELS = torch.tensor(X), torch.tensor(Y)


def head():
    """Return the head that all processes have."""
    torch.manual_seed(0)
    return nn.Linear(D, K)


def update(metric, rows=None):
    """Update with some of the samples, in batches of 16."""
    rows = range(len(Y)) if rows is None else rows
    for part in torch.tensor(list(rows), dtype=torch.long).split(16):
        if len(part):
            metric.update(FEATURES[part], LABELS[part])
    return metric


def share(rank, n_processes):
    """Return the rows of a process: uneven, class 3 on one only, none on the third."""
    first = {i for i in range(len(Y)) if Y[i] == 0 or (i % 5 == 0 and Y[i] != 3)}
    shares = [sorted(first), [i for i in range(len(Y)) if i not in first], []]
    assert n_processes in {2, 3}
    return shares[rank]


def run(rank, n_processes):
    """Return what a process computes, and how many samples it then has."""
    metric = update(NeuralCollapseMetric(head()), share(rank, n_processes))
    computed = {key: value.item() for key, value in metric.compute().items()}
    metric.update(FEATURES[:16], LABELS[:16])  # goes on with its own samples
    metric.sync()
    n_merged = metric._analyzer.n_samples_seen_
    metric.unsync()
    return computed, n_merged, metric._analyzer.n_samples_seen_


if __name__ == "__main__":
    number, n_processes, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with of_processes(number, n_processes, folder):
        results = run(number, n_processes)
    torch.save(results, f"{folder}/{number}")
