"""Docstrings split into sections, and entries that several of them share."""

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

_SECTIONS = (
    *("Parameters", "Attributes", "Returns", "Raises"),
    *("See Also", "Notes", "References", "Examples"),
)
# Sections that objects can share.
_INHERITED = ("Parameters", "Attributes", "Returns", "Raises")
_HEADING = re.compile(rf"^({'|'.join(_SECTIONS)})\n-+\n", re.MULTILINE)


def split_sections(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return the text before the first section, and the sections by name."""
    head, *rest = _HEADING.split(inspect.cleandoc(docstring or ""))
    return head.strip(), dict(zip(rest[::2], map(str.rstrip, rest[1::2]), strict=True))


def join_sections(head: str, sections: dict[str, str]) -> str:
    """Return a docstring of the non-empty sections, in numpydoc's order."""
    parts = [
        f"{name}\n{'-' * len(name)}\n{sections[name]}"
        for name in _SECTIONS
        if sections.get(name)
    ]
    return "\n" + "\n\n".join([head, *parts]) + "\n"


def entries_of(section: str) -> dict[str, str]:
    """Return the entries of a section by name, without types."""
    found = filter(None, re.split(r"^(?=\S)", section, flags=re.MULTILINE))
    return {re.split(" :|\n", entry)[0]: entry.rstrip() for entry in found}


def filled(text: str, indent: str = "    ") -> str:
    """Wrap text to the line length of docstrings."""
    return textwrap.fill(
        text,
        84,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def documented(*shared: str | Callable[..., Any]) -> Callable[[T], T]:
    """
    Fill in missing entries of a docstring from others.

    Shared entries come from sections of text, or from the docstring of a function or
    class, except its notes, references and examples. Only parameters and attributes
    that the object has are filled in. Its own entry takes precedence.
    """

    def complete(item: T) -> T:
        head, sections = split_sections(item.__doc__)
        for source in shared:
            if isinstance(source, str):
                found = split_sections(source)[1]
            else:
                found = split_sections(source.__doc__)[1]
                found = {name: found[name] for name in _INHERITED if name in found}
            for name, section in found.items():
                own = entries_of(sections.get(name, ""))
                sections[name] = _merged(item, name, own, entries_of(section))
        item.__doc__ = join_sections(head, sections)
        return item

    return complete


def _merged(
    item: Any, section: str, own: dict[str, str], shared: dict[str, str]
) -> str:
    if section == "Returns":  # entries have types instead of names
        return "\n".join((own or shared).values())
    if section == "Attributes":
        names = {*dir(item)}.union(*(inspect.get_annotations(c) for c in item.__mro__))
        shared = {key: text for key, text in shared.items() if key in names}
    entries = shared | own
    if section == "Parameters":
        # An entry may have several names, such as "X, y".
        first = {key.split(", ")[0].strip("*"): key for key in entries}
        named = inspect.signature(item).parameters
        entries = {key: entries[first[key]] for key in named if key in first}
    return "\n".join(entries.values())
