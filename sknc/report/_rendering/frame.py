"""Tables as data frames of any library that narwhals supports."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sknc._utils.optional import required
from sknc.report._rendering.table import Shown, rows

_COLUMNS = ("metric", "value", "standard_error", "group", "direction", "note")


def report_frame(content: Shown, backend: str, caller: str) -> Any:
    """Return a data frame with a row for each metric, for the method `caller`."""
    lines = (
        (
            row.key,
            row.value,
            math.nan if row.error is None else row.error,
            row.group,
            row.direction,
            row.note,
        )
        for row in rows(content)
    )
    return data_frame(_COLUMNS, lines, backend, caller)


def data_frame(
    names: Sequence[str], lines: Iterable[Sequence[Any]], backend: str, caller: str
) -> Any:
    """Return lines of values as a data frame, for the method `caller`."""
    held = list(lines)
    columns = {name: [line[i] for line in held] for i, name in enumerate(names)}
    what, libraries = f"{caller}(backend={backend!r})", f"narwhals and {backend}"
    with required(what, libraries, "frame"):
        import narwhals

        return narwhals.from_dict(columns, backend=backend).to_native()
