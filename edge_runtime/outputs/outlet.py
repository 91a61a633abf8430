"""The bounded queue and the thread between the listener and one output."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import KINDS, Event
from edge_runtime.outputs.output import GoneError, NotDeliveredError, Output

CAPACITY = 1000
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
WAIT_SECONDS = 0.2  # between looks whether to wait for a place in the queue any longer
LAST_RETRY_SECONDS = 0.1  # between the attempts of the last moments
REASONS_SAID = 5  # different reasons that are said of one trouble


class Outlet:
    """Hands events to an output, in order, on a thread of its own.

    While the output cannot deliver, events are kept up to a bound; then the oldest go, and are
    counted. The listener never waits for an output, unless it is told to.

    Every event that was put is delivered, dropped or waiting, and no two of these.

    Parameters
    ----------
    output : Output
        Where events go.
    say : callable
        Takes one line for the log.
    kinds : collection of str
        Which kinds of event it is given, of "start", "update" and "end".
    capacity : int
        How many events are kept, at least 1.
    waits : bool
        Make the listener wait instead of dropping events: right for a file, which can wait.

    Attributes
    ----------
    delivered, dropped : int
        How many events arrived and how many were lost.
    trouble : str
        Why it does not deliver at the moment, or loses events; empty while it delivers.
    error : OSError or None
        Set when the output is gone for good.
    """

    def __init__(
        self,
        output: Output,
        say: Callable[[str], None],
        kinds: Collection[str] = KINDS,
        capacity: int = CAPACITY,
        waits: bool = False,
    ) -> None:
        self.name = output.name
        self.delivered = 0
        self.dropped = 0
        self.trouble = ""
        self.error: OSError | None = None
        self._output = output
        self._say = say
        self._kinds = frozenset(kinds)
        self._capacity = capacity
        self._waits = waits
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._deadline: float | None = None  # set by close
        self._pause = FIRST_RETRY_SECONDS
        self._said: set[str] = set()  # reasons of the present trouble
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of events that are kept."""
        return len(self._events)

    def put(self, event: Event) -> None:
        """Queue an event, if it is of a kind that the output is given."""
        if event.kind not in self._kinds:
            return
        with self._changed:
            while not self._changed.wait_for(self._may_put, WAIT_SECONDS):
                pass
            if self._is_over:
                self.dropped += 1
                return
            overflows = len(self._events) == self._capacity
            if overflows:
                self._events.popleft()
                self.dropped += 1
            self._events.append(event)
            self._changed.notify_all()
        # An output that hangs says nothing itself.
        if overflows and not self.trouble:
            self._note_trouble("takes events more slowly than they come; the oldest are lost")

    def stop_waiting(self) -> None:
        """From now on drop events instead of making the listener wait.

        A signal handler may call this, and a `put` that waits returns within 0.2 s.
        """
        self._waits = False

    def close(self, seconds: float) -> None:
        """Deliver what is queued for at most so long, then end.

        What is left then is counted as dropped, and said.
        """
        with self._changed:
            self._deadline = time.monotonic() + seconds
            self._changed.notify_all()
        # An output that hangs is left behind: its thread ends with the process.
        self._thread.join(seconds + 0.1)
        with self._changed:
            left = len(self._events)
            self.dropped += left
            self._events.clear()
        if left and self.error is None:
            because = f": {self.trouble}" if self.trouble else ""
            self._say(f"{self.name}: {left} events not delivered at the end{because}")

    def to_dict(self) -> dict[str, Any]:
        """Its state as JSON types."""
        with self._changed:
            return {
                "name": self.name,
                "delivered": self.delivered,
                "dropped": self.dropped,
                "waiting": self.waiting,
                "trouble": self.trouble,
            }

    @property
    def _is_over(self) -> bool:
        return self._deadline is not None or self.error is not None

    def _may_put(self) -> bool:
        return len(self._events) < self._capacity or not self._waits or self._is_over

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                self._deliver(event)
        except GoneError as gone:
            self._give_up(gone.reason)
        finally:
            self._output.close()

    def _next(self) -> Event | None:
        """The oldest event, which stays queued until it is delivered; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._deadline is not None)
            return self._events[0] if self._events and not self._is_late() else None

    def _deliver(self, event: Event) -> None:
        """Try until the event is delivered or lost, or is not the oldest any more."""
        while not self._try(event):
            if not self._wait_to_retry(event):
                return

    def _try(self, event: Event) -> bool:
        """Whether this was the last attempt that the event needs."""
        try:
            self._output.deliver(event)
        except NotDeliveredError as error:
            self._note_trouble(str(error), f"; up to {self._capacity} events are kept")
            return False
        except GoneError:
            raise
        except SerEdgeError as error:
            self._lose(event, str(error))
        except Exception as error:  # a fault in one output must not silence it for good
            self._lose(event, f"{type(error).__name__}: {error}")
        else:
            self._note_delivered(event)
        return True

    def _wait_to_retry(self, event: Event) -> bool:
        """Wait; False when the event is no longer to be tried."""
        with self._changed:
            self._changed.wait_for(lambda: self._deadline is not None, self._pause)
            # Of all events, not of this one: in a long trouble, each is the oldest but briefly.
            self._pause = min(2.0 * self._pause, LONGEST_RETRY_SECONDS)
            if self._deadline is not None:
                left = max(0.0, self._deadline - time.monotonic())
                self._changed.wait(min(LAST_RETRY_SECONDS, left))
            return not self._is_late() and self._is_oldest(event)

    def _is_late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _is_oldest(self, event: Event) -> bool:
        return bool(self._events) and self._events[0] is event

    def _note_delivered(self, event: Event) -> None:
        with self._changed:
            if self._is_oldest(event):
                self._events.popleft()
            else:  # dropped while it was under way, and it arrived after all
                self.dropped -= 1
            self.delivered += 1
            self._pause = FIRST_RETRY_SECONDS
            # One that is merely too slow delivers, and yet is in trouble until it has caught up.
            is_over = bool(self.trouble) and len(self._events) <= self._capacity // 2
            if is_over:
                self.trouble = ""
                self._said.clear()
            self._changed.notify_all()
        if is_over:
            self._say(f"{self.name}: delivers again; {self.dropped} events lost so far")

    def _lose(self, event: Event, reason: str) -> None:
        with self._changed:
            if self._is_oldest(event):
                self._events.popleft()
                self.dropped += 1
            self._changed.notify_all()
        self._note_trouble(f"events are lost: {reason}")

    def _note_trouble(self, reason: str, remark: str = "") -> None:
        with self._changed:
            self.trouble = reason
            is_news = reason not in self._said and len(self._said) < REASONS_SAID
            if is_news:
                self._said.add(reason)
        if is_news:
            self._say(f"{self.name}: {reason}{remark}")

    def _give_up(self, error: OSError) -> None:
        with self._changed:
            self.error = error
            self.trouble = str(error)
            self._changed.notify_all()
