"""A row of the table of metrics."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sknc.convention import Convention

Input: TypeAlias = Literal[
    "statistics",
    "head",
    "any_head",
    "bias",
    "decisions",
    "head_decisions",
    "measures",
    "ood_mean",
    "ood_features",
    "scatter",
    "energies",
    "within",  # scatter or energies, whichever there is
]
# Inputs that a function is called with, in this order; the others only have to exist.
ARGUMENTS = (
    "statistics",
    "head",
    "decisions",
    "measures",
    "ood_mean",
    "ood_features",
)
_OPTIONS = ("minority", "weight_decay")


@dataclass(frozen=True)
class Metric:
    """
    A row of the table of metrics.

    Parameters
    ----------
    function : callable
        Computes it; its name is the key.
    group : str
        Property it measures.
    needs : tuple of str
        Inputs without which a report leaves the key out. The function is called with
        those of them that are `ARGUMENTS`, in order.
    lower_is_collapsed : bool or None
        Direction; None for a quantity that has none.
    ideal : float, str or None
        Value at exact collapse, or its formula; None if collapse does not fix it.
    source : str
        Paper that introduced it.
    headline : bool
        Whether it belongs to ``metrics="default"``.
    most_classes : int or None
        Above this number ``metrics="all"`` leaves it out, for its K x K work.
    """

    function: Callable[..., float]
    group: str
    needs: tuple[Input, ...]
    lower_is_collapsed: bool | None
    ideal: float | str | None
    source: str
    headline: bool = False
    most_classes: int | None = None

    @property
    def key(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def of_samples(self) -> bool:
        """Whether it depends on scored samples, not on centers and head alone."""
        by_input = {"decisions", "measures", "scatter", "within", "energies"}
        return self.group == "NC1" or bool(by_input & set(self.needs))

    @property
    def of_head(self) -> bool:
        """Whether it depends on the head alone, so on no sample."""
        return set(self.needs) <= {"head", "any_head", "bias"}

    @property
    def of_elsewhere(self) -> bool:
        """Whether it is of samples that belong to no class."""
        return not {"ood_mean", "ood_features"}.isdisjoint(self.needs)

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].strip()

    def left_out(self, metrics: object, n_classes: int) -> bool:
        """
        Tell whether ``metrics="all"`` does without it at a number of classes.

        Parameters
        ----------
        metrics : object
            What was asked for.
        n_classes : int
            Number of classes.

        Returns
        -------
        bool
            Never true of a metric that was asked for by name.
        """
        return (
            isinstance(metrics, str)
            and metrics == "all"
            and self.most_classes is not None
            and n_classes > self.most_classes
        )

    def compute(self, inputs: dict[str, Any], convention: Convention) -> float:
        """
        Call the function with what it takes of inputs and convention.

        Parameters
        ----------
        inputs : dict of str to object
            By name, all that `needs` may name.
        convention : Convention
            Choices.

        Returns
        -------
        float
            The metric.
        """
        arguments = [inputs[name] for name in ARGUMENTS if name in self.needs]
        taken = inspect.signature(self.function).parameters
        options = {n: getattr(convention, n) for n in _OPTIONS if n in taken}
        if "convention" in taken:
            options["convention"] = convention
        return self.function(*arguments, **options)
