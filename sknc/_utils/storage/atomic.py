"""Replace files atomically."""

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
    Return an absolute path where a file can be written, or raise.

    Call it before any work, so that the work is not lost. The path stays valid if the
    program changes its folder. Messages use the words `what` and `example`.
    """
    if not isinstance(path, (str, os.PathLike)):
        msg = (
            f"The {what} must go to a path, a string or a pathlib.Path, got "
            f"{type(path).__name__}. Name a file, such as {example!r}."
        )
        raise TypeError(msg)
    found = Path(path).absolute()
    if not found.parent.is_dir():
        msg = (
            f"There is no folder {found.parent} for the {what} {found.name}. Create it "
            "first, with Path(path).parent.mkdir(parents=True)."
        )
        raise FileNotFoundError(msg)
    if found.is_dir():
        msg = f"{found} is a folder. Name a file in it, such as {found}/{example}."
        raise IsADirectoryError(msg)
    return found


def check_replaceable(path: Path) -> None:
    """Raise if the path is a device or the like, or its folder is read-only."""
    if path.exists() and not path.is_file():
        msg = (
            f"{path} is not a regular file, so it cannot be replaced. Use another path."
        )
        raise ValueError(msg)
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK):
        msg = f"The folder {folder} is not writable. Use another folder."
        raise PermissionError(msg)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a new file that replaces `path` once it is on disk.

    If the body raises, or the program is killed, `path` is unchanged.
    """
    check_replaceable(path)
    target = path.resolve()  # links are kept
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
    """Remove temporary files of killed programs; nothing may be writing `path`."""
    target = path.resolve()
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with contextlib.suppress(OSError):
            left.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the names of new files in a folder are on disk, where supported."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
