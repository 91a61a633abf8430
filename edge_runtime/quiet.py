"""Keeps C libraries from writing to the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

_log_descriptor: int | None = None  # of the real standard error, while it is hushed


def say(line: str) -> None:
    """Write a line to standard error, even while libraries are kept from it."""
    if _log_descriptor is None:
        print(line, file=sys.stderr, flush=True)
    else:
        os.write(_log_descriptor, f"{line}\n".encode(errors="backslashreplace"))


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send standard error nowhere for a moment, at the level where C libraries write to it.

    ALSA and PortAudio comment on each setting that a device refuses, even where the next one
    works; the MP3 decoder on harmless quirks. Every thread is hushed: keep it short.
    """
    global _log_descriptor
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        kept = os.dup(2)
    except OSError:  # a service may have no standard error at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    outer, _log_descriptor = _log_descriptor, _log_descriptor or kept
    try:
        yield
    finally:
        _log_descriptor = outer
        os.dup2(kept, 2)
        os.close(kept)
