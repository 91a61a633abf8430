"""Hops and events as the daemon tells them, for the tests of what shows them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

from edge_runtime.events import Event, Hop

SCORES = {"neutral": 0.1, "happy": 0.6, "sad": 0.3}
ABOUT = {
    "version": "1.2.3",
    "source": "mic",
    "hop_seconds": 0.5,
    "saves_audio": None,
    "model": "m@12345678",
    "labels": list(SCORES),
}
BEGIN = datetime.now(timezone.utc)


def utc(number: float) -> str:
    """UTC time of a hop of half a second, ISO 8601."""
    return (BEGIN + timedelta(seconds=0.5 * number)).isoformat(timespec="milliseconds")


def hop(number: int, level: float = -30.0, label: str | None = "happy") -> Hop:
    """A hop with speech, where there is a label; else a quiet one."""
    scores = SCORES if label else None
    return Hop(utc(number), 0.5 * number, bool(label), level, -60.0, scores, label, 3.0)


def event(kind: str = "start", number: int = 0, label: str = "happy") -> Event:
    """An event at a hop."""
    return Event(
        kind=kind,
        time=utc(number),
        monotonic=time.monotonic(),
        start=float(number),
        end=number + 2.0,
        label=label,
        score=0.623456789,
        scores=SCORES,
        level_dbfs=-30.0,
        latency_ms=3.0,
        model="m@12345678",
    )
