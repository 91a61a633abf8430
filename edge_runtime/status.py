"""What the daemon is doing now and did in the last minutes, for whoever asks."""

from __future__ import annotations

import bisect
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from edge_runtime.classifier import Classifier
from edge_runtime.events import Event, Hop
from edge_runtime.outputs.outlet import Outlet

HISTORY_SECONDS = 300.0
MAX_HOPS_KEPT = 2000  # of very short hops, fewer seconds
EVENTS_KEPT = 100
COUNTS = (
    "hops",
    "inferences",
    "events",
    "reloads",
    "overflows",
    "dropped milliseconds",
    "restarts of the source",
)
SOURCE_STATES = ("opening", "listening", "lost", "silent", "frozen")
# Upper bounds, in milliseconds; one bucket more holds what is above the last.
LATENCY_BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
Subscriber = Callable[[str, dict[str, Any]], None]


class Status:
    """Written by the classifying thread, read by any.

    Parameters
    ----------
    about : dict
        What does not change by itself: "version", "source", "hop_seconds", "saves_audio" (folder
        or None), "profile" (name or None), "adapts" (whether it gets used to the voice that is
        heard), and what `describe_model` gives.
    outlets : sequence of Outlet
        Those that are running.

    Attributes
    ----------
    counts : collections.Counter
        "hops", "inferences", "events", "reloads", "overflows" (times that the device lost sound),
        "dropped milliseconds" (sound that came and was not taken in time) and "restarts of the
        source".
    labels : collections.Counter
        Number of "start" events of each label.
    """

    def __init__(self, about: dict[str, Any], outlets: Sequence[Outlet] = ()) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self.labels: Counter[str] = Counter()
        self.outlets = tuple(outlets)
        self._about = about
        self._started = time.monotonic()
        self._last_hop = time.monotonic()
        self._source = {"state": "opening", "detail": ""}
        self._latency_counts = [0] * (len(LATENCY_BUCKETS_MS) + 1)
        self._latency_sum_ms = 0.0
        self._hops: deque[dict[str, Any]] = deque(maxlen=_hops_kept(about))
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_KEPT)
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.Lock()

    def note_hop(self, hop: Hop) -> None:
        """Take what a hop brought."""
        entry = asdict(hop)
        with self._lock:
            self.counts["hops"] += 1
            self.counts["inferences"] += hop.scores is not None
            self._last_hop = time.monotonic()
            self._hops.append(entry)
            if hop.scores is not None:
                self._latency_counts[bisect.bisect_left(LATENCY_BUCKETS_MS, hop.latency_ms)] += 1
                self._latency_sum_ms += hop.latency_ms
        self._tell("hop", entry)

    def note_event(self, event: Event) -> None:
        """Take an event."""
        entry = asdict(event)
        with self._lock:
            self.counts["events"] += 1
            if event.kind == "start":
                self.labels[event.label] += 1
            # Of updates in a row the last: else one long emotion would push out all before it.
            if event.kind == "update" and self._events and self._events[-1]["kind"] == "update":
                self._events.pop()
            self._events.append(entry)
        self._tell("event", entry)

    def note_source(self, state: str, detail: str) -> None:
        """Take the state of the source, one of `SOURCE_STATES`, and what there is to say of it."""
        entry = {"state": state, "detail": detail}
        with self._lock:
            is_new = self._source["state"] != state
            self.counts["restarts of the source"] += is_new and state == "lost"
            self._source = entry
        self._tell("source", entry)

    def note_losses(self, overflows: int, dropped_seconds: float) -> bool:
        """Take how much sound was lost since the start.

        Parameters
        ----------
        overflows : int
            How often the device lost sound.
        dropped_seconds : float
            What came and was thrown away, because it was not taken in time.

        Returns
        -------
        bool
            Whether that is more than was known.
        """
        lost = {"overflows": overflows, "dropped milliseconds": round(1000.0 * dropped_seconds)}
        with self._lock:
            is_more = any(self.counts[key] < count for key, count in lost.items())
            self.counts.update({key: count - self.counts[key] for key, count in lost.items()})
        return is_more

    def renew(self, about: dict[str, Any], outlets: Sequence[Outlet]) -> None:
        """Take what a reload changed."""
        with self._lock:
            self.counts["reloads"] += 1
            self._about = about
            self.outlets = tuple(outlets)
            self._hops = deque(self._hops, maxlen=_hops_kept(about))
        self._tell("about", about)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Have a function told everything, with "hop", "event", "source" or "about" and the entry.

        It is called on the classifying thread, must return at once, must not raise, and must not
        change the entry.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """No longer tell a function."""
        with self._lock:
            self._subscribers = tuple(one for one in self._subscribers if one != subscriber)

    def snapshot(self) -> dict[str, Any]:
        """Give the state as JSON types.

        Returns
        -------
        dict
            "about", "source", "counts", "labels", "outputs", "uptime_seconds",
            "seconds_since_hop", "hop" (the newest, or None), "event" (the newest, or None) and
            "latency" of the hops that were classified ("counts", one for each of
            `LATENCY_BUCKETS_MS` and one above, not cumulative; "sum_ms").
        """
        with self._lock:
            return {
                "about": self._about,
                "source": self._source,
                "counts": dict(self.counts),
                "labels": dict(self.labels),
                "outputs": [outlet.to_dict() for outlet in self.outlets],
                "uptime_seconds": round(time.monotonic() - self._started, 1),
                "seconds_since_hop": round(time.monotonic() - self._last_hop, 2),
                "hop": self._hops[-1] if self._hops else None,
                "event": self._events[-1] if self._events else None,
                "latency": {
                    "counts": list(self._latency_counts),
                    "sum_ms": round(self._latency_sum_ms, 3),
                },
            }

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """Give the hops of the last five minutes and the last hundred events, oldest first.

        Of an emotion's updates only the last is among the events.
        """
        with self._lock:
            return {"hops": list(self._hops), "events": list(self._events)}

    def _tell(self, kind: str, entry: dict[str, Any]) -> None:
        for subscriber in self._subscribers:
            subscriber(kind, entry)


def describe_model(classifier: Classifier) -> dict[str, Any]:
    """Say what runs, for a status' `about`.

    Returns
    -------
    dict
        "model" (name and short hash), "model_hash" (all of it), "labels", "backend",
        "window_seconds", and "figures" of its test as far as the model file tells them: "uar",
        "wa" (0 to 1), "utterances" and "protocol".
    """
    metadata = classifier.metadata
    kept = ("uar", "wa", "utterances", "protocol")
    told = {"protocol": metadata.provenance.get("protocol")}
    figures = metadata.provenance.get("figures")
    if isinstance(figures, dict):
        told.update(figures)
    return {
        "model": classifier.model_id,
        "model_hash": classifier.hash,
        "labels": list(metadata.labels),
        "backend": f"{classifier.backend.name} {classifier.backend.version}",
        "window_seconds": round(metadata.window_seconds, 3),
        "figures": {key: told[key] for key in kept if told.get(key)},
    }


def _hops_kept(about: dict[str, Any]) -> int:
    return min(int(HISTORY_SECONDS / about["hop_seconds"]) + 1, MAX_HOPS_KEPT)
