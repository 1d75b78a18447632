"""Find the files named by a path, a pattern, a folder or a list of these."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sknc._utils.parameters import refuse
from sknc.io._formats import FORMATS, is_known

_EXPECTED = "a path, a glob pattern, a folder, or a list of these"
_PATTERN = re.compile(r"[*?[]")


def is_path(value: Any) -> bool:
    """Whether a value is a path or a pattern, or a list of only these."""
    if isinstance(value, (list, tuple)) and len(value):
        return all(_names_a_file(item) for item in value)
    return isinstance(value, (str, os.PathLike))


def _names_a_file(item: Any) -> bool:
    """Whether an item of a list is a path, not the label of a sample."""
    if isinstance(item, str):
        return is_known(Path(item)) or Path(item).exists()
    return isinstance(item, os.PathLike)


def find_files(what: str, paths: Any) -> list[Path]:
    """
    Return at least one file of a known format.

    `paths` are files, folders and patterns. A list keeps its order; otherwise files are
    in natural order.
    """
    if isinstance(paths, (str, os.PathLike)):
        return _files_of(what, paths)
    if not isinstance(paths, Iterable) or isinstance(paths, (bytes, dict)):
        refuse(what, _EXPECTED, paths)
    found = []
    for item in paths:
        if not isinstance(item, (str, os.PathLike)):
            refuse(what, _EXPECTED, paths)
        found += _files_of(what, item)
    if not found:
        refuse(what, f"{_EXPECTED} with at least one item", paths)
    return found


def natural_order(path: Path) -> tuple[Any, ...]:
    """Return a key that sorts shard 2 before shard 10."""
    parts = re.split(r"(\d+)", str(path))
    return tuple(int(part) if part.isdigit() else part for part in parts)


def varying_numbers(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    """Return the numbers in each name, except those common to all names."""
    found = [
        tuple(int(run) for run in re.findall(r"[0-9]+", str(path.with_suffix(""))))
        for path in paths
    ]
    if len({len(numbers) for numbers in found}) > 1:
        return found
    columns = enumerate(zip(*found, strict=True))
    varying = [place for place, column in columns if len({*column}) > 1]
    return [tuple(numbers[place] for place in varying) for numbers in found]


def _files_of(what: str, item: str | os.PathLike[str]) -> list[Path]:
    path = Path(item).expanduser()
    if path.exists():
        if is_known(path):
            return [path]
        return _files_in(path) if path.is_dir() else _refuse_suffix(path)
    if not _PATTERN.search(str(path)):
        raise _not_found(what, path)
    found = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    known = sorted(filter(is_known, found), key=natural_order)
    if not known:
        raise _no_match(what, path, found)
    return known


def _files_in(folder: Path) -> list[Path]:
    """Return the files of known formats in a folder."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    known = sorted(filter(is_known, found), key=natural_order)
    if known:
        return known
    names = ", ".join(sorted(path.name for path in found)[:3]) or "nothing"
    msg = f"The folder {folder} has no file of a known format ({_known()}): {names}."
    raise FileNotFoundError(msg)


def _not_found(what: str, path: Path) -> FileNotFoundError:
    folder = path.parent
    if not folder.is_dir():
        msg = f"{what}: no file {path}, because there is no folder {folder}."
        return FileNotFoundError(msg)
    names = [item.name for item in folder.iterdir()]
    near = [repr(name) for name in get_close_matches(path.name, names, cutoff=0.8)]
    hint = f"Did you mean {' or '.join(near)}?" if near else "Check the path."
    return FileNotFoundError(f"{what}: no file {path}. {hint}")


def _no_match(what: str, pattern: Path, found: list[Path]) -> FileNotFoundError:
    if found:
        msg = (
            f"{what}: nothing that {pattern} matches has a known suffix ({_known()}): "
            f"{found[0].name}."
        )
    else:
        msg = f"{what}: no file matches {pattern}. Patterns are those of a shell."
    return FileNotFoundError(msg)


def _refuse_suffix(path: Path) -> list[Path]:
    suffix = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
    msg = f"{path} has {suffix}. Known formats: {_known()}."
    raise ValueError(msg)


def _known() -> str:
    return ", ".join(FORMATS)
