"""The table of metrics."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from sknc.metrics._catalogue.define import ROWS
from sknc.metrics._catalogue.metric import Metric
from sknc.metrics._catalogue.properties import PROPERTIES

# Every public module of `sknc.metrics` may define metrics.
for _module in iter_modules([str(Path(__file__).parents[1])]):
    if not _module.name.startswith("_"):
        import_module(f"sknc.metrics.{_module.name}")


def _in_order(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Return the rows by key: by property, headline metrics first, then as defined."""
    order = list(PROPERTIES)
    ranked = sorted(
        metrics,
        key=lambda m: (order.index(m.group), not m.headline, m.depends_only_on_head),
    )
    return {metric.key: metric for metric in ranked}


TABLE: dict[str, Metric] = _in_order(ROWS.values())


def select(metrics: str | Iterable[str]) -> list[Metric]:
    """
    Return the rows that a ``metrics`` argument selects.

    Parameters
    ----------
    metrics : "default", "essential", "all", or iterable of str
        The headline metrics, the four of the verdict, all metrics, or keys and groups
        such as "NC1".

    Returns
    -------
    list of Metric
        In the order of the table.

    Raises
    ------
    ValueError
        If a key or group is not in the table.
    """
    if isinstance(metrics, Iterator):
        expected = (
            'metrics must be "default", "essential", "all", or a list of keys or groups'
        )
        msg = (
            f"{expected}, got an iterator, which can only be read once: pass list(...)."
        )
        raise ValueError(msg)
    several = isinstance(metrics, Iterable) and not isinstance(metrics, str)
    if not several and metrics == "default":
        return [metric for metric in TABLE.values() if metric.headline]
    if not several and metrics == "essential":
        return [metric for metric in TABLE.values() if metric.essential]
    if not several and metrics == "all":
        return list(TABLE.values())
    keys: list[Any] = list(metrics) if several else [metrics]
    known = {*TABLE, *(metric.group for metric in TABLE.values())}
    unknown = [key for key in keys if not isinstance(key, str) or key not in known]
    if unknown:
        msg = (
            'metrics must be "default", "essential", "all", or keys or groups of '
            "metrics, got "
            f"{unknown if several else repr(metrics)}."
            f"{''.join(map(did_you_mean, unknown))} sknc.metrics.catalogue() lists "
            "them."
        )
        raise ValueError(msg)
    return [m for key, m in TABLE.items() if key in keys or m.group in keys]


def did_you_mean(name: object) -> str:
    """Return " Did you mean ...?" for an unknown name, or an empty string."""
    if not isinstance(name, str):
        return ""
    names = [*dict.fromkeys(metric.group for metric in TABLE.values()), *TABLE]
    near = [known for known in names if known.casefold() == name.casefold()]
    near += get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def catalogue() -> list[dict[str, Any]]:
    """
    Describe every metric.

    Returns
    -------
    list of dict
        One per metric, with "key", "group", "summary", "direction" ("lower" or "higher"
        if such values are more collapsed, or "none"), "ideal", "needs", "source",
        "headline" and "most_classes".

    Examples
    --------
    >>> from sknc.metrics import catalogue
    >>> catalogue()[1]["key"], catalogue()[1]["direction"]
    ('nc1_pinv', 'lower')
    """
    names = {True: "lower", False: "higher", None: "none"}
    return [
        {
            "key": metric.key,
            "group": metric.group,
            "summary": metric.summary,
            "direction": names[metric.lower_is_collapsed],
            "ideal": metric.ideal,
            "needs": metric.needs,
            "source": metric.source,
            "headline": metric.headline,
            "most_classes": metric.most_classes,
        }
        for metric in TABLE.values()
    ]
