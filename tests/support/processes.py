"""Several processes of one script, as torchrun starts them."""

import os
import subprocess
import sys
import time
from pathlib import Path

SUPPORT = Path(__file__).parent


def run_processes(script, n_processes, folder, *arguments, timeout=400):
    """
    Run ``script RANK N FOLDER *arguments`` in so many processes, and wait for all.

    If one fails or they take too long, the others are killed, which would wait for it.
    """
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    logs = [Path(folder) / f"log_{rank}" for rank in range(n_processes)]
    running = []
    for rank, log in enumerate(logs):
        command = [sys.executable, SUPPORT / script, rank, n_processes, folder]
        with log.open("w") as file:
            running.append(
                subprocess.Popen(
                    [*map(str, command), *map(str, arguments)],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **threads},
                )
            )
    end = time.monotonic() + timeout
    try:
        while any(process.poll() is None for process in running):
            late = time.monotonic() > end
            assert not late, f"{script} took longer than {timeout} s: {_read(logs)}"
            assert not any(process.poll() for process in running), _read(logs)
            time.sleep(0.05)
        assert not any(process.returncode for process in running), _read(logs)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _read(logs):
    return "\n".join(f"{log.name}:\n{log.read_text()}" for log in logs)
