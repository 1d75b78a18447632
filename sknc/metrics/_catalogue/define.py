"""The decorator that turns a function into a metric with a complete docstring."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sknc.head import LinearHead
from sknc.metrics._catalogue.arguments import check_arguments, with_checked_arguments
from sknc.metrics._catalogue.docstrings import complete_docstring, docstring_for_head
from sknc.metrics._catalogue.metric import Input, Metric
from sknc.metrics._catalogue.properties import PROPERTIES
from sknc.metrics._catalogue.sources import Source
from sknc.metrics._catalogue.why_undefined import single_samples

F = TypeVar("F", bound=Callable[..., float])

# Metrics defined so far, by key.
ROWS: dict[str, Metric] = {}


def metric(
    group: str,
    *,
    sources: Sequence[Source],
    interval: str,
    needs: Sequence[Input] = (),
    **fields: Any,
) -> Callable[[F], F]:
    """
    Turn a function into a metric of a property.

    The function is added to the table under its name, and its docstring is completed
    from its row: parameters, range, direction, when the value is undefined,
    invariances, sources. Each call first checks its statistics, head and convention.
    `needs` are inputs that must exist besides its arguments; `fields` are other fields
    of `Metric`. By default, metrics of NC1 have a note on classes with one sample.
    """
    if group not in PROPERTIES:
        msg = (
            f"The property of a metric must be one of {', '.join(PROPERTIES)}, got "
            f"{group!r}. To add a property, add a line to "
            "sknc/metrics/_catalogue/properties.py."
        )
        raise ValueError(msg)
    if group == "NC1":
        fields.setdefault("caveats", (single_samples,))
    fields |= {"sources": tuple(sources), "interval": interval}

    def define(function: F) -> F:
        arguments, checked = _arguments(function), with_checked_arguments(function)
        _enter(Metric(checked, group, (*arguments, *needs), **fields))
        return checked  # type: ignore[return-value]

    return define


def of_head(
    function: Callable[..., float], **fields: Any
) -> Callable[[LinearHead], float]:
    """
    Define a metric of class means for the rows of the head too, ``<key>_head``.

    The function must accept a head in place of statistics, as those of `_shared.frames`
    do. `fields` are the fields of `Metric` that differ.
    """
    of_vectors = function.__wrapped__  # type: ignore[attr-defined]

    def of_rows(head: LinearHead) -> float:
        check_arguments({"head": head})
        value: float = of_vectors(head)
        return value

    row = ROWS[function.__name__]
    of_rows.__name__ = of_rows.__qualname__ = f"{row.key}_head"
    of_rows.__module__ = function.__module__
    of_rows.__doc__ = docstring_for_head(row)
    fields = {
        "undefined": tuple(item.for_head or item for item in row.undefined),
        "unchanged_by": row.unchanged_by.removeprefix("shifts, "),
        "raises": "",
        "essential": False,
        **fields,
    }
    _enter(replace(row, function=of_rows, needs=("head",), **fields))
    return of_rows


def _arguments(function: Callable[..., float]) -> list[Input]:
    """Return the inputs of a function, from its positional parameters."""
    parameters = inspect.signature(function).parameters.values()
    names: list[Any] = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    return ["ood_features" if name == "X" else name for name in names]


def _enter(row: Metric) -> None:
    row.function.__doc__ = complete_docstring(row)
    ROWS[row.key] = row
