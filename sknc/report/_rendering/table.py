"""A report as a table: rows under headings, footnotes and closing lines."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from sknc.metrics._catalogue.sources import Source

DIRECTIONS = {True: "lower", False: "higher", None: "none"}


class MetricRow(Protocol):
    """The properties of a metric that a table shows."""

    @property
    def group(self) -> str:
        """Property that the metric measures."""

    @property
    def lower_is_collapsed(self) -> bool | None:
        """Direction; None if there is none."""

    @property
    def ideal(self) -> float | str | None:
        """Value at collapse, or its formula; None if collapse does not determine it."""

    @property
    def summary(self) -> str:
        """Description of the metric in one sentence."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """Papers that define it."""


class Shown(Protocol):
    """The content of a report that its forms read."""

    @property
    def values(self) -> Mapping[str, float]:
        """Value of each metric, by key."""

    @property
    def standard_error(self) -> Mapping[str, float]:
        """Standard errors of those metrics that have one."""

    @property
    def notes(self) -> Mapping[str, str]:
        """Notes, by key or topic."""

    def metric(self, key: str) -> MetricRow:
        """Return the row of a metric."""

    def meaning(self, group: str) -> str:
        """Return what the metrics of a group measure."""

    def title(self) -> str:
        """Return a line about the measured samples."""

    def summary(self) -> list[str]:
        """Return lines about the whole report, such as the score."""


@dataclass(frozen=True)
class Row:
    """A metric as a line of a table."""

    key: str
    value: float
    error: float | None
    group: str
    direction: str  # of more collapsed values: "lower", "higher" or "none"
    note: str


def rows(content: Shown) -> list[Row]:
    """Return a row for each metric, in the order of the table of metrics."""
    return [
        Row(
            key,
            value,
            content.standard_error.get(key),
            content.metric(key).group,
            DIRECTIONS[content.metric(key).lower_is_collapsed],
            content.notes.get(key, ""),
        )
        for key, value in content.values.items()
    ]


def sections(content: Shown) -> list[tuple[str, str, list[Row]]]:
    """Return (group, property, rows) for each group of metrics."""
    grouped = groupby(rows(content), key=lambda row: row.group)
    return [(group, content.meaning(group), list(found)) for group, found in grouped]


def footnotes(*contents: Shown) -> dict[str, int]:
    """Return the number of each unique note of a row, by its text."""
    texts = dict.fromkeys(r.note for one in contents for r in rows(one) if r.note)
    return {text: number for number, text in enumerate(texts, 1)}


def closing_lines(content: Shown) -> list[str]:
    """Return lines about the whole report."""
    return content.summary() + notes_on_no_row(content)


def lines_of_all(
    contents: Mapping[str, Shown], lines_of: Callable[[Shown], Iterable[str]]
) -> list[str]:
    """Return the unique lines of reports, after the names of those that have them."""
    names: dict[str, list[str]] = {}
    for name, content in contents.items():
        for line in lines_of(content):
            names.setdefault(line, []).append(name)
    return [
        line if len(found) == len(contents) else f"{', '.join(found)}: {line}"
        for line, found in names.items()
    ]


def notes_on_no_row(content: Shown) -> list[str]:
    """Return notes on the whole report and on missing metrics, each text once."""
    return _by_text(content, lambda key: key not in content.values)


def all_notes(content: Shown) -> list[str]:
    """Return the notes, each text once, after its keys or topics."""
    return _by_text(content, lambda key: True)


def _by_text(content: Shown, chosen: Callable[[str], bool]) -> list[str]:
    keys: dict[str, list[str]] = {}
    for key, text in content.notes.items():
        if chosen(key):
            keys.setdefault(text, []).append(key)
    return [f"{', '.join(named)}: {text}" for text, named in keys.items()]
