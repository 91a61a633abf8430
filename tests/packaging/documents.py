"""What the documents tell their readers to type, and what they show."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
MARKDOWN = MarkdownIt()
# What an indented block without a language begins with, and then is.
BEGINNINGS = (("[", "toml"), ("{", "json-like"), ("#!", "script"))
ASSIGNMENT = re.compile(r"([A-Z][A-Z_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes
    ----------
    path : Path
        Of the document.
    line : int
        Where in it the block is, counted from 1.
    language : str
        As the fence names it; of an indented block, what it looks like: "toml", "json-like",
        "script", or else "sh".
    text : str
        What stands in it.
    """

    path: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    block : Block
        Where it stands.
    text : str
        As it stands there, on one line and without its comment.
    environment : dict of str to str
        The variables set before it.
    words : tuple of str
        The program, without its folder, and its arguments; ``sudo`` is left out.
    """

    block: Block
    text: str
    environment: dict[str, str]
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.block.place}: {self.text}"


def blocks() -> list[Block]:
    """All blocks of code of all documents."""
    return [block for path in DOCUMENTS for block in _blocks_of(path)]


def commands() -> list[Command]:
    """All commands of all documents."""
    return [
        _command(block, line)
        for block in blocks()
        if block.language == "sh"
        for line in _lines(block.text)
    ]


def _blocks_of(path: Path) -> list[Block]:
    found = []
    for token in MARKDOWN.parse(path.read_text(encoding="utf-8")):
        if token.type == "fence":
            found.append(Block(path, token.map[0] + 1, token.info.strip(), token.content))
        elif token.type == "code_block":
            # What blank lines part, Markdown takes for one block.
            parts = re.split(r"\n{2,}", token.content.strip("\n"))
            found += [Block(path, token.map[0] + 1, _looks_like(text), text) for text in parts]
    return found


def _looks_like(text: str) -> str:
    return next((kind for start, kind in BEGINNINGS if text.lstrip().startswith(start)), "sh")


def _lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def _command(block: Block, line: str) -> Command:
    words = shlex.split(line, comments=True)
    environment = {}
    while words and (match := ASSIGNMENT.fullmatch(words[0])):
        environment[match[1]] = match[2]
        words = words[1:]
    words = words[1:] if words[0] == "sudo" else words
    text = re.sub(r"\s+#.*", "", re.sub(r"\s+", " ", line.strip()))
    return Command(block, text, environment, (words[0].rpartition("/")[2], *words[1:]))
