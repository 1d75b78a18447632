"""Tests that go through a table."""

import functools
import inspect


def each(names, rows):
    """
    Run a test on each row of a table, as ``parametrize`` does, but as one test.

    For many quick rows, which cost less than a test of their own does. An error names
    the row. The rows share the fixtures, so these must not change.
    """
    names, rows = [names] if isinstance(names, str) else list(names), list(rows)
    assert rows

    def decorate(function):
        signature = inspect.signature(function)
        others = [p for p in signature.parameters.values() if p.name not in names]

        @functools.wraps(function)
        def test(*args, **fixtures):
            for row in rows:
                values = dict(zip(names, row if names[1:] else [row], strict=True))
                try:
                    function(*args, **fixtures, **values)
                except BaseException as error:
                    error.add_note(f"This was with {values}.")
                    raise

        test.__signature__ = signature.replace(parameters=others)
        return test

    return decorate
