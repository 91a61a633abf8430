"""Takes a written page apart: what a reader sees, and that it needs nothing but itself."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "br"}
PNG_START = b"\x89PNG\r\n\x1a\n"


class HtmlPage(HTMLParser):
    """The text and the tags of a page; it must be closed properly and load nothing.

    Attributes
    ----------
    text : str
        What is between the tags, white space reduced.
    tags : list of str
        Names of all elements, in order.
    pictures : list of bytes
        The PNG files in it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures: list[bytes] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == [], f"left open: {self._open}"
        self.text = " ".join(" ".join(self._text).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attrs:
            assert name not in ("href", "srcset", "data", "action"), f"{tag} loads {value}"
            if name == "src":
                start, _, content = (value or "").partition(",")
                assert (tag, start) == ("img", "data:image/png;base64")
                self.pictures.append(base64.b64decode(content, validate=True))
                assert self.pictures[-1].startswith(PNG_START)
            assert not name.startswith("on")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
        else:
            self._text.append(data)
