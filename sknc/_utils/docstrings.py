"""Docstrings in sections, and entries that several of them share, written once."""

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
# What an object shares of its docstring.
_INHERITED = ("Parameters", "Attributes", "Returns", "Raises")
_HEADING = re.compile(rf"^({'|'.join(_SECTIONS)})\n-+\n", re.MULTILINE)


def split_sections(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Return what stands before the first section, and each section by its name."""
    head, *rest = _HEADING.split(inspect.cleandoc(docstring or ""))
    return head.strip(), dict(zip(rest[::2], map(str.rstrip, rest[1::2]), strict=True))


def join_sections(head: str, sections: dict[str, str]) -> str:
    """Return a docstring of the sections that are not empty, in numpydoc's order."""
    parts = [
        f"{name}\n{'-' * len(name)}\n{sections[name]}"
        for name in _SECTIONS
        if sections.get(name)
    ]
    return "\n" + "\n\n".join([head, *parts]) + "\n"


def entries_of(section: str) -> dict[str, str]:
    """Return the entries of a section by their names, without the types."""
    found = filter(None, re.split(r"^(?=\S)", section, flags=re.MULTILINE))
    return {re.split(" :|\n", entry)[0]: entry.rstrip() for entry in found}


def filled(text: str, indent: str = "    ") -> str:
    """Return text in lines of a docstring."""
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
    Complete a docstring with entries of others, that it leaves out.

    Shared are sections of text, or of the docstring of a function or class, but for its
    notes, references and examples. Of parameters and attributes those are filled in
    that the object has, and an entry of its own comes before one of the same name.
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
    if section == "Returns":  # whose entries have types for names
        return "\n".join((own or shared).values())
    if section == "Attributes":
        names = {*dir(item)}.union(*(inspect.get_annotations(c) for c in item.__mro__))
        shared = {key: text for key, text in shared.items() if key in names}
    entries = shared | own
    if section == "Parameters":
        # An entry may be of several, such as "X, y".
        first = {key.split(", ")[0].strip("*"): key for key in entries}
        named = inspect.signature(item).parameters
        entries = {key: entries[first[key]] for key in named if key in first}
    return "\n".join(entries.values())
