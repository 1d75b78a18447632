"""One of several processes of a gloo group, which merge estimators and reports."""

import pickle
import sys
from datetime import timedelta
from pathlib import Path

import torch
from rank_cases import CASES, X, Y, fitted, found

from sknc import NearestClassCenter, NeuralCollapseAnalyzer
from sknc.distributed import merge_over_ranks, score_over_ranks
from sknc.torch import _merging as module


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


def run(rank, size, folder):
    """Write down what this rank finds out."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=60),
    )
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
    torch.distributed.destroy_process_group()
    Path(folder, str(rank)).write_bytes(pickle.dumps(everything))


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
