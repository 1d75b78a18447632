"""A report as a table: rows under headings, footnotes and closing lines."""

from dataclasses import dataclass
from itertools import groupby

from sknc.metrics import TABLE
from sknc.metrics._catalogue.properties import PROPERTIES
from sknc.report._rendering.content import Content

_DIRECTIONS = {True: "lower", False: "higher", None: "none"}


@dataclass(frozen=True)
class Row:
    """A metric as a line of a table."""

    key: str
    value: float
    error: float | None
    group: str
    direction: str  # of the more collapsed value: "lower", "higher" or "none"
    note: str


def rows(content: Content) -> list[Row]:
    """Return a row for each metric, in the order of the table of metrics."""
    return [
        Row(
            key,
            value,
            content.standard_error.get(key),
            TABLE[key].group,
            _DIRECTIONS[TABLE[key].lower_is_collapsed],
            content.notes.get(key, ""),
        )
        for key, value in content.values.items()
    ]


def sections(content: Content) -> list[tuple[str, str, list[Row]]]:
    """Return (group, property, rows) for each group of metrics."""
    grouped = groupby(rows(content), key=lambda row: row.group)
    return [(group, PROPERTIES[group], list(found)) for group, found in grouped]


def title(content: Content) -> str:
    """Return one line about what was measured."""
    measured = content.measured
    weighted = " (weighted)" if measured.weighted else ""
    return (
        f"Neural collapse of {measured.n_samples} samples{weighted}, "
        f"{measured.n_classes} classes, {measured.n_features} features "
        f"({measured.dtype} on {measured.device}), "
        f"convention {content.convention.name!r}"
    )


def footnotes(content: Content) -> dict[str, int]:
    """Return the number of each distinct note of a row, by its text."""
    texts = dict.fromkeys(row.note for row in rows(content) if row.note)
    return {text: number for number, text in enumerate(texts, 1)}


def closing_lines(content: Content) -> list[str]:
    """Return what concerns the whole report, a line each."""
    lines = [f"score (1 - nc1_within_fraction) {content.score:.6g}"]
    directions = content.directions
    if directions.rank is not None:
        lines.append(
            f"class means: rank {directions.rank}, condition {directions.condition:.3g}"
        )
    return lines + _notes_on_no_row(content)


def _notes_on_no_row(content: Content) -> list[str]:
    """Return notes on the whole report and on missing metrics, each text once."""
    keys: dict[str, list[str]] = {}
    for key, text in content.notes.items():
        if key not in content.values:
            keys.setdefault(text, []).append(key)
    return [f"{', '.join(named)}: {text}" for text, named in keys.items()]
