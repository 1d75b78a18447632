"""Ctrl-C at any line, where a signal could come."""

import contextlib
import dis
import sys
from functools import cache
from pathlib import Path

import sknc

PACKAGE = str(Path(sknc.__file__).parent)
# Python's own helpers, inside of which a signal may come as well.
HELPERS = (contextlib.__file__,)


@cache
def _ends_of_with(code):
    """
    Return where a function begins to leave a ``with``, by offset.

    A traced line may come there, but no signal: Python looks for signals at calls and
    jumps, and the next call is that of ``__exit__``. An error raised there would keep a
    lock taken for ever.
    """
    found = [item for item in dis.get_instructions(code) if item.opname != "CACHE"]
    ends = set()
    for place, item in enumerate(found):
        start = place
        while found[start].opname in ("NOP", "SWAP", "POP_BLOCK") and start < len(
            found
        ):
            start += 1
        arguments = found[start : start + 3]
        if [(a.opname, a.argval) for a in arguments] == [("LOAD_CONST", None)] * 3:
            ends.add(item.offset)
    return ends


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
    list of (str, int)
        File and number of the lines that it reached; fewer than `place` if it was not
        interrupted.
    """
    reached = []

    def trace(frame, event, _):
        if not frame.f_code.co_filename.startswith(files):
            return None
        if event == "line" and frame.f_lasti not in _ends_of_with(frame.f_code):
            reached.append((frame.f_code.co_filename, frame.f_lineno))
            if len(reached) == place:
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
    return reached


def places(lines, most):
    """
    Choose where to interrupt.

    Parameters
    ----------
    lines : list of (str, int)
        As `run` returns them.
    most : int
        How many places to return.

    Returns
    -------
    list of int
        Every place if there are not too many; else the first and the last time at each
        line; and if these are too many, some of them and the last ones, where results
        are put in place.
    """
    if len(lines) > most:
        first = {line: place for place, line in reversed([*enumerate(lines, 1)])}
        last = {line: place for place, line in enumerate(lines, 1)}
        found = sorted({*first.values(), *last.values()})
    else:
        found = list(range(1, len(lines) + 1))
    if len(found) <= most:
        return found
    step = -(-2 * len(found) // most)
    return sorted({*found[::step], *found[-(most // 2) :]})
