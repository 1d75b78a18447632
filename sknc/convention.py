"""The choices on which papers differ, as one frozen value."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from sknc._utils.arrays import Array, namespace
from sknc._utils.docstrings import documented
from sknc._utils.parameters import (
    check_choice,
    check_flag,
    check_not_negative,
    check_number,
    is_number,
    refuse,
)


@dataclass(frozen=True)
class Convention:
    """
    The choices on which definitions of a metric, such as NC1, differ.

    On balanced data all presets agree, except for the division by the number of classes
    and the square in NC3. A report records the convention it used.

    Parameters
    ----------
    name : str, default="custom"
        Name in reports.
    center : {"class", "sample", "none"}, default="class"
        Global mean that is subtracted from the class means: the mean of class means,
        the mean of samples, or zero.
    between : {"uniform", "frequency"}, default="uniform"
        Weights of the classes in the between-class covariance: 1/K, or the share of the
        samples.
    within : {"sample", "class"}, default="sample"
        Within-class covariance: the average over samples, or the average over classes
        of the class covariances.
    divide_by_classes : bool, default=True
        Whether ``nc1_pinv`` is divided by K.
    rank : {"numerical", "full"}, default="numerical"
        Directions of the class means that ``nc1_pinv`` inverts: those with a singular
        value above rounding; or all min(K - 1, D), or min(K, D) with ``center="none"``.
        With "full", the value is NaN if the class means span fewer.
    squared_duality : bool, default=False
        Whether ``nc3_self_duality`` is the squared norm.
    bias_correction : bool, default=False
        Whether to correct traces, distances and metrics that depend only on them
        (``nc1_trace_ratio``, ``nc1_within_fraction``, ``nc1_cdnv`` and variants) for
        the finite number of samples per class. Variances then have divisor count - 1,
        and the contribution of the noise of the class means is subtracted from their
        distances. If nothing remains the value is NaN.
    minority : float or tuple of labels, default=0.5
        The minority classes of the imbalance metrics: those up to this quantile of the
        counts, or those with these labels.
    weight_decay : float, default=0.0
        The lambda of the decomposition of the squared loss (``mse_*``).

    Raises
    ------
    ValueError
        If a choice is not one of those listed.

    Examples
    --------
    >>> from sknc import Convention
    >>> Convention.preset("papyan2020").squared_duality
    True
    >>> Convention(name="mine", between="frequency").center
    'class'
    """

    name: str = "custom"
    center: Literal["class", "sample", "none"] = "class"
    between: Literal["uniform", "frequency"] = "uniform"
    within: Literal["sample", "class"] = "sample"
    divide_by_classes: bool = True
    rank: Literal["numerical", "full"] = "numerical"
    squared_duality: bool = False
    bias_correction: bool = False
    minority: float | tuple[Any, ...] = 0.5
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        """Check that all choices exist."""
        options = get_type_hints(type(self))
        for item in fields(self):
            name, value = f"Convention's {item.name!r}", getattr(self, item.name)
            hint = options[item.name]
            if item.name == "minority":
                value = _minority(name, value)
            elif hint is bool:
                value = check_flag(name, value)
            elif hint is float:
                value = check_not_negative(name, value)
            elif get_origin(hint) is Literal:
                value = check_choice(name, value, get_args(hint))
            elif not isinstance(value, str):
                refuse(name, "a string", value)
            object.__setattr__(self, item.name, value)

    @classmethod
    def preset(cls, name: "str | Convention") -> "Convention":
        """
        Return the preset with this name; a convention is returned unchanged.

        Parameters
        ----------
        name : str or Convention
            One of `PRESETS`, or a convention.

        Returns
        -------
        Convention
            The convention.

        Raises
        ------
        ValueError
            If there is no preset with this name.
        """
        if isinstance(name, cls):
            return name
        if not isinstance(name, str) or name not in PRESETS:
            expected = f"a Convention or one of {sorted(PRESETS)}"
            refuse("convention", expected, name)
        return PRESETS[name]

    def center_weights(self, counts: Array) -> Array:
        """
        Return the weights of the class means in the global mean.

        Parameters
        ----------
        counts : array of shape (K,)
            Number of samples of each class, or sum of their weights.

        Returns
        -------
        array of shape (K,)
            Weights.
        """
        if self.center == "none":
            return 0 * counts
        return _weights(counts, by_count=self.center == "sample")

    @documented(center_weights)
    def between_weights(self, counts: Array) -> Array:
        """Return the weights of the classes in the between-class covariance."""
        return _weights(counts, by_count=self.between == "frequency")

    @documented(center_weights)
    def within_weights(self, counts: Array) -> Array:
        """Return the weights of class covariances in the within-class covariance."""
        return _weights(counts, by_count=self.within == "sample")


def _minority(name: str, value: Any) -> float | tuple[Any, ...]:
    """Return a quantile, or labels as Python objects if possible."""
    expected = "a quantile between 0 and 1 or class labels"
    if is_number(value):
        return check_number(name, value, expected, lambda x: 0 < x < 1)
    labels = tuple(value) if _is_container(value) else ()
    if not labels or any(x is None or _is_container(x) for x in labels):
        refuse(name, expected, value)
    # An item of a date would be a different label.
    plain = [isinstance(x, np.generic) and x.dtype.kind not in "mM" for x in labels]
    return tuple(x.item() if p else x for x, p in zip(labels, plain, strict=True))


def _is_container(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes))


def _weights(counts: Array, *, by_count: bool) -> Array:
    xp = namespace(counts)
    if by_count:
        return counts / xp.sum(counts)
    present = xp.astype(counts > 0, counts.dtype)
    return present / xp.sum(present)


PRESETS = {
    item.name: item
    for item in (
        Convention("default"),
        Convention("papyan2020", squared_duality=True),
        Convention(
            "han2022", divide_by_classes=False, rank="full", squared_duality=True
        ),
        Convention("zhu2021", center="sample"),
        Convention("frequency", center="sample", between="frequency"),
        Convention(
            "he_su2023", center="sample", between="frequency", divide_by_classes=False
        ),
    )
}
