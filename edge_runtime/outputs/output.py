"""What every output offers."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event


class NotDeliveredError(SerEdgeError):
    """An event could not be delivered now, and may be later: it is kept and tried again."""


class GoneError(Exception):
    """An output is gone for good, as a closed pipe is: the daemon ends.

    No other error does that, not even one that an output did not foresee: a disk that fails under
    one output is no reason to end the others.

    Parameters
    ----------
    reason : OSError
        What the system said.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Output(Protocol):
    """A place that events go to. It runs on a thread of its own, one event at a time.

    Attributes
    ----------
    name : str
        For messages and metrics, such as "mqtt".
    """

    name: str

    def deliver(self, event: Event) -> None:
        """Hand one event over, and return when it has arrived.

        Parameters
        ----------
        event : Event
            The event.

        Raises
        ------
        NotDeliveredError
            When it may work later. The event is kept and tried again, and later ones wait.
        SerEdgeError
            When this event will never be taken; it is counted as lost, and the next one tried.
        GoneError
            When nothing will be taken any more, as by a closed pipe.
        """
        ...

    def close(self) -> None:
        """Release what it holds; called once, on the same thread, within a second."""
        ...
