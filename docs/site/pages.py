"""
What the site has beyond the pages of the documentation.

The order of the pages is that of the tables in ``index.md``, one table a section. The
reference is written from the names that the package exports. Links to scripts of the
gallery lead to the pages that sphinx-gallery makes of them.
"""

import re
from importlib import import_module
from pathlib import Path

_MODULES = {
    "sknc": "Estimators, reports and figures",
    "sknc.metrics": "Metrics",
    "sknc.metrics.regression": "Metrics of regression",
    "sknc.torch": "PyTorch",
    "sknc.io": "Files",
    "sknc.distributed": "Processes",
}
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_PAGE = re.compile(r"^\| \[[^\]]+\]\(([\w/]+)\.(?:md|rst)\) \|", re.MULTILINE)
_GALLERY = "auto_gallery"
_TO_GALLERY = re.compile(r"\]\(gallery/(\w+)\.(?:py|rst)\)")
_REFERENCE = "reference"
_DUNDER = "__version__"


def setup(app):
    """Connect them to the build."""
    app.connect("config-inited", write_reference)
    app.connect("source-read", lead_to_gallery, priority=400)  # before tables are read
    app.connect("source-read", add_tables_of_contents)
    return {"parallel_read_safe": True}


def write_reference(app, config):
    """Write the page that lists every public name, by module."""
    lines = ["# Reference", "", "Every public class and function.", ""]
    for module, title in _MODULES.items():
        names = [n for n in import_module(module).__all__ if n != _DUNDER]
        lines += [f"## {title}", "", "```{eval-rst}"]
        lines += [f".. currentmodule:: {module}", "", ".. autosummary::"]
        lines += ["   :toctree: reference", "", *(f"   {name}" for name in names)]
        lines += ["```", ""]
    path = Path(app.srcdir) / f"{_REFERENCE}.md"
    text = "\n".join(lines)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def lead_to_gallery(app, page, source):
    """Replace links to scripts, which are right in the repository, by their pages."""

    def on_site(link):
        name = "index" if link[1] == "README" else link[1]
        return f"]({_GALLERY}/{name}.rst)"

    source[0] = _TO_GALLERY.sub(on_site, source[0])


def add_tables_of_contents(app, page, source):
    """Let the tables of the first page order the site."""
    if page != "index":
        return
    _, *sections = _SECTION.split(source[0])
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        pages = _PAGE.findall(text)
        if pages:
            source[0] += _toctree(title, pages)
    source[0] += _toctree("Reference", [_REFERENCE])


def _toctree(title, pages):
    lines = ["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```", ""]
    return "\n".join(["", *lines])
