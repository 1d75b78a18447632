"""Check the files that a command will write, before it starts working."""

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
    Raise if a file cannot be written, or if two of them are the same.

    `targets` are paths by option, or None. `states` are the options that name states,
    which must not have the suffix of a feature format.
    """
    named = _files(targets)
    for option, path in named.items():
        if option in states and is_known(path):
            msg = (
                f"{option} {path} writes a state, but {path.suffix} is a suffix of "
                f"feature files. Use {path.with_suffix('.sknc')}."
            )
            raise WrongOptionError(msg)
    for (first, path), (second, other) in combinations(named.items(), 2):
        if path.resolve() == other.resolve():
            msg = f"{first} and {second} are the same file. Name two different files."
            raise WrongOptionError(msg)
    for option, path in named.items():
        kind = _STATE if option in states else _REPORT
        check_replaceable(checked_target(path, *kind))


def check_not_read(targets: Mapping[str, Any], inputs: Iterable[Path]) -> None:
    """Raise if an input file would be overwritten."""
    read = {path.resolve() for path in inputs}
    for option, path in _files(targets).items():
        if path.resolve() in read:
            msg = f"{option} {path} would overwrite an input file. Name another file."
            raise WrongOptionError(msg)


def _files(targets: Mapping[str, Any]) -> dict[str, Path]:
    return {
        option: Path(path)
        for option, path in targets.items()
        if path is not None and (path != STANDARD or option == "--checkpoint")
    }
