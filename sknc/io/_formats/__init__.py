"""One module for each format, and the table of them by suffix."""

from collections.abc import Callable
from pathlib import Path

from sknc.io._formats import npy, npz
from sknc.io._formats.stored import StoredArray as StoredArray

ArraysIn = Callable[[Path], dict[str, StoredArray]]

# A new format is a module with a function `arrays_in`, and a line here.
FORMATS: dict[str, ArraysIn] = {
    ".npy": npy.arrays_in,
    ".npz": npz.arrays_in,
}


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """
    Return the arrays of a file by name, of which only shapes and dtypes are read.

    Parameters
    ----------
    path : Path
        A file whose suffix is in the table.

    Returns
    -------
    dict of str to StoredArray
        Under an empty name if the format has no names.
    """
    return FORMATS[suffix_of(path)](path)


def suffix_of(path: Path) -> str:
    """Return the suffix by which the table knows a file."""
    return path.suffix.lower()


def is_known(path: Path) -> bool:
    """Whether the table knows the suffix of a file."""
    return suffix_of(path) in FORMATS
