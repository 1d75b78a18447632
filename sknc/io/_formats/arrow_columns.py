"""Columns of Arrow as NumPy arrays, for the formats that pyarrow reads."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.optional import required
from sknc.io._formats.errors import FileFormatError
from sknc.io._formats.stored import StoredArray


@dataclass(frozen=True)
class ColumnArray:
    """A column of a file that pyarrow reads."""

    path: Path
    name: str
    shape: tuple[int, ...]  # rows first
    dtype: np.dtype
    # From start, stop and about how many rows to read together to Arrow's arrays.
    read: Callable[[int, int, int], Iterator[Any]]

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """Yield rows, as many as the file stores or decodes together."""
        for column in self.read(start, stop, rows):
            yield values(column, self.shape[1:], self.path, self.name)


def column_arrays(
    path: Path,
    n_rows: int,
    columns: Iterable[tuple[Any, str, Any]],
    read: Callable[[Any, int, int, int], Iterator[Any]],
    first: Callable[[Any], Any],
) -> dict[str, StoredArray]:
    """
    Return the columns that are numbers, text or lists of these, by name.

    Columns come as key, name and type. By the key, `read` yields rows and `first`
    returns the first one, or None.
    """
    found: dict[str, StoredArray] = {}
    for key, name, kind in columns:
        dtype = row_dtype(kind)
        if dtype is not None:
            shape = (n_rows, *row_shape(kind, partial(first, key)))
            found[name] = ColumnArray(path, name, shape, dtype, partial(read, key))
    return found


def require_pyarrow(path: Path) -> None:
    """Raise an error that says how to install pyarrow, if it is missing."""
    with required(f"Reading {path.suffix} files", "pyarrow", "io"):
        import pyarrow  # noqa: F401


def row_dtype(kind: Any) -> np.dtype | None:
    """Return the NumPy dtype of a column's numbers or text, or None for other types."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return row_dtype(kind.storage_type)
    if pa.types.is_dictionary(kind) or is_list(kind):
        return row_dtype(kind.value_type)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        number: np.dtype = np.dtype(kind.to_pandas_dtype())
        return number
    if pa.types.is_boolean(kind):
        return np.dtype(bool)
    return np.dtype(str) if _is_text(kind) else None


def row_shape(kind: Any, first: Callable[[], Any]) -> tuple[int, ...]:
    """
    Return the shape of a row: () for a number, else that of its list.

    `first` returns the first row as an array, or None if there are no rows. It is
    called if the type does not fix the length of lists.
    """
    import pyarrow as pa

    if isinstance(kind, pa.FixedShapeTensorType):
        return tuple(kind.shape)
    if isinstance(kind, pa.BaseExtensionType):
        return row_shape(kind.storage_type, first)
    if not is_list(kind):
        return ()
    if pa.types.is_fixed_size_list(kind):
        return (kind.list_size,)
    row = first()
    return (0 if row is None else len(row.flatten()),)


def values(column: Any, shape: tuple[int, ...], path: Path, name: str) -> np.ndarray:
    """Return rows of a column with a `row_dtype` as an array, a view if possible."""
    import pyarrow as pa

    n_rows = len(column)
    parts = [column]
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if is_list(column.type):
        parts.append(column.flatten())
    if any(part.null_count for part in parts):
        msg = f"Column {name!r} of {path} has missing values. Drop these rows."
        raise FileFormatError(msg)
    if _is_text(parts[-1].type):
        return np.asarray(column.to_pylist(), dtype=str)
    if shape and not pa.types.is_fixed_size_list(column.type):
        _check_lengths(column, shape, path, name)
    numbers = (parts[1] if shape else column).to_numpy(zero_copy_only=False)
    return np.asarray(numbers).reshape(n_rows, *shape)


def _check_lengths(column: Any, shape: tuple[int, ...], path: Path, name: str) -> None:
    lengths = np.asarray(column.value_lengths())
    if (lengths != shape[0]).any():
        other = lengths[lengths != shape[0]][0]
        msg = (
            f"Lists in column {name!r} of {path} must have the same length, got "
            f"{shape[0]} and {other}."
        )
        raise FileFormatError(msg)


def is_list(kind: Any) -> bool:
    """Whether a type is a list, of fixed or variable length."""
    import pyarrow as pa

    return bool(
        pa.types.is_fixed_size_list(kind)
        or pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    )


def within(pieces: Iterator[Any], start: int, stop: int) -> Iterator[Any]:
    """Yield rows ``start:stop`` of consecutive pieces."""
    before = 0
    for piece in pieces:
        first, last = max(start - before, 0), min(stop - before, len(piece))
        before += len(piece)
        if first < last:
            yield piece.slice(first, last - first)
        if before >= stop:
            return
