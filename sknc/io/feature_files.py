"""Features in files, as one data set."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.parameters import check_integer
from sknc.io._choosing import features_of
from sknc.io._formats.stored import StoredArray, blocks
from sknc.io._labels import Part, label_parts, label_values
from sknc.io._paths import find_files

BATCH_ROWS = 8192


@dataclass(frozen=True, eq=False)
class FeatureFiles:
    """
    Features and labels in files, read some rows at a time.

    Created by `open_features`. It holds no open files, and can be pickled.

    Parameters
    ----------
    paths : tuple of Path
        The feature files, in the order of their rows.
    arrays : tuple
        The features in each file.
    label_parts : tuple or None
        The labels of each file, or None if there are none.

    Attributes
    ----------
    shape : tuple of (int, int)
        Total number of rows, and number of features.
    dtype : np.dtype
        Dtype of the features that `batches` yields.
    lengths : tuple of int
        Number of rows of each file.

    See Also
    --------
    open_features : Opens files of any format.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sknc.io import open_features
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "train.npz")
    ...     np.savez(path, features=np.eye(4), labels=np.array([0, 1, 0, 1]))
    ...     files = open_features(path)
    ...     files.shape, files.classes, [len(X) for X, y in files.batches(3)]
    ((4, 4), array([0, 1]), [3, 1])
    """

    paths: tuple[Path, ...]
    arrays: tuple[StoredArray, ...] = field(repr=False)
    label_parts: tuple[Part, ...] | None = field(repr=False)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Number of rows of each file."""
        return tuple(array.shape[0] for array in self.arrays)

    @property
    def shape(self) -> tuple[int, int]:
        """Total number of rows, and number of features."""
        return sum(self.lengths), self.arrays[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the features that `batches` yields."""
        return self.arrays[0].dtype.newbyteorder("=")

    @cached_property
    def classes(self) -> np.ndarray:
        """
        Sorted unique labels, (K,).

        The first access reads all labels.
        """
        found = [*label_values(self._labels())]
        return np.unique(np.concatenate(found))

    def __repr__(self) -> str:
        """Return the file names, the shape and the dtype."""
        n_files = f"{len(self.paths)} files from " if len(self.paths) > 1 else ""
        without = "" if self.label_parts else ", no labels"
        return f"<{n_files}{self.paths[0]}: {self.shape}, {self.dtype}{without}>"

    def place_of(self, row: int) -> tuple[Path, int]:
        """
        Return the file of a row, and its position there.

        Parameters
        ----------
        row : int
            Row number, counted over all files.

        Returns
        -------
        path : Path
            The file.
        row : int
            Row number in that file.
        """
        last = self.shape[0] - 1
        row = check_integer("row", row, f"0 to {last}", lambda n: 0 <= n <= last)
        ends = [*accumulate(self.lengths)]
        number = bisect_right(ends, row)
        return self.paths[number], row - ends[number] + self.lengths[number]

    def batches(
        self, rows: int = BATCH_ROWS, *, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """
        Return an iterator over features and labels, in the order of the files.

        Parameters
        ----------
        rows : int, default=8192
            Number of rows in a batch. The last batch of a file may have fewer.
        start : int, default=0
            First row to read, counted over all files. To resume after an interruption,
            pass the number of rows already read.
        stop : int or None, default=None
            Row at which to stop, or None for the end.

        Returns
        -------
        iterator of (X, y)
            Arrays of shapes (n_rows, n_features) and (n_rows,). Arrays of mapped files
            are read-only views, whose memory is freed when they are deleted.

        Raises
        ------
        ValueError
            If there are no labels, or `rows`, `start` or `stop` is out of range.
        """
        labels, n_rows = self._labels(), self.shape[0]
        rows = check_integer("rows", rows, "a positive integer", lambda n: n > 0)
        start = _check_row("start", start, n_rows)
        stop = n_rows if stop is None else _check_row("stop", stop, n_rows)
        return self._batches(labels, rows, start, stop)

    def _batches(
        self, labels: tuple[Part, ...], rows: int, start: int, stop: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        before = 0
        for array, part in zip(self.arrays, labels, strict=True):
            first = max(start - before, 0)
            last = min(stop - before, array.shape[0])
            before += array.shape[0]
            if first < last:
                own = (part.start + first, part.start + last)
                yield from zip(
                    blocks(array, first, last, rows),
                    blocks(part.array, *own, rows),
                    strict=True,
                )

    def _labels(self) -> tuple[Part, ...]:
        if self.label_parts is None:
            msg = (
                f"There are no labels in {self.paths[0]}. Pass labels= to "
                "open_features, an array or a path, or pass the name of an array in "
                "this file as label_key=."
            )
            raise ValueError(msg)
        return self.label_parts


def _check_row(name: str, value: Any, n_rows: int) -> int:
    return check_integer(
        name, value, f"a row from 0 to {n_rows}", lambda n: 0 <= n <= n_rows
    )


def open_features(
    paths: Any,
    labels: Any = None,
    *,
    key: str | None = None,
    label_key: str | None = None,
) -> FeatureFiles:
    """
    Open feature files as one data set; only shapes and dtypes are read.

    Parameters
    ----------
    paths : str, path-like or iterable of these
        A file, a folder of files, a glob pattern such as ``"train/*.npy"``, or a list
        of these. Files of a folder or pattern are sorted by name, with numbers by
        value: ``shard2`` before ``shard10``. Lists keep their order, which determines
        the order of rows, and of labels in an array or in a single file.
    labels : array-like, or path or paths as for `paths`, default=None
        The labels of all rows as an array or in one file, or one label file per feature
        file, in the same order. By default labels are in the feature files.
    key : str, default=None
        Name of the features in files that hold several arrays. By default the only
        array of two axes, or the one named ``features``, ``X``, ``x`` or
        ``embeddings``.
    label_key : str, default=None
        Name of the labels in files that hold several arrays. By default ``labels``,
        ``label``, ``y``, ``targets`` or ``target`` or, in a label file, the only array
        with one axis.

    Returns
    -------
    FeatureFiles
        With ``shape``, ``dtype``, ``classes`` and ``batches(rows)``.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no file matches.
    ValueError
        If the suffix of a file is unknown; if a file is damaged or contains Python
        objects; if it is unclear which array to read; if numbers of rows, widths or
        dtypes differ; or if label files have the same numbers in their names as feature
        files, in another order.
    ImportError
        If the library that reads a format is not installed.

    See Also
    --------
    sknc.NeuralCollapseAnalyzer.fit_batches : Accepts what ``batches`` yields.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sknc import NeuralCollapseAnalyzer
    >>> from sknc.io import open_features
    >>> X = np.array([[2.0, 0.0], [4.0, 0.0], [-2.0, 0.0], [-4.0, 0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "shard1.npy"), X[:2])
    ...     np.save(Path(folder, "shard2.npy"), X[2:])
    ...     files = open_features(folder, labels=[0, 0, 1, 1])
    ...     analyzer = NeuralCollapseAnalyzer().fit_batches(files.batches())
    >>> analyzer.n_samples_seen_, analyzer.class_means_[:, 0]
    (4, array([ 3., -3.]))
    """
    found = find_files("paths", paths)
    arrays = [features_of(path, key) for path in found]
    _check_alike(found, arrays)
    lengths = [array.shape[0] for array in arrays]
    parts = label_parts(labels, label_key, found, lengths)
    return FeatureFiles(
        tuple(found), tuple(arrays), None if parts is None else tuple(parts)
    )


def _check_alike(paths: list[Path], arrays: list[StoredArray]) -> None:
    """Raise if shards differ in width or dtype, or have no rows."""
    first, *_ = arrays
    for path, array in zip(paths, arrays, strict=True):
        for what, found, expected in (
            ("features in a row", array.shape[1], first.shape[1]),
            ("dtype", array.dtype, first.dtype),
        ):
            if found != expected:
                msg = (
                    f"Files of one data set must agree: {path} has {found} as its "
                    f"{what}, {paths[0]} has {expected}. Convert them, or open them "
                    "separately."
                )
                raise ValueError(msg)
    if not any(array.shape[0] for array in arrays):
        msg = f"There are no rows in {', '.join(map(str, paths[:3]))}."
        raise ValueError(msg)
