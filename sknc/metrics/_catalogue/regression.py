"""Rows of the table of regression metrics, and the decorator that adds them."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from sknc._utils.arrays import namespace
from sknc._utils.docstrings import documented
from sknc._utils.parameters import refuse
from sknc.head import LinearHead
from sknc.metrics._catalogue.sources import Source, references
from sknc.statistics.regression_statistics import RegressionStatistics

F = TypeVar("F", bound=Callable[..., float])

# What the groups of regression metrics measure.
PROPERTIES = {
    "NRC1": "features shrink to as many directions as there are targets",
    "NRC2": "features shrink to the span of the head's rows",
    "NRC3": "the head's rows are arranged as the targets vary",
    "deep NRC": "features, targets and weights of a layer share their directions",
    "fit": "the head predicts the targets",
}
ANDRIOPOULOS = Source(
    "Andriopoulos et al. 2024",
    'G. Andriopoulos, Z. Dong, L. Guo, Z. Zhao, K. Ross. "The prevalence of neural '
    'collapse in neural multivariate regression." NeurIPS 2024.',
    "arXiv:2409.04180",
)
RANGAMANI_UNAL = Source(
    "Rangamani & Unal 2026",
    'A. Rangamani, A. Unal. "Deep neural regression collapse." CPAL 2026.',
    "arXiv:2603.23805",
)
PARAMETERS = """

Parameters
----------
statistics : RegressionStatistics
    The samples.
head : LinearHead
    Weights of shape (n_targets, n_features).
"""
TOO_LARGE = "the squares of such large numbers overflow. Divide them by a constant"


@dataclass(frozen=True, eq=False)
class RegressionCase:
    """The input of regression metrics."""

    statistics: RegressionStatistics  # of the samples
    fitted: RegressionStatistics  # provide the directions and the target covariance
    head: LinearHead | None
    gamma: float | None
    center: bool


@dataclass(frozen=True)
class Reason:
    """Words that hold for a case, and follow "Undefined:" or stand alone."""

    words: str
    holds: Callable[[RegressionCase], bool]


@dataclass(frozen=True)
class RegressionMetric:
    """A row of the table of regression metrics."""

    function: Callable[..., float]
    group: str
    source: Source
    lower_is_collapsed: bool | None = True
    ideal: float | None = 0.0
    headline: bool = False
    of_fit: bool = False  # whether it depends on the fitted samples alone
    undefined: tuple[Reason, ...] = ()
    caveats: tuple[Reason, ...] = ()

    @property
    def key(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def sources(self) -> tuple[Source, ...]:
        """Papers that define it."""
        return (self.source,)

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].strip()

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the function's parameters."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def needs_head(self) -> bool:
        """Whether it requires a head."""
        return "head" in self.parameters

    def compute(self, case: RegressionCase) -> float:
        """Call the function with its inputs."""
        if overflows(case):
            return math.nan
        statistics = case.fitted if self.of_fit else case.statistics
        options = {
            name: getattr(case, name)
            for name in ("head", "fitted", "gamma", "center")
            if name in self.parameters
        }
        return self.function(statistics, **options)

    def explain(self, value: float, case: RegressionCase) -> str | None:
        """Return why a value is NaN, or a note about a finite one."""
        if math.isnan(value):
            reasons = (Reason(TOO_LARGE, overflows), *self.undefined)
            words = (reason.words for reason in reasons if reason.holds(case))
            text = next(words, "an intermediate number was too large or too small")
            return f"Undefined: {text}."
        found = [reason.words for reason in self.caveats if reason.holds(case)]
        return " ".join(found) or None


ROWS: dict[str, RegressionMetric] = {}


def regression_metric(group: str, source: Source, **fields: Any) -> Callable[[F], F]:
    """
    Enter a function of `RegressionStatistics` in the table, with checked calls.

    Its docstring is completed with the parameters that others have too, and its source.
    """

    def define(function: F) -> F:
        @wraps(function)
        def checked(statistics: Any, *args: Any, **kwargs: Any) -> float:
            given = inspect.signature(function).bind(statistics, *args, **kwargs)
            check_statistics("statistics", statistics)
            arguments = given.arguments
            if arguments.get("fitted") is not None:
                check_statistics("fitted", arguments["fitted"])
            if "head" in arguments:
                arguments["head"] = _head_of(arguments["head"], statistics)
            return function(*given.args, **given.kwargs)

        documented(PARAMETERS, references(source))(checked)
        ROWS[function.__name__] = RegressionMetric(checked, group, source, **fields)
        return checked  # type: ignore[return-value]

    return define


def overflows(case: RegressionCase) -> bool:
    """Whether squares of features or targets are not finite."""
    found = (case.statistics.covariance, case.fitted.covariance)
    return not all(bool(namespace(c).all(namespace(c).isfinite(c))) for c in found)


def check_statistics(name: str, value: Any) -> None:
    """Raise if an argument is not statistics of features and targets."""
    if not isinstance(value, RegressionStatistics):
        refuse(name, "RegressionStatistics", value, "Pass estimator.statistics_.")


def _head_of(head: Any, statistics: RegressionStatistics) -> LinearHead:
    """Return the head if it fits the statistics, or raise."""
    if not isinstance(head, LinearHead):
        refuse("head", "a LinearHead", head, "Pass sknc.LinearHead(weights, bias).")
    fitting = (statistics.n_targets, statistics.n_features)
    if tuple(head.weights.shape) != fitting:
        msg = (
            f"head must have weights of shape {fitting}, a row for each target and a "
            "column for each feature of the statistics, got "
            f"{tuple(head.weights.shape)}."
        )
        raise ValueError(msg)
    return head.beside(statistics.joint.sums)
