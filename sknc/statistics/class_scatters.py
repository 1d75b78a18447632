"""Scatters of single classes, stored on request."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from sknc._utils import arrays
from sknc._utils.arrays import Array, namespace
from sknc._utils.label_kinds import label_keys
from sknc._utils.merge_tree import merge_all


@dataclass(frozen=True, eq=False)
class ClassSpread:
    """Count, mean and scatter of one class."""

    n_samples: int
    count: float  # that number, or the sum of the weights
    mean: Array  # (D,) float64
    scatter: Array  # (D, D) float64, the sum of ``w (x - mean)(x - mean)^T``

    def __post_init__(self) -> None:
        """Make the arrays read-only, where their library can."""
        for name in ("mean", "scatter"):
            frozen = arrays.read_only(getattr(self, name), copy=False)
            object.__setattr__(self, name, frozen)

    @classmethod
    def of(cls, rows: Array, weights: Array | None) -> "ClassSpread":
        """Return the spread of the rows of one class, (B, D)."""
        xp = namespace(rows)
        count, mean, centered = _centered(xp.astype(rows, xp.float64), weights)
        return cls(int(rows.shape[0]), count, mean, arrays.gram(centered))

    def including(self, rows: Array, weights: Array | None) -> "ClassSpread":
        """Return this with more rows, from one product and one sum of (D, D) arrays."""
        xp = namespace(rows)
        count, mean, centered = _centered(xp.astype(rows, xp.float64), weights)
        between, total = mean - self.mean, self.count + count
        # The distance between the means counts as one more row.
        row = (self.count * count / total) ** 0.5 * between
        added = arrays.gram(xp.concat([centered, row[None, :]]))
        moved = self.mean + (count / total) * between
        n_samples = self.n_samples + int(rows.shape[0])
        return ClassSpread(n_samples, total, moved, self.scatter + added)

    def merge(self, other: "ClassSpread") -> "ClassSpread":
        """Return the spread of the rows of both."""
        between, total = other.mean - self.mean, self.count + other.count
        row = (self.count * other.count / total) ** 0.5 * between
        scatter = self.scatter + other.scatter + arrays.gram(row[None, :])
        mean = self.mean + (other.count / total) * between
        return ClassSpread(self.n_samples + other.n_samples, total, mean, scatter)


@dataclass(frozen=True, eq=False)
class ClassScatters:
    """The scatter of each class; a commutative monoid of 8 K D^2 bytes."""

    # The classes with samples, by `label_keys`. Updates share the arrays of classes
    # without samples in a batch.
    by_label: Mapping[Any, ClassSpread] = field(default_factory=dict)

    def including(
        self, features: Array, labels: Array, weights: Array | None, n_classes: int
    ) -> "ClassScatters":
        """Return this with a batch added; raise if memory is too small."""
        check_memory(n_classes, int(features.shape[1]), features)
        found = dict(self.by_label)
        with np.errstate(over="ignore", invalid="ignore"):  # checked with the batch
            for label, rows in rows_by_label(arrays.to_numpy(labels)):
                mine = _taken(features, rows)
                factors = None if weights is None else _taken(weights, rows)
                held = found.get(label)
                found[label] = (
                    ClassSpread.of(mine, factors)
                    if held is None
                    else held.including(mine, factors)
                )
        return ClassScatters(MappingProxyType(found))

    def map(self, function: Callable[[Array], Array]) -> "ClassScatters":
        """Apply `function` to every array."""
        found = {
            label: replace(
                spread, mean=function(spread.mean), scatter=function(spread.scatter)
            )
            for label, spread in self.by_label.items()
        }
        return ClassScatters(MappingProxyType(found))

    def merge(self, other: "ClassScatters") -> "ClassScatters":
        """Return the scatters of both samples; neither input changes."""
        found = dict(self.by_label)
        for label, spread in other.by_label.items():
            held = found.get(label)
            found[label] = spread if held is None else held.merge(spread)
        return ClassScatters(MappingProxyType(found))

    def __getstate__(self) -> dict[str, Any]:
        """Pickle a plain dictionary."""
        return {"by_label": dict(self.by_label)}


def all_merged(parts: Sequence[ClassScatters | None]) -> ClassScatters | None:
    """Return the merged scatters of all parts; None if a part has none."""
    held = [part for part in parts if part is not None]
    return merge_all(held) if held and len(held) == len(parts) else None


def rows_by_label(labels: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield the key of each label, and the rows that have it."""
    classes, index = np.unique(labels, return_inverse=True)
    order = np.argsort(index, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(index))[:-1])
    yield from zip(label_keys(classes), parts, strict=True)


def check_memory(n_classes: int, n_features: int, like: Array) -> None:
    """Raise if the scatters need more memory than this machine has."""
    needed, there = 8 * n_classes * n_features**2, host_memory()
    if arrays.on_gpu(like) or there is None or needed <= there:
        return
    msg = (
        f"The scatters of {n_classes} classes of {n_features} features need "
        f"{needed / 1e9:.3g} GB, but this machine has {there / 1e9:.3g} GB. Use fewer "
        "classes or features, or covariance=True, which stores only their sum."
    )
    raise MemoryError(msg)


def host_memory() -> int | None:
    """Return the memory of this machine in bytes, or None if unknown."""
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None


def _taken(values: Array, rows: np.ndarray) -> Array:
    if isinstance(values, np.ndarray):
        return values[rows]
    xp = namespace(values)
    return xp.take(values, arrays.move_like(rows, values, xp.int64), axis=0)


def _centered(rows: Array, weights: Array | None) -> tuple[float, Array, Array]:
    """Return the weight of rows, their mean, and root-weighted differences from it."""
    xp, origin = namespace(rows), rows[0, :]  # a common offset then costs no digits
    if weights is None:
        mean = origin + xp.mean(rows - origin, axis=0)
        return float(rows.shape[0]), mean, rows - mean
    weights = xp.astype(weights, xp.float64)
    total = xp.sum(weights)
    mean = origin + (weights / total) @ (rows - origin)
    return float(total), mean, (rows - mean) * xp.sqrt(weights)[:, None]
