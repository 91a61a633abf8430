"""A trial that ended, and the best of several."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One training: its number from 1, its values by key, its UAR or why it failed."""

    number: int
    values: dict[str, Any]
    uar: float | None
    reason: str


def best_of(done: list[Trial]) -> Trial | None:
    """The first of those that did best, if any did not fail."""
    judged = [trial for trial in done if trial.uar is not None]
    return max(judged, key=lambda trial: trial.uar or 0.0, default=None)


def line_of(done: list[Trial], trials: int) -> str:
    """The last trial and the best so far, for a log."""
    last, best = done[-1], best_of(done)
    values = ", ".join(f"{key} {text_of(value)}" for key, value in last.values.items())
    outcome = f"failed ({last.reason})" if last.uar is None else f"validation UAR {last.uar:.3f}"
    so_far = "none yet" if best is None else f"{best.uar:.3f} (trial {best.number})"
    return f"trial {last.number} of {trials}: {values}: {outcome}; best {so_far}"


def text_of(value: Any) -> str:
    """A value for people to read."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
