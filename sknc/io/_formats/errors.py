"""Errors about files, whatever library reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileFormatError(ValueError):
    """What is wrong with a file, and what to do."""


@contextmanager
def reading(path: Path | None) -> Iterator[None]:
    """
    Name the file that an error in the body is about.

    Each library has errors of its own for damaged files, and Python's for what it does
    not expect: all become `FileFormatError`, unless a library or the file is missing,
    or may not be read.
    """
    try:
        yield
    except (FileFormatError, ImportError, PermissionError):
        raise
    except Exception as error:
        if path is None or not path.exists():
            raise
        text = str(getattr(error, "strerror", None) or error) or type(error).__name__
        reason = " ".join(text.partition("\n")[0].split()).rstrip(".")
        msg = (
            f"{path} cannot be read as a {path.suffix} file: {reason}. It may be "
            "damaged, cut short or misnamed: write it again."
        )
        raise FileFormatError(msg) from error
