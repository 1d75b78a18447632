"""Elements of HTML and SVG, in which text is escaped unless it is markup already."""

import re
from html import escape

_CODE = re.compile(r"``(.+?)``")
# Parentheses only in pairs, as DOIs have them.
_ADDRESS = re.compile(r"https://(?:[^\s()]|\([^\s()]*\))*[^\s().,;]")


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """
    Return an element; an attribute that is None is left out.

    Underscores in names of attributes are hyphens, but for one at the end, as in
    ``class_``.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{named}>{joined(*children)}</{name}>")


def void(name: str, /, **attributes: str | float | None) -> Markup:
    """Return an element that has no content and no end, such as ``meta``."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))


def joined(*children: str) -> Markup:
    """Return children one after the other, escaped where they are plain text."""
    return Markup("".join(c if isinstance(c, Markup) else escape(c) for c in children))


def with_code(text: str) -> Markup:
    """Return a sentence of a docstring, with its names of code marked."""
    parts = _CODE.split(text)
    code = [tag("code", part) if i % 2 else part for i, part in enumerate(parts)]
    return joined(*code)


def with_links(text: str) -> Markup:
    """Return text in which addresses are links."""
    parts, start = [], 0
    for found in _ADDRESS.finditer(text):
        parts += [text[start : found.start()], link(found[0], found[0])]
        start = found.end()
    return joined(*parts, text[start:])


def link(address: str, text: str) -> Markup:
    """Return a link to a page elsewhere, which does not learn where it was followed."""
    return tag("a", text, href=address, rel="noreferrer")
