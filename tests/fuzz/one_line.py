"""What is asked of every message."""

from __future__ import annotations


def require_one_line(error: Exception) -> None:
    """Require that a message is one line that can be printed."""
    text = str(error)
    assert text
    assert "\n" not in text
