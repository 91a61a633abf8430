"""What the programs can say, as patterns, out of their source."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from .documents import ROOT

PACKAGES = ("edge_runtime", "train", "convert", "benchmarks")
LEAST_FIXED = 15  # characters of a message that are no value, or anything would match
# What may stand before a message: the program, a state, a file; and around it, what failed by it.
BEFORE, AFTER = r"(?:[^:]+: )*(?:[\w ]+ failed \()?", r"\)?"


def can_be_said(line: str) -> bool:
    """Whether some string of the source makes this line, whatever its values."""
    return any(pattern.fullmatch(line) for pattern in _patterns())


@lru_cache
def _patterns() -> list[re.Pattern[str]]:
    return [
        pattern
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (pattern := _pattern(node)) is not None
    ]


def _pattern(node: ast.AST) -> re.Pattern[str] | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        parts = [node]
    elif isinstance(node, ast.JoinedStr):
        parts = node.values
    else:
        return None
    fixed = [part.value if isinstance(part, ast.Constant) else None for part in parts]
    if sum(len(text) for text in fixed if text) < LEAST_FIXED or (fixed[0] or "").startswith("pip"):
        return None  # advice alone is no message
    values = "".join(".+" if text is None else re.escape(text) for text in fixed)
    return re.compile(BEFORE + values + AFTER)
