"""Events for the tests of outputs, and a way to wait for what a thread does."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge_runtime.events import Event


def some_event(number: int, kind: str = "update", label: str = "happy") -> Event:
    """An event that is told from others by its place in the stream."""
    return Event(
        kind=kind,
        time=f"2026-11-24T10:{number // 60 % 60:02d}:{number % 60:02d}.000+00:00",
        monotonic=100.0 + number,
        start=float(number),
        end=number + 2.0,
        label=label,
        score=0.75,
        scores={"happy": 0.75, "sad": 0.25},
        level_dbfs=-23.5,
        latency_ms=1.25,
        model="small@0123abcd",
    )


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition, and fail the test where it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        time.sleep(0.005)
