"""What the guided recording shows and reads at the terminal."""

from __future__ import annotations

import sys

METER_WIDTH = 30
METER_FLOOR_DBFS = -60.0
LINE_WIDTH = METER_WIDTH + 30


def ask(question: str) -> str | None:
    """Ask for a line; None where there is nobody, or no more of it."""
    print(question, end="", flush=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not sys.stdin or not sys.stdin.isatty():
        print(flush=True)  # a terminal shows the line that was typed
    return line.strip() if line else None


def show_level(level_dbfs: float, is_speech: bool) -> None:
    """Draw the level over the last one; nothing where nobody looks."""
    if not sys.stdout.isatty():
        return
    share = min(1.0, max(0.0, 1.0 - level_dbfs / METER_FLOOR_DBFS))
    bar = "#" * round(share * METER_WIDTH)
    state = "speech" if is_speech else ""
    print(f"\r     [{bar:<{METER_WIDTH}}] {level_dbfs:5.0f} dBFS {state:<6}", end="", flush=True)


def clear_level() -> None:
    """Clear the line of the level."""
    if sys.stdout.isatty():
        print(f"\r{'':<{LINE_WIDTH}}\r", end="", flush=True)
