"""Build a page as one self-contained file, and write it."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sknc._utils.storage.atomic import checked_target, replacing
from sknc.report._rendering.page.figures import marks
from sknc.report._rendering.page.markup import Markup, joined, tag, void


def page(title: str, leads: Sequence[str], sections: Sequence[Markup]) -> str:
    """
    Return the text of a page.

    Its policy lets a browser use the style and the script that are in it, and load or
    send nothing, whatever labels and notes contain.
    """
    style, script = resource("table.css") + resource("page.css"), resource("sort.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=policy),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        void("link", rel="icon", href="data:,"),  # or browsers ask for one
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        marks(),
        tag("main", _header(title, leads), *sections, class_="sknc"),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def section(identifier: str, heading: str, *children: str) -> Markup:
    """Return a part of a page with its heading, which other places can link to."""
    title = tag("h2", heading, id=f"{identifier}-heading")
    return tag(
        "section",
        title,
        *children,
        id=identifier,
        aria_labelledby=f"{identifier}-heading",
    )


def contents(sections: Sequence[tuple[str, str]]) -> Markup:
    """Return links to parts of a page, given as (identifier, text)."""
    links = (tag("li", tag("a", text, href=f"#{name}")) for name, text in sections)
    return tag("nav", tag("ul", *links), aria_label="Contents")


def write_page(path: Any, text: str) -> None:
    """Write a page to a file, which is replaced as a whole."""
    target: Path = checked_target(path, "page", "report.html")
    with replacing(target) as file:
        # Labels may hold what is no character, which UTF-8 cannot store.
        file.write(text.encode(errors="backslashreplace"))


@cache
def resource(name: str) -> str:
    """Return the text of a file beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _header(title: str, leads: Sequence[str]) -> Markup:
    lines = joined(*(tag("p", lead) for lead in leads))
    return tag("header", tag("h1", title), lines)


def _digest(text: str) -> str:
    found = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{found}'"
