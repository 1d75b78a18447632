"""Merge many values pairwise."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

Part = TypeVar("Part", bound="Mergeable")


class Mergeable(Protocol):
    """An object that `merge_all` can merge."""

    def merge(self, other: Any) -> Any:
        """Return the merged value; neither operand changes."""


def merge_groups(
    parts: Iterable[Sequence[Part | None]],
) -> list[Part | None]:
    """Merge the parts of each group, None if all are; each item has one a group."""
    found: list[Part | None] = []
    for group in zip(*parts, strict=True):
        held = [part for part in group if part is not None]
        found.append(merge_all(held) if held else None)
    return found


def merge_all(parts: Sequence[Part]) -> Part:
    """Merge one or more values pairwise, as a tree."""
    parts = list(parts)
    while len(parts) > 1:
        paired = [a.merge(b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
        parts = paired + (parts[-1:] if len(parts) % 2 else [])
    return parts[0]
