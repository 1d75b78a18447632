"""Parts that the pages of all reports share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from sknc._utils.parameters import refuse
from sknc.convention import Convention
from sknc.metrics import TABLE
from sknc.report._rendering.page.document import contents, page, section
from sknc.report._rendering.page.markup import Markup, joined, tag
from sknc.report._rendering.page.metric_table import reference_list
from sknc.report._rendering.page.versions import versions
from sknc.report._rendering.table import Shown, lines_of_all, notes_on_no_row


def assembled(
    title: str | None, usual: str, leads: Sequence[str], parts: Mapping[str, Markup]
) -> str:
    """Return a page of parts with links to them; without a title, with the usual."""
    if title is not None and not isinstance(title, str):
        refuse("title", "a string", title)
    places = [(name.lower(), name) for name in parts]
    return page(title or usual, leads, [contents(places), *parts.values()])


def notes_section(
    reports: Mapping[str, Shown], remarks: Sequence[str]
) -> dict[str, Markup]:
    """Return the part with notes on the whole, which is left out if there are none."""
    lines = [*remarks, *lines_of_all(reports, notes_on_no_row)]
    if not lines:
        return {}
    items = tag("ul", *(tag("li", line) for line in lines), class_="remarks")
    return {"Notes": section("notes", "Notes on the whole", items)}


def references(keys: Iterable[str], content: Shown) -> dict[str, Markup]:
    """Return the part with references, which is left out if there are none."""
    sources = [source for key in keys for source in content.metric(key).sources]
    if not any("http" in source.reference for source in sources):
        return {}
    return {"References": section("references", "References", reference_list(sources))}


def ordered_keys(reports: Iterable[Shown]) -> list[str]:
    """Return the metrics of all reports, in the order of the catalogue."""
    found = dict.fromkeys(key for one in reports for key in one.values)
    order = list(TABLE)
    return sorted(found, key=order.index) if set(found) <= set(order) else list(found)


def convention_list(convention: Convention) -> Markup:
    """Return the choices of a convention."""
    return pairs({f.name: str(getattr(convention, f.name)) for f in fields(convention)})


def version_list() -> Markup:
    """Return what the page was written with."""
    return joined(tag("h3", "This page was written with"), pairs(versions()))


def pairs(found: Mapping[str, str]) -> Markup:
    """Return a list of names and what they stand for."""
    parts = (joined(tag("dt", name), tag("dd", text)) for name, text in found.items())
    return tag("dl", *parts)
