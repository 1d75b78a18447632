"""Files that are replaced as a whole, or stay as they were."""

import contextlib
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast


def checked_target(path: Any, what: str, example: str) -> Path:
    """
    Return where a file can be written, before somebody worked for it, or raise.

    Absolute, so that it stays valid if the program changes its folder. A message calls
    it `what`, and names an `example`.
    """
    found = Path(path).absolute()
    if not found.parent.is_dir():
        msg = (
            f"There is no folder {found.parent} for the {what} {found.name}: make it "
            "first, with Path(path).parent.mkdir(parents=True)."
        )
        raise FileNotFoundError(msg)
    if found.is_dir():
        msg = f"{found} is a folder: name a file in it, such as {found}/{example}."
        raise IsADirectoryError(msg)
    return found


def check_replaceable(path: Path) -> None:
    """Raise if there is no file but a device, say, or its folder is read-only."""
    if path.exists() and not path.is_file():
        msg = f"{path} is no regular file, so it cannot be replaced: name another path."
        raise ValueError(msg)
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK):
        msg = f"Nothing can be written in {folder}: name a file in another folder."
        raise PermissionError(msg)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a new file beside `path`, which takes its place once it is on the disk.

    If the body raises, or the program is killed, `path` stays as it was.
    """
    check_replaceable(path)
    target = path.resolve()  # a link goes on pointing there
    new = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        with new.open("x+b") as file:
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        new.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    sync_folder(target.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what killed programs left beside `path`; no other may be writing it."""
    target = path.resolve()
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with contextlib.suppress(OSError):
            left.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the names of new files in a folder are stored, where one can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
