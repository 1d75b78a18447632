"""The four essential metrics, and a verdict in words."""

import math
from dataclasses import dataclass

from sknc.metrics import TABLE, select
from sknc.report._rendering.content import Content

# Where a metric counts as collapsed, and above what as not collapsed.
BOUNDS = {
    "nc1_within_fraction": (0.01, 0.2),
    "nc2_etf": (0.15, 0.4),
    "nc3_self_duality": (0.2, 0.6),
    "nc4_mismatch": (0.01, 0.1),
}
_WORDS = ("collapsed", "partly collapsed", "not collapsed")


@dataclass(frozen=True)
class Verdict:
    """How far one metric is from collapse."""

    key: str
    value: float
    least: float  # up to here it counts as collapsed
    most: float  # and up to here as partly collapsed
    note: str = ""  # what the report notes about it; empty for nothing

    @property
    def grade(self) -> int:
        """0 for collapsed, 1 for partly, 2 for not."""
        return int(self.value > self.least) + int(self.value > self.most)

    def line(self, width: int) -> str:
        """Return a line of the summary, and one for the note."""
        line = (
            f"  {self.key:<{width}} {self.value:<10.4g} {_WORDS[self.grade]} "
            f"(collapsed up to {self.least:.3g}, partly up to {self.most:.3g})"
        )
        return f"{line}\n    {self.note}" if self.note else line


def as_summary(content: Content) -> str:
    """Return the verdict, a line for each essential metric, and what is missing."""
    keys = [metric.key for metric in select("essential")]
    found = [v for v in (_verdict(content, key) for key in keys) if v is not None]
    width = max(map(len, keys))
    lines = [f"{content.title()}: {_overall(found)}", *(v.line(width) for v in found)]
    judged = {verdict.key for verdict in found}
    for key in keys:
        if key not in judged:
            why = content.notes.get(key) or (
                "Undefined." if key in content.values else content.why_missing(key)
            )
            lines.append(f"  {key:<{width}} –          {why}")
    return "\n".join(lines)


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
    """Return the least value of nc2_etf that so many classes and features allow."""
    n_classes, n_features = content.measured.n_classes, content.measured.n_features
    share = min(1.0, n_features / (n_classes - 1))
    return math.sqrt(2 - 2 * math.sqrt(share))


def _overall(found: list[Verdict]) -> str:
    if not found:
        return "nothing to judge by"
    groups = ", ".join(TABLE[verdict.key].group for verdict in found)
    return f"{_WORDS[max(verdict.grade for verdict in found)]}, by {groups}"
