"""Keeps C libraries from writing to the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Send standard error nowhere for a moment, at the level where C libraries write to it.

    ALSA and PortAudio comment on each setting that a device refuses, even where the next one
    works; the MP3 decoder on harmless quirks. Every thread is hushed: keep it short.
    """
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
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
