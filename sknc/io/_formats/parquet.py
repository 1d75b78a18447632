"""Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sknc.io._formats import arrow_columns as columns
from sknc.io._formats.stored import StoredArray


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the columns with numbers, text, or lists of these."""
    columns.require_pyarrow(path)
    with _opened(path) as file:
        found = [(field.name, field.name, field.type) for field in file.schema_arrow]
        read, first = partial(_read, path), partial(_first, file)
        return columns.column_arrays(path, file.metadata.num_rows, found, read, first)


def _read(path: Path, name: str, start: int, stop: int, rows: int) -> Iterator[Any]:
    """Yield rows of a column; row groups that end before them are skipped."""
    with _opened(path) as file:
        groups, before = _groups_from(file, start)
        found = _columns(file, name, groups, rows)
        yield from columns.within(found, start - before, stop - before)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    # Otherwise all pages of a row group are in memory before the first is decoded.
    with ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        yield file


def _groups_from(file: Any, start: int) -> tuple[list[int], int]:
    """Return the row groups from a row on, and the number of rows before them."""
    before, number, n_groups = 0, 0, file.metadata.num_row_groups
    while number < n_groups:
        n_rows = file.metadata.row_group(number).num_rows
        if before + n_rows > start:
            break
        before, number = before + n_rows, number + 1
    return [*range(number, n_groups)], before


def _columns(file: Any, name: str, groups: list[int], rows: int) -> Iterator[Any]:
    for batch in file.iter_batches(rows, row_groups=groups, columns=[name]):
        yield batch.column(0)


def _first(file: Any, name: str) -> Any:
    """Return the first row of a column, or None."""
    return next(_columns(file, name, [*range(file.metadata.num_row_groups)], 1), None)
