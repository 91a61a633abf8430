"""Markdown tables."""

from __future__ import annotations


def markdown(rows: list[list[str]]) -> str:
    """Lay out rows of cells, the first of them the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)
