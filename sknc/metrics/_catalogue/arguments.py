"""Checks of the arguments of metric functions."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from sknc._utils.parameters import refuse
from sknc.convention import Convention
from sknc.head import LinearHead
from sknc.metrics._shared.geometry import check_observed
from sknc.statistics.class_statistics import ClassStatistics
from sknc.statistics.held_out import HeldOutStatistics


def with_checked_arguments(function: Callable[..., float]) -> Callable[..., float]:
    """Return the function with checks of its statistics, head and convention."""
    names = tuple(signature(function).parameters)

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> float:
        given = dict(zip(names, args, strict=False)) | kwargs
        check_arguments(given)
        if {"statistics", "head"} <= given.keys():
            head = given["head"].beside(given["statistics"].centers.moments.sums)
            args = tuple(head if value is given["head"] else value for value in args)
            kwargs = kwargs | {"head": head} if "head" in kwargs else kwargs
        return function(*args, **kwargs)

    return checked


def check_arguments(given: dict[str, Any]) -> None:
    """Raise if statistics, head and convention have wrong types or do not match."""
    if "convention" in given:
        Convention.preset(given["convention"])
    if "statistics" in given:
        check_statistics("statistics", given["statistics"])
    if "head" in given:
        _check_head(given["head"], given.get("statistics"))


def check_statistics(name: str, value: Any) -> None:
    """Raise if an argument is not class statistics."""
    if not isinstance(value, (ClassStatistics, HeldOutStatistics)):
        refuse(name, "ClassStatistics", value, "Pass analyzer.statistics_.")


def _check_head(head: Any, statistics: Any) -> None:
    if not isinstance(head, LinearHead):
        refuse("head", "a LinearHead", head, "Pass sknc.LinearHead(weights, bias).")
    shape = tuple(head.weights.shape)
    remedy = "To select some of its rows, use head.rows(index)."
    if shape[0] == 1:
        remedy = (
            "If its single row separates two classes, pass both halves: "
            "np.vstack([-row, row]) / 2."
        )
    if statistics is None:
        if shape[0] < 2:
            msg = (
                "head must have a row for each class, at least 2, got "
                f"{shape[0]}. {remedy}"
            )
            raise ValueError(msg)
        return
    check_observed(statistics)
    fitting = (statistics.n_classes, statistics.n_features)
    if shape != fitting:
        msg = (
            f"head must have weights of shape {fitting}, a row for each class and a "
            f"column for each feature of the statistics, got {shape}. {remedy}"
        )
        raise ValueError(msg)
