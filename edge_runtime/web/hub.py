"""Spreads what the status tells to every client that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import deque
from typing import Any

from edge_runtime.hardware import ProcessLoad, temperature_celsius
from edge_runtime.status import Status
from edge_runtime.web.limits import Limits
from edge_runtime.web.messages import to_json, to_message

EVENTS_REPEATED = 100
STATUS_SECONDS = 2.0


class Stream:
    """The messages that wait for one client.

    Parameters
    ----------
    is_live : bool
        Whether it follows everything, for a page; else the events alone.
    capacity : int
        How many messages wait; then the oldest are dropped.
    """

    def __init__(self, is_live: bool, capacity: int) -> None:
        self.is_live = is_live
        self.is_over = False
        self.dropped = 0
        self._messages: deque[str] = deque(maxlen=capacity)
        self._changed = asyncio.Event()

    def put(self, message: str) -> None:
        """Add a message."""
        self.dropped += len(self._messages) == self._messages.maxlen
        self._messages.append(message)
        self._changed.set()

    def end(self) -> None:
        """Tell whoever takes from it that nothing will come."""
        self.is_over = True
        self._changed.set()

    async def take(self, seconds: float) -> str:
        """Wait for messages and give all, joined; "" when none came in time, or at the end."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except asyncio.TimeoutError:
            return ""
        self._changed.clear()
        taken = "".join(self._messages)
        self._messages.clear()
        return "" if self.is_over else taken


class Hub:
    """Lives on the server's event loop; the status calls it on the classifying thread.

    Events are numbered, and the last hundred kept, so that a client that comes back misses none.
    Without clients nothing else is done.

    Parameters
    ----------
    status : Status
        What is followed.
    limits : Limits
        How many streams, and how many messages for each.

    Attributes
    ----------
    dropped : int
        Messages that clients were too slow for.
    """

    def __init__(self, status: Status, limits: Limits) -> None:
        self.dropped = 0
        self._status = status
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._streams: set[Stream] = set()
        self._emptied = asyncio.Event()
        self._is_watched = False  # read on the classifying thread
        self._run = secrets.token_hex(4)  # numbers of an earlier run mean nothing now
        self._n_events = 0
        self._recent: deque[tuple[int, str]] = deque(maxlen=EVENTS_REPEATED)
        self._ticking: asyncio.Task[None] | None = None
        status.subscribe(self._tell)

    @property
    def n_streams(self) -> int:
        """Number of clients that follow."""
        return len(self._streams)

    def open(self, is_live: bool, last_id: str = "") -> Stream | None:
        """Begin a stream.

        Parameters
        ----------
        is_live : bool
            See `Stream`.
        last_id : str
            The last event that the client has; it is given those that followed. "" for none.

        Returns
        -------
        Stream or None
            None when there are as many as may be.
        """
        if len(self._streams) >= self._limits.streams:
            return None
        stream = Stream(is_live, self._limits.stream_messages)
        if is_live:
            stream.put(to_message("status", to_json(self._status.snapshot())))
        for message in self._missed(last_id):
            stream.put(message)
        self._streams.add(stream)
        self._note_change()
        return stream

    def release(self, stream: Stream) -> None:
        """Forget a stream."""
        self.dropped += stream.dropped
        self._streams.discard(stream)
        self._note_change()
        if not self._streams:
            self._emptied.set()

    async def close(self, seconds: float) -> None:
        """Follow the status no more, and end all streams, for which they have so long."""
        self._status.unsubscribe(self._tell)
        self._emptied.clear()
        for stream in self._streams:
            stream.end()
        if self._streams:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)

    def _missed(self, last_id: str) -> list[str]:
        run, _, number = last_id.partition("-")
        if run != self._run or not number.isdecimal():
            return []
        return [message for at, message in self._recent if at > int(number)]

    def _note_change(self) -> None:
        self._is_watched = any(stream.is_live for stream in self._streams)
        if self._is_watched and self._ticking is None:
            self._ticking = self._loop.create_task(self._tick())
        elif not self._is_watched and self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None

    def _tell(self, kind: str, entry: dict[str, Any]) -> None:
        if kind != "event" and not self._is_watched:
            return
        try:
            self._loop.call_soon_threadsafe(self._spread, kind, entry)
        except RuntimeError:
            return  # the loop has ended between the status' look at its subscribers and now

    def _spread(self, kind: str, entry: dict[str, Any]) -> None:
        if kind == "event":
            self._n_events += 1
            # As every other output writes it: nothing rounded.
            number = f"{self._run}-{self._n_events}"
            message = to_message(entry["kind"], json.dumps(entry), number)
            self._recent.append((self._n_events, message))
        else:
            message = to_message(kind, to_json(entry))
        for stream in self._streams:
            if stream.is_live or kind == "event":
                stream.put(message)

    async def _tick(self) -> None:
        """Tell pages now and then what no hop brings: the machine, outputs and counts."""
        load = ProcessLoad()
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            now = load.measure()
            machine = {
                "cpu_share": now.cpu_share,
                "resident_bytes": now.resident_bytes,
                "temperature_celsius": temperature_celsius(),
            }
            told = to_message("status", to_json({**self._status.snapshot(), "machine": machine}))
            for stream in self._streams:
                if stream.is_live:
                    stream.put(told)
