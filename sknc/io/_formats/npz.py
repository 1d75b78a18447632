"""NumPy's ``.npz`` archives of named arrays."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_CUR
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from sknc.io._formats.errors import FileFormatError
from sknc.io._formats.npy import MappedArray, check_length, read_header
from sknc.io._formats.stored import StoredArray

_LOCAL_HEADER = 30  # bytes before the name, ending with two lengths


@dataclass(frozen=True)
class CompressedArray:
    """A compressed array of an archive, which can only be read from its beginning."""

    path: Path
    member: str  # name of the file in it
    shape: tuple[int, ...]  # rows first
    dtype: np.dtype

    def pieces(self, start: int, stop: int, rows: int) -> Iterator[np.ndarray]:
        """Yield rows; all rows before them are decompressed too."""
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        with ZipFile(self.path) as archive, archive.open(self.member) as file:
            read_header(file)
            file.seek(start * row_bytes, SEEK_CUR)
            for first in range(start, stop, rows):
                n_rows = min(rows, stop - first)
                data = file.read(n_rows * row_bytes)
                found = np.frombuffer(data, self.dtype)
                yield found.reshape(n_rows, *self.shape[1:])


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """Return the arrays of a ``.npz`` file."""
    with ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        return {m.filename[:-4]: _array(path, archive, m) for m in members}


def _array(path: Path, archive: ZipFile, member: ZipInfo) -> StoredArray:
    """Return one array, mapped if it is not compressed."""
    with archive.open(member) as file:
        shape, columns_first, dtype = read_header(file)
        header_bytes = file.tell()
    name = member.filename[:-4]
    if dtype.hasobject:
        return MappedArray(path, 0, shape, dtype)
    if member.compress_type == ZIP_STORED and not member.flag_bits & 1:
        offset = _data_offset(path, member) + header_bytes
        array = MappedArray(path, offset, shape, dtype, columns_first)
        check_length(array)
        return array
    if columns_first:
        msg = (
            f"{name!r} in {path} is compressed in column-major order, so reading one "
            "row means reading all. Write it again with np.savez_compressed and "
            "np.ascontiguousarray(X)."
        )
        raise FileFormatError(msg)
    return CompressedArray(path, member.filename, shape, dtype)


def _data_offset(path: Path, member: ZipInfo) -> int:
    """Return the offset of a member's data, which only its local header gives."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER)
    lengths = header[-4:-2], header[-2:]
    return (
        member.header_offset
        + _LOCAL_HEADER
        + sum(int.from_bytes(length, "little") for length in lengths)
    )
