"""How Sphinx builds the site: ``sphinx-build -W -c docs/site docs docs/_build``."""

import sys
from importlib.util import find_spec
from pathlib import Path

import sknc

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "sknc"
author = "The sknc developers"
copyright = f"2026, {author}"
release = version = sknc.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "pages",  # beside this file
]
exclude_patterns = ["_build", "site", "gallery"]
templates_path = [str(HERE / "templates")]  # autosummary looks from docs/
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # as GitHub has it
myst_heading_anchors = 4  # so that links to headings work as they do on GitHub
autosummary_generate = True
# Training frameworks are not installed where the site is built.
autodoc_mock_imports = ["lightning", "skorch", "torchmetrics", "transformers"]
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
default_role = "py:obj"  # so that names in docstrings are links
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

# Scripts assert what they claim, so a claim that no longer holds ends the build.
sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "gallery"),
    "gallery_dirs": "auto_gallery",
    "abort_on_example_error": True,
    "image_scrapers": ("gallery.described_figures",),  # beside this file
    "reset_modules": ("matplotlib", "gallery.one_thread"),
    "thumbnail_size": (560, 330),
    "within_subsection_order": "gallery.ReadingOrder",
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sknc"
# One file of MathJax, with all glyphs, so that formulas need nothing from elsewhere.
_MATHJAX = Path(find_spec("sphinx-mathjax-offline").origin).parent
mathjax_path = "tex-svg.js"
html_static_path = ["static", str(_MATHJAX / "static" / "mathjax" / mathjax_path)]
html_css_files = ["site.css"]
html_show_sourcelink = False
_ALONE = ("index", "metrics", "performance", "design", "changelog")  # no pages below
html_sidebars = {name: [] for name in _ALONE} | {"**": ["sidebar-nav-bs"]}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": [],
}
