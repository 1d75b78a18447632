"""The file of a history: one line per step, of which a killed run loses one."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import NoReturn

from sknc._utils.storage.atomic import sync_folder


class Journal:
    """
    An append-only file of lines, each on disk before `append` returns.

    The file is opened for each change. Bytes after the known lines are overwritten if
    they were there when the file was read, or belong to a line that was not finished.
    Any other bytes come from another process and are an error. `ends` are the ends of
    the known lines, and `size` is the number of bytes of the file.
    """

    def __init__(self, path: Path, ends: Sequence[int] = (), size: int = 0) -> None:
        self.path = path
        self._ends = [0, *ends]
        self._reach = size  # this history has written at most up to here

    def append(self, n_before: int, lines: Sequence[bytes]) -> None:
        """Write lines after the first `n_before` lines, and wait for the disk."""
        start = self._ends[n_before]
        with self._opened(start) as descriptor:
            text = b"".join(lines)
            if start and not _ends_with_line_feed(descriptor, start):
                text = b"\n" + text
            self._reach = max(self._reach, start + len(text))
            try:
                _write(descriptor, text, start)
            except BaseException:  # lines that failed must not be read either
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, start)
                raise
        end = start + len(text) - sum(map(len, lines))
        ends = [end := end + len(line) for line in lines]
        self._ends[n_before + 1 :] = ends
        self._reach = end

    def keep(self, n_lines: int) -> None:
        """Truncate the file after its first `n_lines` lines."""
        end = self._ends[n_lines]
        with self._opened(end) as descriptor:
            os.ftruncate(descriptor, end)
            os.fsync(descriptor)
            self._reach = end

    @contextlib.contextmanager
    def _opened(self, start: int) -> Iterator[int]:
        """Lock the file, and check that nothing else has changed it."""
        # An empty file need not exist.
        is_new = not self._reach
        with self._open(os.O_CREAT if is_new else 0) as file:  # closing it unlocks it
            descriptor = file.fileno()
            _lock(descriptor)
            size = os.fstat(descriptor).st_size
            if not start <= size <= self._reach:
                self._refuse_size(size)
            yield descriptor
        if is_new:
            sync_folder(self.path.parent)

    def _open(self, create: int) -> FileIO:
        """
        Return the open file.

        A bare descriptor would keep its lock if an interruption left it open.
        """

        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | create, 0o666)

        try:
            return FileIO(self.path, "r+", opener=opener)
        except FileNotFoundError as error:
            self._refuse_missing(error)

    def _refuse_missing(self, error: OSError) -> NoReturn:
        msg = (
            f"{self.path} is missing: it was moved or deleted while this history was "
            "in use. Restore it, or store the reports elsewhere with "
            "history.save(new_path)."
        )
        raise FileNotFoundError(msg) from error

    def _refuse_size(self, size: int) -> NoReturn:
        msg = (
            f"{self.path} has {size} bytes, but this history left it with "
            f"{self._reach}: something else has written to it. Use a separate file for "
            "each run, and in distributed training append on one rank only. To "
            "continue from what is in the file, open it again: "
            f"NCHistory({str(self.path)!r})."
        )
        raise RuntimeError(msg)


def _ends_with_line_feed(descriptor: int, end: int) -> bool:
    os.lseek(descriptor, end - 1, os.SEEK_SET)
    return os.read(descriptor, 1) == b"\n"


def _write(descriptor: int, text: bytes, start: int) -> None:
    os.ftruncate(descriptor, start)
    os.lseek(descriptor, start, os.SEEK_SET)
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _lock(descriptor: int) -> None:
    """Lock out other processes, where the system and the disk support it."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)
