"""Errors about files, for all libraries that read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileFormatError(ValueError):
    """A file cannot be read; the message says why, and what to do."""


@contextmanager
def reading(path: Path | None) -> Iterator[None]:
    """
    Turn errors of the body into errors that name the file.

    Every error becomes a `FileFormatError`, except those about a missing library, a
    missing file or permissions.
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
            "damaged, truncated or misnamed. Write it again."
        )
        raise FileFormatError(msg) from error
