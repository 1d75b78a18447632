"""A row of the table of metrics."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._catalogue.sources import Source
from sknc.metrics._catalogue.why_undefined import Case, Caveat, Condition
from sknc.metrics._shared.range import head_out_of_range, statistics_out_of_range
from sknc.statistics.held_out import AnyStatistics

Input: TypeAlias = Literal[
    "statistics",
    "head",
    "any_head",
    "bias",
    "decisions",
    "head_decisions",
    "measures",
    "ncc_margins",
    "cosine_margins",
    "directional",
    "ood_mean",
    "ood_features",
    "scatter",
    "class_scatters",
    "energies",
    "within",  # scatter or energies, whichever exists
]
# Inputs passed to the function, in this order; the others only have to exist.
ARGUMENTS = (
    "statistics",
    "head",
    "decisions",
    "measures",
    "ood_mean",
    "ood_features",
)
_OPTIONS = ("minority", "weight_decay")


class MetricFunction(Protocol):
    """The type of a function that computes a metric, for type checkers."""

    __name__: str

    def __call__(self, *args: Any, **options: Any) -> float:
        """Return the value."""


@dataclass(frozen=True)
class Metric:
    """
    A row of the table of metrics.

    Parameters
    ----------
    function : callable
        Computes the metric; its name is the key.
    group : str
        Property that the metric measures.
    needs : tuple of str
        Inputs without which a report skips the metric. The function is called with
        those that are `ARGUMENTS`, in order.
    lower_is_collapsed : bool or None, default=True
        Direction; None if there is none.
    ideal : float, str or None, default=0.0
        Value at exact collapse, or its formula; None if collapse does not fix it.
    sources : tuple of Source
        Papers that define it; the catalogue shows the first one.
    essential : bool, default=False
        Whether it belongs to ``metrics="essential"``.
    headline : bool, default=False
        Whether it belongs to ``metrics="default"``.
    most_classes : int or None
        With more classes ``metrics="all"`` skips it, because of its K x K work.
    undefined : tuple of Condition
        Conditions for NaN. The first that holds is reported.
    infinite : str
        When it is infinite, in words.
    caveats : tuple of callable
        Functions that return a note about a finite value, given a `Case`.
    interval : str
        Range of the values.
    unit : str, default="Dimensionless"
        Unit of the values.
    unchanged_by : str, default="shifts, rotations and uniform scaling"
        Transformations of the features that leave it unchanged.
    convention : str, default="Its center."
        The parts of the convention that matter.
    raises : str, default="If fewer than two classes have samples."
        When the function raises ``ValueError``.
    """

    function: Callable[..., float]
    group: str
    needs: tuple[Input, ...]
    lower_is_collapsed: bool | None = True
    ideal: float | str | None = 0.0
    sources: tuple[Source, ...] = ()
    essential: bool = False
    headline: bool = False
    most_classes: int | None = None
    undefined: tuple[Condition, ...] = ()
    infinite: str = ""
    caveats: tuple[Caveat, ...] = ()
    interval: str = ""
    unit: str = "Dimensionless"
    unchanged_by: str = "shifts, rotations and uniform scaling"
    convention: str = "Its center."
    raises: str = "If fewer than two classes have samples."

    @property
    def key(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def source(self) -> str:
        """Paper that introduced it."""
        return self.sources[0].label

    @property
    def needs_scored_samples(self) -> bool:
        """Whether it depends on scored samples, not only on centers and head."""
        by_input = {"decisions", "measures", "scatter", "within", "energies"}
        return self.group == "NC1" or bool(by_input & set(self.needs))

    @property
    def depends_only_on_head(self) -> bool:
        """Whether it depends on the head alone."""
        return set(self.needs) <= {"head", "any_head", "bias"}

    @property
    def is_ood(self) -> bool:
        """Whether it is about out-of-distribution samples."""
        return not {"ood_mean", "ood_features"}.isdisjoint(self.needs)

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].strip()

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the function's parameters."""
        return tuple(inspect.signature(self.function).parameters)

    def is_skipped(self, metrics: object, n_classes: int) -> bool:
        """
        Return whether ``metrics="all"`` skips it for a number of classes.

        Parameters
        ----------
        metrics : object
            The ``metrics`` argument.
        n_classes : int
            Number of classes.

        Returns
        -------
        bool
            False for a metric that was requested by name.
        """
        return (
            isinstance(metrics, str)
            and metrics == "all"
            and self.most_classes is not None
            and n_classes > self.most_classes
        )

    def compute(self, inputs: dict[str, Any], convention: Convention) -> float:
        """
        Call the function with its inputs and the convention.

        Parameters
        ----------
        inputs : dict of str to object
            All inputs that `needs` may name, by name.
        convention : Convention
            Choices between definitions.

        Returns
        -------
        float
            The value.
        """
        if out_of_range(self, inputs["statistics"], inputs["head"]):
            return math.nan
        arguments = [inputs[name] for name in ARGUMENTS if name in self.needs]
        options = {n: getattr(convention, n) for n in _OPTIONS if n in self.parameters}
        if "convention" in self.parameters:
            options["convention"] = convention
        return self.function(*arguments, **options)


def out_of_range(
    metric: Metric, statistics: AnyStatistics, head: LinearHead | None
) -> str | None:
    """Return why the value is undefined if squares overflow or underflow."""
    needs, words = set(metric.needs), None
    if needs & {"statistics", "measures"}:
        words = statistics_out_of_range(statistics)
    if words is None and head is not None and needs & {"head", "any_head"}:
        words = head_out_of_range(head)
    return words


def explain(metric: Metric, case: Case) -> str | None:
    """Return why a value is NaN or infinite, or a note about a finite one."""
    if math.isnan(case.value):
        return f"Undefined: {_why_undefined(metric, case)}."
    if math.isinf(case.value):
        sign = "Infinite" if case.value > 0 else "Minus infinity"
        return f"{sign}: {metric.infinite}."
    found = [caveat(case) for caveat in metric.caveats]
    return " ".join(text for text in found if text) or None


def _why_undefined(metric: Metric, case: Case) -> str:
    words = out_of_range(metric, case.statistics, case.head)
    if words:
        return words
    for condition in metric.undefined:
        found = condition.holds(case)
        if found:
            return found if isinstance(found, str) else condition.words
    return "an intermediate number was too large or too small for float64"
