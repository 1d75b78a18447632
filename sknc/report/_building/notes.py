"""The notes of a report."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sknc.metrics import TABLE
from sknc.metrics._catalogue.metric import explain
from sknc.metrics._catalogue.why_undefined import (
    SINGLE_SAMPLES,
    Case,
    has_single_samples,
)
from sknc.report._building.inputs import Inputs


@dataclass(frozen=True)
class Omissions:
    """Fitted or given data that the metrics do not reflect fully."""

    n_unobserved: int = 0  # classes without samples
    n_unused_rows: int = 0  # rows of the head without a class
    lost_scatter: bool = False  # whether it was requested but is missing
    misalignment: str = ""  # why rows may belong to other classes

    def notes(self, *, has_head: bool) -> dict[str, str]:
        """Return notes by topic."""
        found = {}
        if self.n_unobserved:
            found["classes"] = _on_unobserved(self.n_unobserved, has_head=has_head)
        if self.n_unused_rows:
            found["head"] = (
                f"The head has classes without samples ({self.n_unused_rows}). Their "
                "rows were ignored. To include them, list all classes in classes= of "
                "fit, fit_batches or the first partial_fit."
            )
        if self.misalignment:
            found["head"] = f"{found.get('head', '')} {self.misalignment}".lstrip()
        if self.lost_scatter:
            found["covariance"] = (
                "Some of the samples were fitted with covariance=False, so the scatter "
                "is missing, and report() lacks nc1_pinv: call score(X, y), or fit all "
                "samples with covariance=True."
            )
        return found


@dataclass(frozen=True)
class Errors:
    """Jackknife errors of a report."""

    values: Mapping[str, float] = field(default_factory=dict)
    single_group_classes: Sequence[Any] = ()  # all their samples are in one group

    def of(self, keys: Mapping[str, float]) -> dict[str, float]:
        """Return the errors of the given metrics, where known."""
        return {key: self.values[key] for key in keys if key in self.values}

    def add_notes(self, notes: dict[str, str], values: Mapping[str, float]) -> None:
        """Add notes on values without a standard error."""
        without = [
            key
            for key, error in self.of(values).items()
            if math.isnan(error) and math.isfinite(values[key])
        ]
        if without and self.single_group_classes:
            notes["standard_error"] = _on_lone_classes(self.single_group_classes)
            return
        for key in without:
            text = "No standard error: undefined without one group."
            notes[key] = f"{notes.get(key, '')} {text}".lstrip()


def notes_on_values(inputs: Inputs, values: Mapping[str, float]) -> dict[str, str]:
    """Return a note for each value that needs one."""
    statistics, head, convention = inputs.statistics, inputs.head, inputs.convention
    found = {
        key: explain(TABLE[key], Case(value, statistics, head, convention))
        for key, value in values.items()
    }
    notes = {key: note for key, note in found.items() if note}
    if "nc1_within_fraction" not in values and has_single_samples(statistics):
        notes["score"] = SINGLE_SAMPLES
    return notes


def _on_unobserved(n_unobserved: int, *, has_head: bool) -> str:
    one = n_unobserved == 1
    text = f"{n_unobserved} {'class has' if one else 'classes have'} no samples and "
    text += "was skipped" if one else "were skipped"
    if not has_head:
        return f"{text}."
    rows = "its row" if one else "their rows"
    return (
        f"{text}, together with {rows} of the head. The remaining rows cannot form a "
        "simplex, so NC0, NC3 and the head metrics stay above 0 even at collapse. In "
        "nc4_mismatch and nc4_head_accuracy, the head still chooses among all classes."
    )


def _on_lone_classes(labels: Sequence[Any]) -> str:
    named = labels[:5]
    more = len(labels) - len(named)
    others = f" and {more} others" if more else ""
    return (
        f"All samples of the classes {named}{others} are in a single group of the "
        "jackknife, so metrics of the class means have no standard error. Fit more "
        "samples of these classes, or leave them out."
    )
