"""Choose the metrics that a figure shows."""

from collections.abc import Iterable, Set

from sknc._utils.parameters import check_iterable, refuse
from sknc.metrics import TABLE
from sknc.metrics._catalogue.properties import PROPERTIES
from sknc.metrics._catalogue.table import did_you_mean

DEFAULT_KEYS = (
    "nc1_pinv",
    "nc2_equinorm",
    "nc2_equiangular",
    "nc3_self_duality",
    "nc4_mismatch",
    "nc4_head_accuracy",
)


def chosen_keys(metrics: str | Iterable[str] | None, known: Set[str]) -> list[str]:
    """Return the key of each panel, in the requested order; None: one per property."""
    if not known:
        msg = "The reports have no metrics to draw: they were made with metrics=[]."
        raise ValueError(msg)
    ordered = [key for key in TABLE if key in known] + sorted(known - TABLE.keys())
    if metrics is None:
        return [key for key in DEFAULT_KEYS if key in known] or ordered
    kind = "keys or groups of the reports"
    names = (
        [metrics]
        if isinstance(metrics, str)
        else check_iterable("metrics", metrics, kind)
    )
    if not all(isinstance(name, str) for name in names):
        refuse("metrics", kind, metrics)
    found = {name: _keys_of(name, ordered) for name in names}
    wrong = [name for name, keys in found.items() if not keys]
    if wrong or not names:
        unknown = [name for name in wrong if name not in {*TABLE, *PROPERTIES}]
        msg = (
            f"metrics must be {kind}, got {wrong}."
            f"{''.join(map(did_you_mean, unknown))} The reports have: "
            f"{', '.join(ordered)}."
        )
        raise ValueError(msg)
    return list(dict.fromkeys(key for keys in found.values() for key in keys))


def _keys_of(name: str, known: list[str]) -> list[str]:
    """Return the keys that a name stands for, without twins, which share a panel."""
    if name in known:
        return [name]
    alone = [key for key in known if key.removesuffix("_head") not in {*known} - {key}]
    if name == "all":
        return alone
    if name == "default":
        return [key for key in alone if key in TABLE and TABLE[key].headline]
    if name not in PROPERTIES:
        return []
    return [key for key in alone if key in TABLE and TABLE[key].group == name]
