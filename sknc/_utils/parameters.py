"""Checks of single parameters; errors say what was expected, and what was passed."""

import math
import reprlib
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80


def shown(value: object) -> str:
    """Return the `repr` of a value on one line, shortened if it is long."""
    return " ".join(_repr.repr(value).split())


def refuse(name: str, expected: str, value: object, remedy: str = "") -> NoReturn:
    """Raise the error for a parameter of the wrong type or value."""
    msg = f"{name} must be {expected}, got {shown(value)}. {remedy}".rstrip()
    raise ValueError(msg)


def check_iterable(name: str, value: Any, expected: str) -> list[Any]:
    """Return the items of an iterable as a list."""
    if not isinstance(value, Iterable):
        refuse(name, expected, value)
    return list(value)


def check_flag(name: str, value: Any, expected: str = "True or False") -> bool:
    """Return a boolean of Python or NumPy as Python's."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, expected, value)
    return bool(value)


def check_choice(name: str, value: Any, options: Collection[str]) -> str:
    """Return the value if it is one of the options."""
    if not isinstance(value, str) or value not in options:
        *others, last = [f'"{option}"' for option in options]
        refuse(name, f"{', '.join(others)} or {last}", value)
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is a single real number, not a boolean."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def is_integer(value: Any) -> bool:
    """Whether a value is a single integer, not a boolean."""
    return isinstance(value, Integral) and is_number(value)


def check_number(
    name: str, value: Any, expected: str, accepts: Callable[[float], bool]
) -> float:
    """Return a number that `accepts` allows, as a Python number."""
    if not is_number(value) or not accepts(value):
        refuse(name, expected, value)
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Return a finite positive number as a Python float."""
    return check_number(name, value, "a positive number", lambda x: 0 < x < math.inf)


def check_not_negative(name: str, value: Any) -> float:
    """Return a finite non-negative number as a Python float."""
    return check_number(
        name, value, "a number of at least 0", lambda x: 0 <= x < math.inf
    )


def check_integer(
    name: str, value: Any, expected: str, accepts: Callable[[int], bool]
) -> int:
    """Return an integer that `accepts` allows, as a Python int."""
    if not is_integer(value) or not accepts(value):
        refuse(name, expected, value)
    return int(value)
