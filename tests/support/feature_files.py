"""Writers of feature files, by format, for tests and benchmarks."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest


@dataclass(frozen=True)
class Written:
    """
    A way to write features and labels.

    Parameters
    ----------
    name : str
        Name of the file.
    libraries : tuple of str
        What writes it.
    write : callable
        From path, features, labels and the libraries.
    """

    name: str
    libraries: tuple[str, ...]
    write: Any

    def __str__(self) -> str:
        return self.name

    def to(self, folder, X, y):
        """Write a file into a folder and return its path, or skip."""
        for library in self.libraries:
            pytest.importorskip(library)
        return self.written(folder / self.name, X, y)

    def written(self, path, X, y):
        """Write a file, and return its path."""
        # The library safetensors writes the memory of views.
        X, y = np.ascontiguousarray(X), np.ascontiguousarray(y)
        self.write(path, X, y, *map(import_module, self.libraries))
        return path


def _safetensors(path, X, y, library):
    library.save_file({"features": X, "labels": y}, path)


def _bfloat16(path, X, y, library, torch):
    X = torch.from_numpy(X).bfloat16()
    library.save_file({"features": X, "labels": torch.from_numpy(y)}, path)


def _torch(path, X, y, torch):
    torch.save({"features": torch.from_numpy(X), "labels": torch.from_numpy(y)}, path)


def _torch_bfloat16(path, X, y, torch):
    X = torch.from_numpy(X).bfloat16()
    torch.save({"features": X, "labels": torch.from_numpy(y), "epoch": 3}, path)


def table(pa, X, y):
    """Return a table with a list of one length in each row."""
    features = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
    return pa.table({"features": features, "labels": y})


def _parquet(path, X, y, pa, parquet):
    parquet.write_table(table(pa, X, y), path, row_group_size=8192)


def _plain_parquet(path, X, y, pa, parquet):
    parquet.write_table(
        table(pa, X, y),
        path,
        row_group_size=8192,
        use_dictionary=False,
        compression="none",
    )


def _lists(path, X, y, pa, parquet):
    parquet.write_table(pa.table({"features": list(X), "labels": y}), path)


def _arrow(path, X, y, pa, *, stream=False, **options):
    found = table(pa, X, y)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    options = pa.ipc.IpcWriteOptions(**options)
    with (
        pa.OSFile(str(path), "wb") as file,
        new(file, found.schema, options=options) as writer,
    ):
        writer.write_table(found, 4096)


def _arrow_stream(path, X, y, pa):
    _arrow(path, X, y, pa, stream=True)


def _feather(path, X, y, pa, feather):
    feather.write_feather(table(pa, X, y), path)  # compressed with LZ4


def _hdf5(path, X, y, h5py):
    with h5py.File(path, "w") as file:
        file["features"], file["labels"] = X, y


def _chunked_hdf5(path, X, y, h5py):
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=X, chunks=True, compression="gzip")
        file["labels"] = y


def _zarr(path, X, y, zarr):
    group = zarr.create_group(str(path))
    group.create_array("features", data=X)
    group.create_array("labels", data=y)


def _large_chunks(path, X, y, zarr):
    group = zarr.create_group(str(path))
    chunks = (min(4096, len(X)), X.shape[1])
    group.create_array("features", data=X, chunks=chunks, compressors=None)
    group.create_array("labels", data=y)


def _npz(path, X, y):
    np.savez(path, features=X, labels=y)


def _compressed_npz(path, X, y):
    np.savez_compressed(path, features=X, labels=y)


def _npy(path, X, y):
    np.save(path, X)


NPY = Written("raw.npy", (), _npy)  # of features only
WAYS = [
    Written("plain.npz", (), _npz),
    Written("compressed.npz", (), _compressed_npz),
    Written("plain.safetensors", ("safetensors.numpy",), _safetensors),
    Written("bfloat16.safetensors", ("safetensors.torch", "torch"), _bfloat16),
    Written("plain.pt", ("torch",), _torch),
    Written("bfloat16.pth", ("torch",), _torch_bfloat16),
    Written("default.parquet", ("pyarrow", "pyarrow.parquet"), _parquet),
    Written("plain.parquet", ("pyarrow", "pyarrow.parquet"), _plain_parquet),
    Written("lists.parquet", ("pyarrow", "pyarrow.parquet"), _lists),
    Written("file.arrow", ("pyarrow",), _arrow),
    Written("stream.arrow", ("pyarrow",), _arrow_stream),
    Written("compressed.feather", ("pyarrow", "pyarrow.feather"), _feather),
    Written("contiguous.h5", ("h5py",), _hdf5),
    Written("chunked.hdf5", ("h5py",), _chunked_hdf5),
    Written("default.zarr", ("zarr",), _zarr),
    Written("rows.zarr", ("zarr",), _large_chunks),
]


def stored_values(way, X):
    """Return what a file gives back: bfloat16 keeps eight bits of a number."""
    if "bfloat16" not in way.name:
        return X
    bits = np.ascontiguousarray(X).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)
