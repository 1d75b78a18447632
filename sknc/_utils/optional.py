"""Errors about optional libraries that are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def required(what: str, libraries: str, extra: str) -> Iterator[None]:
    """Raise an error that names the extra, if an import in the body fails."""
    try:
        yield
    except ImportError as error:
        msg = (
            f"{what} requires {libraries}, from the extra {extra!r}: in a clone of "
            f"sknc, run pip install '.[{extra}]'."
        )
        raise ImportError(msg) from error


def require_matplotlib(method: str) -> None:
    """Raise an error that says how to install matplotlib, if it is missing."""
    with required(method, "matplotlib", "plot"):
        import matplotlib  # noqa: F401
