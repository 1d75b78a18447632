"""Files that a command writes, checked before it works for them."""

from collections.abc import Collection, Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from sknc._utils.storage.atomic import check_replaceable, checked_target
from sknc.cli._options import WrongOptionError
from sknc.cli._output import STANDARD
from sknc.io._formats import is_known

_STATE, _REPORT = ("state", "state.sknc"), ("output", "report.txt")


def check_targets(targets: Mapping[str, Any], states: Collection[str]) -> None:
    """
    Raise if a file could not be written, or two of them are one.

    `targets` are paths by option, None for none; `states` the options that name states,
    which take no suffix of features.
    """
    named = _files(targets)
    for option, path in named.items():
        if option in states and is_known(path):
            msg = (
                f"{option} {path} writes a state, but {path.suffix} is a suffix of "
                f"features: name {path.with_suffix('.sknc')}."
            )
            raise WrongOptionError(msg)
    for (first, path), (second, other) in combinations(named.items(), 2):
        if path.resolve() == other.resolve():
            msg = f"{first} and {second} are the same file: name two."
            raise WrongOptionError(msg)
    for option, path in named.items():
        kind = _STATE if option in states else _REPORT
        check_replaceable(checked_target(path, *kind))


def check_not_read(targets: Mapping[str, Any], inputs: Iterable[Path]) -> None:
    """Raise if a file that is read would be overwritten."""
    read = {path.resolve() for path in inputs}
    for option, path in _files(targets).items():
        if path.resolve() in read:
            msg = f"{option} {path} is a file that is read: name another to write."
            raise WrongOptionError(msg)


def _files(targets: Mapping[str, Any]) -> dict[str, Path]:
    return {
        option: Path(path)
        for option, path in targets.items()
        if path is not None and (path != STANDARD or option == "--checkpoint")
    }
