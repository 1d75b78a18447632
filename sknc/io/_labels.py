"""Labels of shards: inside them, in separate files, or in an array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from sknc._utils.arrays import to_numpy
from sknc._utils.parameters import refuse
from sknc.io._choosing import labels_of
from sknc.io._formats import StoredArray
from sknc.io._formats.stored import ArrayInMemory, blocks
from sknc.io._paths import find_files, is_path, varying_numbers

_EXPECTED = "an array of labels, or paths of files of labels"


@dataclass(frozen=True)
class Part:
    """Some rows of a stored array."""

    array: StoredArray
    start: int
    n_rows: int


def label_parts(
    labels: Any, label_key: str | None, paths: Sequence[Path], lengths: Sequence[int]
) -> list[Part] | None:
    """
    Return the labels of each shard, or None if there are none.

    `labels` are all labels, label files, or None for labels inside the shards.
    """
    if labels is None:
        return _inside(paths, lengths, label_key)
    if not is_path(labels):
        return _of_all(_in_memory(labels), "labels=", lengths)
    files = find_files("labels", labels)
    arrays = [_labels_in(path, label_key) for path in files]
    if len(files) == 1:
        return _of_all(arrays[0], str(files[0]), lengths)
    if len(files) != len(paths):
        msg = (
            "Expected one label file for all feature files or one for each, got "
            f"{len(files)} for {len(paths)}."
        )
        raise ValueError(msg)
    _check_order(files, paths)
    for path, array, shard, n_rows in zip(files, arrays, paths, lengths, strict=True):
        _check_length(str(path), array.shape[0], str(shard), n_rows)
    return [Part(array, 0, array.shape[0]) for array in arrays]


def _check_order(labels: Sequence[Path], shards: Sequence[Path]) -> None:
    """Raise if the names have the same numbers in another order."""
    numbers = varying_numbers(labels), varying_numbers(shards)
    if sorted(numbers[0]) != sorted(numbers[1]):
        return  # names without information
    for path, shard, own, other in zip(labels, shards, *numbers, strict=True):
        if own != other:
            msg = (
                f"Label files are in a different order than feature files: {path} "
                f"would belong to {shard}. Quote the pattern, so that the shell does "
                "not expand it, or give both in the same order."
            )
            raise ValueError(msg)


def _inside(
    paths: Sequence[Path], lengths: Sequence[int], label_key: str | None
) -> list[Part] | None:
    found = [labels_of(path, label_key, beside=True) for path in paths]
    parts = []
    for path, array, n_rows in zip(paths, found, lengths, strict=True):
        if array is None:
            continue
        _check_length(str(path), array.shape[0], "features", n_rows)
        parts.append(Part(array, 0, n_rows))
    if parts and len(parts) < len(paths):
        without = next(p for p, a in zip(paths, found, strict=True) if a is None)
        msg = f"{without} has no labels, but other files do. Add labels to this file."
        raise ValueError(msg)
    return parts or None


def _labels_in(path: Path, label_key: str | None) -> StoredArray:
    array = labels_of(path, label_key, beside=False)
    assert array is not None
    return array


def _in_memory(labels: Any) -> StoredArray:
    array = to_numpy(labels)
    if array.ndim != 1:
        refuse("labels", _EXPECTED, labels)
    return ArrayInMemory(array)


def _of_all(array: StoredArray, name: str, lengths: Sequence[int]) -> list[Part]:
    """Return the labels of each shard, from those of all shards."""
    _check_length(name, array.shape[0], "features", sum(lengths))
    starts = accumulate(lengths, initial=0)
    return [Part(array, start, n) for start, n in zip(starts, lengths, strict=False)]


def _check_length(name: str, n_labels: int, shard: str, n_rows: int) -> None:
    if n_labels != n_rows:
        msg = (
            f"{name} has {n_labels} labels for {n_rows} rows of {shard}: expected one "
            "label per row."
        )
        raise ValueError(msg)


def label_values(parts: Sequence[Part]) -> Iterator[np.ndarray]:
    """Yield the unique labels of some rows at a time."""
    for part in parts:
        stop = part.start + part.n_rows
        for block in blocks(part.array, part.start, stop, 1 << 20):
            yield np.unique(block)
