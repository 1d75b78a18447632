"""
One file of named arrays and a JSON header: an .npz archive with a checksum.

Nothing in it is compressed or pickled, so no array is larger than the file, and reading
runs no code. The archive comment, at the end of the file, is the SHA-256 of all
preceding bytes.
"""

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

_HEADER = "header.json"
_COMMENT = b"sknc sha256 "
_N_DIGITS = 64
_LONGEST_HEADER, _LONGEST_NPY_HEADER = 1 << 20, 1 << 10
_BLOCK = 1 << 20
_KINDS = "biufUSMm"
# Exceptions that a malicious archive can cause.
_UNREADABLE = (
    zipfile.BadZipFile,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    RuntimeError,  # also for encrypted archives
)
_RESTORE = "Restore it from a copy, or create it again."


@dataclass(frozen=True, eq=False)
class Container:
    """The content of a file: JSON data, and arrays of numbers, text or times."""

    header: dict[str, Any]
    arrays: dict[str, np.ndarray]


# Writing --------------------------------------------------------------------------


def write_container(
    file: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """
    Write a header and arrays; equal content gives equal bytes.

    The file must be empty, seekable, and open for reading and writing.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        text = json.dumps(header, allow_nan=False)
        archive.writestr(zipfile.ZipInfo(_HEADER), text)
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)
        archive.comment = _COMMENT + _N_DIGITS * b"0"
    end = file.seek(0, os.SEEK_END) - _N_DIGITS
    digest = _digest(file, end)
    file.seek(end)
    file.write(digest)


def _digest(file: BinaryIO, end: int) -> bytes:
    """Return the checksum of all bytes before `end`, as text."""
    found = hashlib.sha256()
    file.seek(0)
    while block := file.read(min(_BLOCK, end - file.tell())):
        found.update(block)
    return found.hexdigest().encode()


# Reading --------------------------------------------------------------------------


def read_container(file: BinaryIO, name: str) -> Container:
    """
    Read a file from `write_container`, or raise if any bit has changed.

    The arrays take no more memory than the size of the file.
    """
    _check_digest(file, name)
    try:
        with zipfile.ZipFile(file) as archive:
            return _read(archive, file.seek(0, os.SEEK_END))
    except _UNREADABLE as error:
        msg = f"{name} cannot be read: {_first_line(error)}. {_RESTORE}"
        raise ValueError(msg) from error


def _check_digest(file: BinaryIO, name: str) -> None:
    """Raise if a file has changed since it was written."""
    size = file.seek(0, os.SEEK_END)
    end = size - _N_DIGITS
    file.seek(0)
    start = file.read(64)
    file.seek(max(0, end - len(_COMMENT)))
    last = file.read()
    if not last.startswith(_COMMENT) or len(last) != len(_COMMENT) + _N_DIGITS:
        if not start.startswith(b"PK\3\4") or _HEADER.encode() not in start:
            msg = (
                f"{name} is not a state file of sknc, but a file of {size} bytes from "
                "another program. Name a file written by save(path)."
            )
            raise ValueError(msg)
        msg = f"{name} is truncated or damaged: its end is missing. {_RESTORE}"
        raise ValueError(msg)
    if last[len(_COMMENT) :] != _digest(file, end):
        msg = f"{name} is damaged: its checksum does not match. {_RESTORE}"
        raise ValueError(msg)


def _read(archive: zipfile.ZipFile, size: int) -> Container:
    entries = {entry.filename: entry for entry in archive.infolist()}
    stored = all(
        entry.compress_type == zipfile.ZIP_STORED
        and entry.compress_size == entry.file_size
        for entry in entries.values()
    )
    total = sum(entry.file_size for entry in entries.values())
    if not stored or total > size or len(entries) != len(archive.infolist()):
        msg = "its parts are compressed, overlap or are named twice"
        raise ValueError(msg)
    head = entries.pop(_HEADER)
    if head.file_size > _LONGEST_HEADER:
        msg = f"its header has {head.file_size} bytes, more than {_LONGEST_HEADER}"
        raise ValueError(msg)
    header = json.loads(archive.read(head))
    if not isinstance(header, dict):
        msg = "its header is not a JSON object"
        raise ValueError(msg)
    arrays = {
        name.removesuffix(".npy"): _read_array(archive, entry)
        for name, entry in entries.items()
    }
    return Container(header, arrays)


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as member:
        if npy.read_magic(member) != (1, 0):
            msg = f"{entry.filename!r} is not an array of version 1.0"
            raise ValueError(msg)
        shape, by_columns, dtype = npy.read_array_header_1_0(
            member, max_header_size=_LONGEST_NPY_HEADER
        )
        n_bytes = entry.file_size - member.tell()
        n_elements = 1
        for length in shape:
            n_elements *= length
        known = dtype.kind in _KINDS and dtype.itemsize > 0
        if not known or n_elements < 0 or n_elements * dtype.itemsize != n_bytes:
            msg = (
                f"{entry.filename!r} claims to be {shape} of {dtype}, which does not "
                f"match its {n_bytes} bytes"
            )
            raise ValueError(msg)
        data = np.empty(n_bytes, np.uint8)
        if n_bytes and member.readinto(data) != n_bytes:  # type: ignore[attr-defined]
            msg = f"{entry.filename!r} is truncated"
            raise ValueError(msg)
        member.read(1)  # the archive checks its own checksum at the end
    values = data.view(dtype).astype(dtype.newbyteorder("="), copy=False)
    array: np.ndarray = values.reshape(shape[::-1]).T if by_columns else values
    return array.reshape(shape)


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0].rstrip(".")
    return text or type(error).__name__
