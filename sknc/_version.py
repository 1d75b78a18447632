"""The versions of the package and of its pickles, in one place."""

__version__ = "0.1.0"

# Raised when pickles of fitted estimators could no longer be read as before.
STATE_VERSION = 1


def check_state_version(package: str, state: int) -> None:
    """Refuse the state of another version, whose parts may mean something else."""
    if state != STATE_VERSION:
        msg = (
            f"Cannot read this pickle: expected a state of version {STATE_VERSION}, as "
            f"sknc {__version__} writes it, got version {state} of sknc {package}. "
            "Read it with that sknc, or fit again."
        )
        raise ValueError(msg)
