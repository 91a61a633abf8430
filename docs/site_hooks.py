"""What the site does to the pages that a code host does by itself.

Pages link to files outside docs/ as a reader of the repository expects; the site gets those that it
shows as pages of its own, and names the others.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
# Files of the repository that are pages of the site.
PAGES = {"edge_runtime/models/default.md": "model-card.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
TABLE_MARK = re.compile(r"^<!-- (?:table: [\w-]+|end) -->$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere."""
    for source, name in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links out of docs/ to where the site has it, and set tables apart from their marks."""
    source = next((old for old, new in PAGES.items() if new == page.file.src_uri), None)
    folder = (ROOT / source).parent if source else ROOT / "docs"
    linked = LINK.sub(lambda link: _led(link[0], link[1], link[2], folder), markdown)
    return TABLE_MARK.sub("", linked)


def _led(whole: str, text: str, target: str, folder: Path) -> str:
    if "://" in target or target.startswith(("#", "mailto:")):
        return whole
    name, hash_, anchor = target.partition("#")
    path = (folder / name).resolve()
    if not path.exists():
        return whole  # mkdocs says so
    inside = path.relative_to(ROOT).as_posix()
    if inside in PAGES:
        return f"[{text}]({PAGES[inside]}{hash_}{anchor})"
    if inside.startswith("docs/"):
        return f"[{text}]({inside[len('docs/') :]}{hash_}{anchor})"
    # A file of the repository alone: by its name, where the text does not say it.
    bare = text.strip("`")
    return f"`{inside}`" if inside.endswith(bare) else f"{text} (`{inside}`)"
