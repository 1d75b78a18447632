"""One of several processes of a gloo group, which merge estimators and reports."""

import pickle
import sys
from pathlib import Path

import torch
from process_group import of_processes
from rank_cases import CASES, X, Y, fitted, found

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.distributed import merge_over_ranks, score_over_ranks
from sknc.torch import _rank_merging as module


def errors(rank):
    """Return the messages of what cannot be merged, as this rank gets them."""

    def merging(*analyzers):
        mine = analyzers[min(rank, 1)].fit(X, Y)
        return lambda: merge_over_ranks(mine)

    def scoring():
        mine = fitted("even", "plain", rank % 2, 2)[0]
        return score_over_ranks(mine, [(X, Y)])

    def failing():
        merged = merge_over_ranks(fitted("even", "plain", rank % 2, 2)[0])
        return score_over_ranks(merged, [(X, Y if rank else Y + 100)])

    attempts = {
        "convention": merging(
            NeuralCollapseAnalyzer(), NeuralCollapseAnalyzer(convention="papyan2020")
        ),
        "covariance": merging(
            NeuralCollapseAnalyzer(), NeuralCollapseAnalyzer(covariance=False)
        ),
        "groups": merging(
            NeuralCollapseAnalyzer(), NeuralCollapseAnalyzer(n_jackknife=3)
        ),
        "class": merging(NeuralCollapseAnalyzer(), NearestClassCenter()),
        "not merged": scoring,
        "one fails": failing,
        "no batches": lambda: score_over_ranks(
            merge_over_ranks(fitted("even", "plain", rank % 2, 2)[0]), []
        ),
    }
    told = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except Exception as error:
            told[name] = f"{type(error).__name__}: {error}"
    return told


def run(rank, size):
    """Return what this rank finds out."""
    everything = {}
    for most in (0, module._SMALL):
        module._SMALL = most
        for share, option in CASES:
            key = ("gathered" if most else "summed", share, option)
            everything[key] = found(
                share, option, rank, size, merge_over_ranks, score_over_ranks
            )
    everything["errors"] = errors(rank)
    everything["empty"] = merge_over_ranks(NeuralCollapseAnalyzer())
    half = torch.distributed.new_group([0, 1])
    if rank < 2:
        mine = fitted("even", "plain", rank, 2)[0]
        everything["half"] = merge_over_ranks(mine, half).n_samples_seen_
    else:
        try:
            merge_over_ranks(NeuralCollapseAnalyzer(), half)
        except ValueError as error:
            everything["half"] = str(error)
    return everything


if __name__ == "__main__":
    number, n_processes, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with of_processes(number, n_processes, folder):
        results = run(number, n_processes)
    Path(folder, str(number)).write_bytes(pickle.dumps(results))
