"""The four essential metrics, and a verdict in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sknc.metrics import TABLE, select
from sknc.report._rendering.content import Content

# Up to the first value a metric is collapsed, up to the second partly collapsed.
BOUNDS = {
    "nc1_within_fraction": (0.01, 0.2),
    "nc2_etf": (0.15, 0.4),
    "nc3_self_duality": (0.2, 0.6),
    "nc4_mismatch": (0.01, 0.1),
}
_WORDS = ("collapsed", "partly collapsed", "not collapsed")


@dataclass(frozen=True)
class Verdict:
    """How far a metric is from collapse."""

    key: str
    value: float
    least: float  # collapsed up to this value
    most: float  # partly collapsed up to this value
    note: str = ""  # the report's note on it, or an empty string

    @property
    def grade(self) -> int:
        """0 for collapsed, 1 for partly, 2 for not."""
        return int(self.value > self.least) + int(self.value > self.most)

    @property
    def word(self) -> str:
        """The grade in words."""
        return _WORDS[self.grade]

    @property
    def bounds(self) -> str:
        """The bounds of the grades in words."""
        return f"collapsed up to {self.least:.3g}, partly up to {self.most:.3g}"

    def line(self, width: int) -> str:
        """Return a line of the summary, with the note on a second line."""
        line = f"  {self.key:<{width}} {self.value:<10.4g} {self.word} ({self.bounds})"
        return f"{line}\n    {self.note}" if self.note else line


def as_summary(content: Content) -> str:
    """Return the verdict, a line for each essential metric, and missing metrics."""
    keys = [metric.key for metric in select("essential")]
    found = verdicts(content)
    width = max(map(len, keys))
    lines = [f"{content.title()}: {overall_words(found)}"]
    lines += [verdict.line(width) for verdict in found]
    judged = {verdict.key for verdict in found}
    lines += [
        f"  {key:<{width}} –          {why_not_judged(content, key)}"
        for key in keys
        if key not in judged
    ]
    return "\n".join(lines)


def verdicts(content: Content) -> list[Verdict]:
    """Return the verdicts on the available essential metrics."""
    found = (_verdict(content, metric.key) for metric in select("essential"))
    return [verdict for verdict in found if verdict is not None]


def why_not_judged(content: Content, key: str) -> str:
    """Return why an essential metric has no verdict."""
    return content.notes.get(key) or (
        "Undefined." if key in content.values else content.why_missing(key)
    )


def overall_grade(found: Sequence[Verdict]) -> int | None:
    """Return the worst grade; None without verdicts."""
    return max((verdict.grade for verdict in found), default=None)


def overall_words(found: Sequence[Verdict]) -> str:
    """Return the worst grade in words, and the properties that were judged."""
    grade = overall_grade(found)
    if grade is None:
        return "nothing to judge by"
    groups = ", ".join(TABLE[verdict.key].group for verdict in found)
    how = f"the worst of {groups}" if len(found) > 1 else f"by {groups} alone"
    return f"{_WORDS[grade]}, {how}"


def _verdict(content: Content, key: str) -> Verdict | None:
    value, measured = content.values.get(key, math.nan), content.measured
    without_spread = key.startswith("nc1_") and measured.n_samples <= measured.n_classes
    if math.isnan(value) or without_spread:
        return None
    least, most = BOUNDS[key]
    if key == "nc2_etf":
        floor = _floor(content)
        least, most = floor + least, floor + most
    if key == "nc3_self_duality" and content.convention.squared_duality:
        least, most = least**2, most**2
    return Verdict(key, value, least, most, content.notes.get(key, ""))


def _floor(content: Content) -> float:
    """Return the least value of nc2_etf for this number of classes and features."""
    n_classes, n_features = content.measured.n_classes, content.measured.n_features
    share = min(1.0, n_features / (n_classes - 1))
    return math.sqrt(2 - 2 * math.sqrt(share))
