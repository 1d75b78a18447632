"""Labels and numbers as text in figures."""

from textwrap import fill
from typing import Any

import numpy as np

_LONGEST = 16  # letters of a label


def short_label(label: Any, longest: int = _LONGEST) -> str:
    """Return a label as one line of text, with its middle cut out if it is long."""
    text = " ".join(str(label).split()).replace("$", r"\$")
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - 1 - half].rstrip()}…{text[-half:].lstrip()}"


def short_labels(labels: np.ndarray, longest: int = _LONGEST) -> list[str]:
    """Return labels as `short_label` does."""
    return [short_label(label, longest) for label in labels.tolist()]


def wrapped(text: str, inches: float, size: float) -> str:
    """Return text in lines that fit a width, at a font size in points."""
    return fill(text, max(16, int(72 * inches / (0.58 * size))))


def plain(value: float, decimals: int = 3) -> str:
    """Return a number with a true minus sign."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def digits(value: float) -> str:
    """Return a number with three significant digits and a true minus sign."""
    return f"{round(value, 12) + 0.0:.3g}".replace("-", "−")


def count_of(number: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, such as "1 class" or "1,000 classes"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
