"""
Check the built site: every link leads somewhere, and nothing is loaded from elsewhere.

    python docs/site/check_links.py docs/_build

It prints what is wrong, and fails if anything is.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that make a browser load what they name.
_LOADED = {
    "audio": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
# Links in the head that are only told.
_TOLD = {"author", "canonical", "index", "next", "prev", "search"}
_IN_STYLES = re.compile(r"(?:url\(|@import)\s*['\"]?(https?:[^'\")\s]+|//[^'\")\s]+)")


class Page(HTMLParser):
    """The anchors of a page, what it links to, loads, and shows without words."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.wordless: list[str] = []
        text = path.read_text(encoding="utf-8")
        self.feed(text)
        self.loaded += _IN_STYLES.findall(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        src = found.get("src", "")
        # Sphinx writes the path where there are no words; none at all says that the
        # picture is an ornament.
        if tag == "img" and found.get("alt", src).endswith(src):
            self.wordless.append(src)
        if tag == "link" and set(found.get("rel", "").split()) <= _TOLD:
            return
        for name in _LOADED.get(tag, ()):
            if value := found.get(name):
                self.loaded += [part.split()[0] for part in value.split(",")]


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the pages of a folder, one line each."""
    paths = [p for p in sorted(folder.rglob("*.html")) if "_static" not in p.parts]
    pages = {path: Page(path) for path in paths}
    if not pages:
        return [f"{folder} has no pages."]
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        loaded = [url for url in page.loaded if urlsplit(url).scheme != "data"]
        remote = [url for url in loaded if urlsplit(url).netloc]
        local = [url for url in loaded if url not in remote]
        found += [f"{name}: loads {url}" for url in remote]
        found += [f"{name}: {src} has no alternative text" for src in page.wordless]
        found += [
            f"{name}: {url} leads nowhere"
            for url in dict.fromkeys([*page.links, *local])
            if not _leads_somewhere(url, path, pages)
        ]
    for path in sorted(folder.rglob("*.css")):
        urls = _IN_STYLES.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(folder)}: loads {url}" for url in urls]
    return found


def _leads_somewhere(url: str, path: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return True  # elsewhere, and not looked at
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    anchor = unquote(parts.fragment)
    if target not in pages:
        return target.is_file() and not anchor
    return not anchor or anchor in pages[target].anchors


def main() -> int:
    """Print what is wrong."""
    (folder,) = sys.argv[1:]
    found = problems(Path(folder).resolve())
    print(*found, sep="\n", end="\n" * bool(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
