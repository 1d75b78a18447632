"""The results of the demonstration as text."""

import numpy as np

from sknc.plotting import CollapseTrajectoryDisplay

# Key of a metric, and whether the table also shows it for held-out samples.
_METRICS = (
    ("nc0_weight_sum", False),
    ("nc1_pinv", True),
    ("nc2_equinorm", False),
    ("nc2_equiangular", False),
    ("nc3_self_duality", False),
    ("nc4_mismatch", True),
    ("nc4_head_accuracy", True),
)
_HELD_OUT = "held-out"


def format_table(display: CollapseTrajectoryDisplay) -> str:
    """
    Return NC0 to NC4 by epoch as text, one line per epoch, under two lines of keys.

    Values are for training samples, unless a column says held-out.
    """
    columns = [("", "epoch", [f"{epoch:g}" for epoch in display.epochs.tolist()])]
    for key, has_held_out in _METRICS:
        start, name = _split(key)
        columns.append((start, name, _cells(display.train[key])))
        if has_held_out:
            columns.append(("", _HELD_OUT, _cells(display.held_out[key])))
    aligned = [_aligned([start, name, *cells]) for start, name, cells in columns]
    return "\n".join(" ".join(line).rstrip() for line in zip(*aligned, strict=True))


def _split(key: str) -> tuple[str, str]:
    """Split a key into two lines for the heading."""
    place = key.rindex("_") + 1 if key.endswith("accuracy") else key.index("_") + 1
    return key[:place], key[place:]


def _cells(values: np.ndarray) -> list[str]:
    # Two digits would round an accuracy of 0.996 to 1.
    return [f"{value:.4f}" for value in values.tolist()]


def _aligned(cells: list[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]


def conclusion(display: CollapseTrajectoryDisplay) -> str:
    """Return a text on which metrics fall to 0, and how far."""
    text = "All but nc4_head_accuracy are 0 at collapse."
    reached = np.flatnonzero(display.train["nc4_head_accuracy"] == 1)
    first, last = (int(reached[0]) if len(reached) else -1), len(display.epochs) - 1
    if first in (-1, last):
        return f"{text} To see the features collapse, train for more --epochs."
    start, end = display.train["nc1_pinv"][[first, last]].tolist()
    went_on = ": the features kept collapsing" if end < start else ""
    return (
        f"{text} There were no training errors from epoch {display.epochs[first]} on.\n"
        f"From then to epoch {display.epochs[last]} nc1_pinv went from {start:.4f} to "
        f"{end:.4f}{went_on}."
    )
