"""
Draw the figures of pages, by running the code on them.

    python docs/examples/page_figures.py imbalance layers many_classes

Each page binds its figure to ``figure``; it is saved as ``docs/figures/PAGE.png``.
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1]


def main(pages: list[str]) -> None:
    """Run the blocks of each page, and save its figure."""
    for page in pages:
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        namespace: dict[str, object] = {}
        for code in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
            exec(compile(code, page, "exec"), namespace)
        path = DOCS / "figures" / f"{page}.png"
        namespace["figure"].savefig(path, dpi=100)


if __name__ == "__main__":
    main(sys.argv[1:])
