"""Waits between attempts, longer each time."""

from __future__ import annotations


class Backoff:
    """Seconds to wait before the next attempt: doubled from the first to the longest.

    Parameters
    ----------
    first, longest : float
        In seconds.

    Examples
    --------
    >>> backoff = Backoff(1.0, 30.0)
    >>> [backoff.next() for _ in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._coming = first

    def next(self) -> float:
        """Give the wait before the next attempt, in seconds."""
        wait = self._coming
        self._coming = min(2.0 * wait, self._longest)
        return wait

    def reset(self) -> None:
        """Begin with the first wait again: the last attempt was a success."""
        self._coming = self._first
