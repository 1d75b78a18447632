"""Checks of single parameters: what was expected, what came, and what to do."""

import math
import reprlib
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 80


def shown(value: object) -> str:
    """Return the `repr` of a value in one line, shortened if it is long."""
    return " ".join(_repr.repr(value).split())


def refuse(name: str, expected: str, value: object, remedy: str = "") -> NoReturn:
    """Raise the error for a parameter of another kind or range."""
    msg = f"{name} must be {expected}, got {shown(value)}. {remedy}".rstrip()
    raise ValueError(msg)


def check_iterable(name: str, value: Any, expected: str) -> list[Any]:
    """Return what an iterable yields."""
    if not isinstance(value, Iterable):
        refuse(name, expected, value)
    return list(value)


def check_flag(name: str, value: Any, expected: str = "True or False") -> bool:
    """Return a truth value of Python's or NumPy's as Python's."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, expected, value)
    return bool(value)


def check_choice(name: str, value: Any, options: Collection[str]) -> str:
    """Return one of several strings."""
    if not isinstance(value, str) or value not in options:
        *others, last = [f'"{option}"' for option in options]
        refuse(name, f"{', '.join(others)} or {last}", value)
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is one real number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def is_integer(value: Any) -> bool:
    """Whether a value is one whole number, and no truth value."""
    return isinstance(value, Integral) and is_number(value)


def check_number(
    name: str, value: Any, expected: str, accepts: Callable[[float], bool]
) -> float:
    """Return a number that `accepts` is true of, as Python's."""
    if not is_number(value) or not accepts(value):
        refuse(name, expected, value)
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Return a finite number above zero, as Python's."""
    return check_number(name, value, "a positive number", lambda x: 0 < x < math.inf)


def check_not_negative(name: str, value: Any) -> float:
    """Return a finite number of at least zero, as Python's."""
    return check_number(
        name, value, "a number of at least 0", lambda x: 0 <= x < math.inf
    )


def check_integer(
    name: str, value: Any, expected: str, accepts: Callable[[int], bool]
) -> int:
    """Return a whole number that `accepts` is true of, as Python's."""
    if not is_integer(value) or not accepts(value):
        refuse(name, expected, value)
    return int(value)
