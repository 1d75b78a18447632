"""
Measure neural collapse of features in files, on Ray.

    python docs/examples/ray_report.py FEATURES LABELS [--head HEAD] [--json FILE]

FEATURES and LABELS are patterns of files that every node can read, such as
'features_*.npy' and 'labels_*.npy', one file of labels for each file of features. HEAD
is an .npz file with `weights` and `bias`.

Every file is fitted by a task, which returns one state file, as bytes. Tasks merge
these, four at a time. Then every file is scored by a task, about the merged centers.
Ray runs a task again if its worker is lost, and makes anew what the worker had.

Run it on a node of a cluster with RAY_ADDRESS=auto; without, it starts Ray here.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ray

import sknc
from sknc.io import open_features

FAN_IN = 4  # states that a task merges, and has in memory
ROWS = 4096  # of a file that are read at a time


def packed(analyzer: Any) -> bytes:
    """Return the state file of an analyzer, which runs no code when it is read."""
    file = io.BytesIO()
    analyzer.save(file)
    return file.getvalue()


def unpacked(state: bytes) -> Any:
    """Return the analyzer of a state file."""
    return sknc.load(io.BytesIO(state))


def fit_file(parameters: dict[str, Any], features: str, labels: str) -> bytes:
    """Fit one file."""
    batches = open_features(features, labels=labels).batches(ROWS)
    return packed(sknc.NeuralCollapseAnalyzer(**parameters).fit_batches(batches))


def merge_states(*states: bytes) -> bytes:
    """Merge the states of several files."""
    first, *others = map(unpacked, states)
    return packed(first.merge(*others))


def score_file(state: bytes, features: str, labels: str) -> sknc.PartialScore:
    """Score one file about the centers of a state."""
    batches = open_features(features, labels=labels).batches(ROWS)
    return unpacked(state).partial_score(batches)


def merge_scores(first: Any, *others: Any) -> sknc.PartialScore:
    """Merge what was found in several files."""
    for other in others:
        first = first.merge(other)
    return first


def reduced(leaves: list[Any], merge: Callable[..., Any]) -> Any:
    """Merge the results of tasks in tasks, as a tree, and return the last one."""
    task = ray.remote(merge)
    while len(leaves) > 1:
        leaves = [
            task.remote(*leaves[i : i + FAN_IN]) for i in range(0, len(leaves), FAN_IN)
        ]
    return ray.get(leaves[0])


def report_of(files: list[tuple[str, str]], head: Any) -> sknc.NCReport:
    """Fit and score pairs of files."""
    parameters = ray.put({"head": head})
    fit = ray.remote(fit_file)
    state = reduced([fit.remote(parameters, *pair) for pair in files], merge_states)
    score, centers = ray.remote(score_file), ray.put(state)
    found = reduced([score.remote(centers, *pair) for pair in files], merge_scores)
    return unpacked(state).report_of([found])


def main() -> None:
    """Fit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--head", type=Path)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = [
        sorted(map(str, name.parent.glob(name.name)))
        for name in (chosen.features, chosen.labels)
    ]
    if not found[0] or len(found[0]) != len(found[1]):
        parser.error(
            f"got {len(found[0])} files of features, {len(found[1])} of labels"
        )
    head = None
    if chosen.head:
        with np.load(chosen.head) as file:
            head = file["weights"], file["bias"]
    ray.init()
    try:
        report = report_of(list(zip(*found, strict=True)), head)
    finally:
        ray.shutdown()
    print(report)
    if chosen.json:
        chosen.json.write_text(report.to_json())


if __name__ == "__main__":
    main()
