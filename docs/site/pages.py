"""
What the site has beyond the pages of the documentation.

Tables whose first column is headed ``page`` order the site: their pages come below the
page with the table. The reference is written from the names that the package exports.
Links that are right in the repository lead to the pages made of what they name, and
names of public objects, where they stand as code, to their page of the reference.
"""

import re
from importlib import import_module
from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

from sknc import NeuralCollapseAnalyzer

_MODULES = {
    "sknc": "Estimators, reports and figures",
    "sknc.metrics": "Metrics",
    "sknc.metrics.regression": "Metrics of regression",
    "sknc.torch": "PyTorch",
    "sknc.io": "Files",
    "sknc.distributed": "Processes",
}
# Of modules that need a framework, which is not installed where the site is built.
_FRAMEWORKS = {
    "sknc.torch.lightning": "NeuralCollapseCallback",
    "sknc.torch.transformers": "NeuralCollapseCallback",
    "sknc.torch.skorch": "NeuralCollapseCallback",
    "sknc.torch.torchmetrics": "NeuralCollapseMetric",
}
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_TABLE = re.compile(r"^\| page \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", re.MULTILINE)
_PAGE = re.compile(r"^\| \[[^\]]+\]\(([\w/]+)\.(?:md|rst)\) \|", re.MULTILINE)
_GALLERY = "auto_gallery"
_TO_GALLERY = re.compile(r"\]\(gallery/(\w+)\.(?:py|rst)\)")
_REFERENCE = "reference"
_TO_REFERENCE = "](../sknc/__init__.py)"
_DUNDER = "__version__"


def setup(app):
    """Connect them to the build."""
    app.connect("config-inited", write_reference)
    app.connect("source-read", lead_to_pages, priority=400)  # before tables are read
    app.connect("source-read", add_tables_of_contents)
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True}


def write_reference(app, config):
    """Write the page that lists every public name, by module."""
    lines = ["# API reference", "", "Every public class and function.", ""]
    for module, title in _MODULES.items():
        names = [n for n in import_module(module).__all__ if n != _DUNDER]
        lines += [f"## {title}", "", *_summary(module, names)]
    lines += ["## Training frameworks", ""]
    for module, name in _FRAMEWORKS.items():
        lines += _summary(module, [name])
    path = Path(app.srcdir) / f"{_REFERENCE}.md"
    text = "\n".join(lines)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _summary(module, names):
    head = ["```{eval-rst}", f".. currentmodule:: {module}", "", ".. autosummary::"]
    head += ["   :toctree: reference", "   :nosignatures:", ""]
    return [*head, *(f"   {n}" for n in names), "```", ""]


def lead_to_pages(app, page, source):
    """Replace links to scripts and modules by links to the pages made of them."""

    def on_site(link):
        name = "index" if link[1] == "README" else link[1]
        return f"]({_GALLERY}/{name}.rst)"

    text = source[0].replace(_TO_REFERENCE, f"]({_REFERENCE}.md)")
    source[0] = _TO_GALLERY.sub(on_site, text)


def add_tables_of_contents(app, page, source):
    """Let the tables of pages order the site."""
    head, *sections = _SECTION.split(source[0])
    parts = [("", head), *zip(sections[::2], sections[1::2], strict=True)]
    several = sum(bool(_TABLE.search(text)) for _, text in parts) > 1
    for title, text in parts:
        pages = _PAGE.findall("".join(_TABLE.findall(text)))
        if pages:
            source[0] += _toctree(title if several else "", pages)


def _toctree(caption, pages):
    lines = ["```{toctree}", ":hidden:", *[f":caption: {caption}"] * bool(caption)]
    return "\n".join(["", *lines, "", *pages, "```", ""])


class LinkNames(SphinxPostTransform):
    """Make a link of each name of a public object that stands as code in a page."""

    default_priority = 400
    formats = ("html",)

    def run(self, **kwargs):
        """Look at all code of a page."""
        docname = self.env.docname
        for node in list(self.document.findall(nodes.literal)):
            if _is_linked(node):
                continue
            found = self._target(node.astext().removesuffix("()"))
            if found and found[0] != docname:
                page, anchor = found
                title, builder = node.astext(), self.app.builder
                link = make_refnode(builder, docname, page, anchor, node.copy(), title)
                link[0].children = [nodes.Text(title)]
                node.replace_self(link)

    def _target(self, name):
        """Return the page and the anchor of an object, with or without its module."""
        if hasattr(NeuralCollapseAnalyzer, name):
            return None  # such as `fit`, which is also a function for Dask
        objects = self.env.domains.python_domain.objects
        for whole in (name, *(f"{module}.{name}" for module in _MODULES)):
            if whole in objects and whole.startswith("sknc."):
                return objects[whole].docname, objects[whole].node_id
        return None


def _is_linked(node):
    inside = (nodes.reference, nodes.title)
    while node := node.parent:
        if isinstance(node, inside):
            return True
    return False
