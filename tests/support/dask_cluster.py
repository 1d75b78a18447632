"""
Fit and score on a cluster of four processes, of which one is killed in the middle.

A process of its own: warnings are no errors in the threads of dask, and one that hangs
can be ended.
"""

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sknc import NeuralCollapseAnalyzer

N, K, D, N_BLOCKS = 1200, 6, 12, 40
_RNG = np.random.default_rng(0)
Y = np.arange(N) // 200  # a block has one class or two
X = 100 + 3 * _RNG.standard_normal((K, D))[Y] + _RNG.standard_normal((N, D))
HEAD = (_RNG.standard_normal((K, D)), _RNG.standard_normal(K))
WEIGHTS = np.where(np.arange(N) % 3, 1.0, 0.5)


def slowed(block, marks):
    """Write down which process has begun a block, and take some time."""
    (Path(marks) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
    time.sleep(0.2)
    return block


def makers(marks):
    """Return the process of each block that was begun."""
    return [int(path.name.partition("-")[0]) for path in marks.iterdir()]


def kill_one_worker(marks):
    """Kill a process that has begun its third block; return it, and blocks so far."""
    for _ in range(12_000):
        made_by = makers(marks)
        for pid in set(made_by):
            if made_by.count(pid) > 2:
                os.kill(pid, signal.SIGKILL)
                return pid, len(made_by)
        time.sleep(0.01)
    raise AssertionError(made_by)


def run(work, folder):
    """Fit or score with one worker less, and write what came out."""
    import dask.array as da

    from sknc.distributed import fit, score

    marks = folder / work
    marks.mkdir()
    rows = da.from_array(X, chunks=(N // N_BLOCKS, D)).map_blocks(
        slowed, marks=str(marks), meta=np.empty((0, 0))
    )
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_one_worker, marks)
        if work == "fit":
            report = fit(NeuralCollapseAnalyzer(HEAD), rows, Y).report()
        else:
            report = score(NeuralCollapseAnalyzer(HEAD).fit(X, Y), rows, Y)
        killed, begun = killing.result()
    found = {"killed": killed, "begun": begun, "made_by": makers(marks)}
    found["report"] = report.to_json()
    (folder / f"{work}.json").write_text(json.dumps(found))


def main():
    """Start the cluster."""
    from dask.distributed import Client, LocalCluster

    folder = Path(sys.argv[1])
    with (
        LocalCluster(
            n_workers=4,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=None,
        ) as cluster,
        Client(cluster) as client,
    ):
        for work in ("fit", "score"):
            client.wait_for_workers(4, timeout=120)
            run(work, folder)


if __name__ == "__main__":
    main()
