"""
Run commands in processes that can be killed, without loading sknc for each of them.

Reads lines of JSON: arguments, a file for what is printed, and when to kill. Answers
each with the exit code, or minus the signal, and the seconds that it took.
"""

import json
import os
import pathlib
import signal
import sys
import time
import traceback

from sknc.cli import main


def run(argv, output, kill_after=None):
    """Return the exit code of a command, and how long it ran."""
    started = time.monotonic()
    child = os.fork()
    if not child:
        work(argv, output)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - started


def work(argv, output):
    """Run a command in this process, and leave it."""
    code = 70
    try:
        with pathlib.Path(output).open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            code = main(argv)
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
