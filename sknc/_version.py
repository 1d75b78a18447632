"""The versions of the package and of its pickles."""

__version__ = "0.1.0"

# Incremented when pickles of fitted estimators can no longer be read.
STATE_VERSION = 1


def check_state_version(package: str, state: int) -> None:
    """Raise for the state of another version, whose parts may have another meaning."""
    if state != STATE_VERSION:
        msg = (
            f"Cannot read this pickle: expected a state of version {STATE_VERSION}, as "
            f"written by sknc {__version__}, got version {state} of sknc {package}. "
            "Read it with that sknc, or fit again."
        )
        raise ValueError(msg)
