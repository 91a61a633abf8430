"""Keeps the memory of a process that runs for a year from creeping up."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of <malloc.h>
LARGE_BYTES = 8192


def keep_heap_whole() -> None:
    """Have glibc give blocks from 8 KB on back to the system as soon as they are freed.

    Left to itself it raises that bound to the largest block that was freed. Chunks of sound of ever
    different lengths then lie among small blocks that live for minutes, and the holes that they
    leave add up for days, though no more memory is in use. It is glibc alone that this tells.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
