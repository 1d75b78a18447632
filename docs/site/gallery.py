"""What sphinx-gallery is told beyond settings: what pictures show, and threads."""

import re

from sphinx.errors import ExtensionError
from sphinx_gallery.scrapers import matplotlib_scraper

_ALT = re.compile(r"(?<=:alt: ).*")
# What most readers ask first; scripts that are not named here follow.
_ORDER = [
    "terminal_phase",
    "test_collapse",
    "layer_law",
    "optimizers",
    "central_path",
    "minority_collapse",
    "label_noise",
    "linguistic_collapse",
    "ood",
    "conventions",
    "few_samples",
]


class ReadingOrder:
    """The key by which scripts are sorted in the gallery."""

    def __init__(self, src_dir):
        pass

    def __call__(self, filename):
        """Return the place of a script."""
        name = filename.removeprefix("plot_").removesuffix(".py")
        place = _ORDER.index(name) if name in _ORDER else len(_ORDER)
        return place, name


def described_figures(block, block_vars, gallery_conf):
    """
    Save the figures of a block, with the script's ``alt_text`` as alternative text.

    sphinx-gallery takes the titles of the axes, which do not say what is to be seen.
    """
    rst = matplotlib_scraper(block, block_vars, gallery_conf)
    if not _ALT.search(rst):
        return rst
    text = block_vars["example_globals"].pop("alt_text", None)
    if not text:
        msg = (
            f"{block_vars['src_file']} draws a figure that nobody described: assign "
            "alt_text, a string, in the block that draws it."
        )
        raise ExtensionError(msg)
    return _ALT.sub(lambda _: " ".join(text.split()), rst)


def one_thread(gallery_conf, script):
    """
    Let torch use one thread.

    Networks this small gain nothing from more, and where other programs run threads
    wait for one another: the same script then takes thirty times as long.
    """
    import torch

    torch.set_num_threads(1)
