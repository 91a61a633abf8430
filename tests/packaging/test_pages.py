"""Every page is reached: by the site's navigation, and by whatever links to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .documents import DOCUMENTS, ROOT

MODEL_CARD = ROOT / "edge_runtime" / "models" / "default.md"
PAGES = (*DOCUMENTS, ROOT / "CHANGELOG.md", MODEL_CARD)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def targets(page: Path) -> list[str]:
    """What a page links to in the repository."""
    text = page.read_text(encoding="utf-8")
    return [target for target in LINK.findall(text) if "://" not in target]


def anchor(heading: str) -> str:
    """The anchor that code hosts and the site give a heading."""
    said = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", said).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def in_navigation(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        (target,) = entry.values()
        if isinstance(target, str):
            yield target
        else:
            yield from in_navigation(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in targets(page):
        name, _, place = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        assert not place or place in anchors(file), target


def test_the_navigation_has_every_page() -> None:
    navigation = re.search(
        r"^nav:\n(?:  .*\n)+", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.M
    )
    assert navigation
    listed = list(in_navigation(yaml.safe_load(navigation[0])["nav"]))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | {"model-card.md", "changelog.md"}
    assert sorted(listed) == sorted(pages)


def test_the_home_page_leads_to_every_page() -> None:
    led = {target.partition("#")[0] for target in targets(ROOT / "docs" / "index.md")}
    assert led >= {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
