"""Check whether statistics can be merged."""

from typing import Any

from sknc._utils import arrays
from sknc._utils.arrays import Array
from sknc._utils.label_kinds import kind_of


def check_mergeable(mine: Any, other: Any) -> None:
    """Raise for different widths, libraries, devices or kinds of labels."""
    check_same_layer(
        (mine.n_features, other.n_features), (mine.moments.sums, other.moments.sums)
    )
    kinds = [kind_of(s.classes) for s in (mine, other)]
    if kinds[0] != kinds[1]:
        msg = (
            f"Cannot merge statistics with {kinds[1]} labels into statistics with "
            f"{kinds[0]} labels. Use the same labels on both sides."
        )
        raise ValueError(msg)


def check_same_layer(n_features: tuple[int, int], sums: tuple[Array, Array]) -> None:
    """Raise for different widths, libraries or devices."""
    if n_features[0] != n_features[1]:
        msg = (
            f"Cannot merge statistics of {n_features[1]} features into statistics of "
            f"{n_features[0]} features. Merge only statistics of the same layer."
        )
        raise ValueError(msg)
    here, there = sums
    if not arrays.same_place(here, there):
        msg = (
            f"Cannot merge statistics on {arrays.describe(there)} into statistics on "
            f"{arrays.describe(here)}: library and device must be the same. Accumulate "
            "both from the same kind of array."
        )
        raise ValueError(msg)
