"""What to do about a library that is not installed and belongs to an extra."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def required(what: str, libraries: str, extra: str) -> Iterator[None]:
    """Say which extra has the libraries, if importing them in the body fails."""
    try:
        yield
    except ImportError as error:
        msg = (
            f"{what} requires {libraries}, of the extra {extra!r}: in a "
            f"clone of sknc, run pip install '.[{extra}]'."
        )
        raise ImportError(msg) from error


def require_matplotlib(method: str) -> None:
    """Say how to install matplotlib, which a method draws with, if it is missing."""
    with required(method, "matplotlib", "plot"):
        import matplotlib  # noqa: F401
