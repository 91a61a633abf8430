"""Keeps C libraries from writing to the terminal, and says there what is to be said meanwhile."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()  # around what follows
_n_hushing = 0  # how many threads want quiet now
_kept: int | None = None  # descriptor of the real standard error meanwhile


def say(line: str) -> None:
    """Write a line to standard error, even while libraries are kept from it.

    A line that cannot be written is lost without a sound: a daemon does not end because the disk
    that its log is on is full.
    """
    with _lock, contextlib.suppress(OSError, ValueError):
        descriptor = _descriptor() if _kept is None else _kept
        if descriptor is not None:
            os.write(descriptor, f"{line}\n".encode(errors="backslashreplace"))
        elif sys.stderr is not None:  # or print() would take standard output
            print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send standard error nowhere for a moment, at the level where C libraries write to it.

    ALSA and PortAudio comment on each setting that a device refuses, even where the next one
    works; the MP3 decoder on harmless quirks. Every thread is hushed: keep it short. Threads may
    ask for it at the same time; the last of them to be done ends it.
    """
    _hush()
    try:
        yield
    finally:
        _unhush()


def _hush() -> None:
    global _kept, _n_hushing
    with _lock:
        _n_hushing += 1
        if _n_hushing > 1:
            return
        with contextlib.suppress(OSError):  # a service may have no standard error at all
            if sys.stderr is not None:
                sys.stderr.flush()
            _kept = os.dup(2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)


def _unhush() -> None:
    global _kept, _n_hushing
    with _lock:
        _n_hushing -= 1
        if _n_hushing or _kept is None:
            return
        os.dup2(_kept, 2)
        os.close(_kept)
        _kept = None


def _descriptor() -> int | None:
    """The descriptor of standard error; None where there is none, or Python code in its place."""
    try:
        return None if sys.stderr is None else sys.stderr.fileno()
    except ValueError:  # io.UnsupportedOperation, and what a closed file raises
        return None
