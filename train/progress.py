"""Shows how far a long task has come."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

LINE_SECONDS = 30.0
STARTED_FIELD = 19  # of /proc/PID/stat behind the name, in ticks since the system started

Item = TypeVar("Item")


def progress(iterable: Iterable[Item], total: int, what: str, unit: str) -> Iterator[Item]:
    """Give the items on, and show on standard error how many there were.

    On a terminal it is a bar. Elsewhere, a line every 30 s such as ``features: 1200 of 2800 utt``,
    so that a short task leaves a log as it is.

    Parameters
    ----------
    iterable : iterable
        The items.
    total : int
        How many there will be.
    what : str
        What is being done, in a word or two.
    unit : str
        What an item is, in a word.

    Yields
    ------
    object
        Each item, as it comes.

    Examples
    --------
    >>> list(progress("abc", 3, "letters", "letter"))
    ['a', 'b', 'c']
    """
    bar = tqdm(iterable, total=total, desc=what, unit=unit, disable=None)
    if not bar.disable:
        yield from bar
        return
    said = time.monotonic()
    for count, item in enumerate(iterable, start=1):
        if time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            say(f"{what}: {count} of {total} {unit}")
        yield item


def say(line: str) -> None:
    """Print a line to standard error, above the bar where there is one.

    Parameters
    ----------
    line : str
        The line, without its end.
    """
    tqdm.write(line, file=sys.stderr)


def seconds_since_start() -> float | None:
    """Seconds since this process was started; None on systems other than Linux."""
    try:
        # The name of the program, in brackets, may hold anything.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, AttributeError):
        return None
