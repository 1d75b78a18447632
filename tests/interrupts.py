"""Ctrl-C at any line, where a signal could come."""

import contextlib
import sys
from pathlib import Path

import sknc

PACKAGE = str(Path(sknc.__file__).parent)
# Python's own helpers, inside of which a signal may come as well.
HELPERS = (contextlib.__file__,)


def run(call, place=0, files=(PACKAGE, *HELPERS)):
    """
    Call a function, and interrupt it before some line.

    Parameters
    ----------
    call : callable
        The function.
    place : int
        Which of the lines that it executes, from one; zero for none.
    files : tuple of str
        Lines in other files than those that begin so do not count.

    Returns
    -------
    int
        How many lines it executed; fewer than `place` if it was not interrupted.
    """
    n_lines = 0

    def trace(frame, event, _):
        nonlocal n_lines
        if not frame.f_code.co_filename.startswith(files):
            return None
        if event == "line":
            n_lines += 1
            if n_lines == place:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        assert place
    finally:
        sys.settrace(before)
    return n_lines
