"""Keeps the memory of a process that runs for a year from being broken up."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of <malloc.h>
LARGE_BYTES = 8192


def keep_heap_whole() -> None:
    """Have glibc give large blocks back to the system as they are freed.

    By default it raises the size from which it does so to that of the largest block that was freed.
    Chunks of sound of ever different lengths then lie among small blocks that live for minutes, and
    resident memory creeps up for days, though no more of it is in use. With another C library this
    does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
