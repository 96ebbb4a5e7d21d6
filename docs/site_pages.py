"""What the site has beside docs/: README as its first page, and the root's other documents. A hook of mkdocs.yml.

Documents link to each other as files of the repository, which is how they are read elsewhere. Here such a link becomes
one between pages; a link to a file that is no page becomes the file's name.

Rules: a link to a file that does not exist is a warning, which `mkdocs build --strict` makes an error.
"""

import logging
import os.path
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# File of the repository -> page of the site.
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "ARCHITECTURE.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "evals/LOG.md": "log/index.md",
} | {f"evals/log/{path.name}": f"log/{path.name}" for path in sorted((ROOT / "evals/log").glob("*.md"))}
# With or without "!" before it: text, target, anchor.
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
log = logging.getLogger("mkdocs.hooks.site_pages")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the root's documents."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its links as the site needs them."""
    here = page.file.src_uri
    source = next((source for source, name in PAGES.items() if name == here), f"docs/{here}")
    return _LINK.sub(lambda link: _linked(link, source, here), markdown)


def _linked(link: re.Match[str], source: str, here: str) -> str:
    mark, text, target, anchor = link[1], link[2], link[3], link[4] or ""
    if "://" in target or target.startswith("mailto:"):
        return link[0]
    file = os.path.normpath(os.path.join(os.path.dirname(source), target))
    if not (ROOT / file).exists():
        log.warning("%s links to %s, which does not exist", source, target)
        return link[0]
    page = PAGES.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else None)
    if page is None:
        return f"{text} (`{file}`)"
    return f"{mark}[{text}]({os.path.relpath(page, os.path.dirname(here) or '.')}{anchor})"
