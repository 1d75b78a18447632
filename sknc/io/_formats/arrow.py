"""Arrow IPC files and streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sknc.io._formats import arrow_columns as columns
from sknc.io._formats.stored import StoredArray

_FILE_MAGIC = b"ARROW1"


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the columns with numbers, text, or lists of these."""
    columns.require_pyarrow(path)
    with _opened(path) as (schema, _):
        found = [(n, field.name, field.type) for n, field in enumerate(schema)]
    n_rows = _n_rows(path, [kind for *_, kind in found])
    read, first = partial(_read, path), partial(_first, path)
    return columns.column_arrays(path, n_rows, found, read, first)


def _read(path: Path, number: int, start: int, stop: int, rows: int) -> Iterator[Any]:
    """Yield rows of a column; each record batch is read as a whole."""
    with _opened(path, number) as (_, batches):
        yield from columns.within((batch.column(0) for batch in batches), start, stop)


def _n_rows(path: Path, kinds: list[Any]) -> int:
    """Count the rows, reading a small column if there is one."""
    if not kinds:
        return 0
    small = min(range(len(kinds)), key=lambda number: columns.is_list(kinds[number]))
    with _opened(path, small) as (_, batches):
        return sum(len(batch) for batch in batches)


def _first(path: Path, number: int) -> Any:
    """Return the first row of a column, or None."""
    with _opened(path, number) as (_, batches):
        rows = (batch.column(0)[:1] for batch in batches if len(batch))
        return next(rows, None)


@contextmanager
def _opened(
    path: Path, number: int | None = None
) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Return the schema and the record batches, of one column or of all."""
    import pyarrow as pa

    options = pa.ipc.IpcReadOptions(
        included_fields=None if number is None else [number]
    )
    with pa.OSFile(str(path)) as file:
        is_file = file.read(len(_FILE_MAGIC)) == _FILE_MAGIC
        file.seek(0)
        opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
        with opened(file, options=options) as reader:
            yield reader.schema, _batches(reader, is_file)


def _batches(reader: Any, is_file: bool) -> Iterator[Any]:
    """Yield record batches, after checking their offsets."""
    if is_file:
        reader = map(reader.get_batch, range(reader.num_record_batches))
    for batch in reader:
        batch.validate(full=True)
        yield batch
