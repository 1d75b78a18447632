"""Errors that formats share."""

from pathlib import Path


def unreadable(path: Path, reason: object) -> ValueError:
    """Return the error for a file that is not what its suffix says."""
    reason = " ".join(str(reason).split()).rstrip(".")
    msg = (
        f"{path} cannot be read as a {path.suffix} file: {reason}. It may be damaged, "
        "cut short or misnamed: write it again."
    )
    return ValueError(msg)
