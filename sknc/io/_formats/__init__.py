"""One module for each format, and a table of them by suffix."""

from collections.abc import Callable
from pathlib import Path

from sknc.io._formats import arrow, hdf5, npy, npz, parquet, safetensors, torch, zarr
from sknc.io._formats.errors import reading
from sknc.io._formats.stored import StoredArray as StoredArray

ArraysIn = Callable[[Path], dict[str, StoredArray]]

# A new format is a module with a function `arrays_in`, and a line here.
FORMATS: dict[str, ArraysIn] = {
    ".npy": npy.arrays_in,
    ".npz": npz.arrays_in,
    ".safetensors": safetensors.arrays_in,
    ".pt": torch.arrays_in,
    ".pth": torch.arrays_in,
    ".parquet": parquet.arrays_in,
    ".arrow": arrow.arrays_in,
    ".feather": arrow.arrays_in,
    ".h5": hdf5.arrays_in,
    ".hdf5": hdf5.arrays_in,
    ".zarr": zarr.arrays_in,
}


def arrays_in(path: Path) -> dict[str, StoredArray]:
    """
    Return the arrays of a file by name; only shapes and dtypes are read.

    The name is empty if the format has no names. Raises if the file is damaged.
    """
    with reading(path):
        return FORMATS[suffix_of(path)](path)


def suffix_of(path: Path) -> str:
    """Return the suffix that identifies the format of a file."""
    return path.suffix.lower()


def is_known(path: Path) -> bool:
    """Whether the table knows the suffix of a file."""
    return suffix_of(path) in FORMATS
