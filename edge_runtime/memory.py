"""Keeps the memory of a process that runs for a year from creeping up."""

from __future__ import annotations

import ctypes


def give_back_free_memory() -> None:
    """Have glibc give the pages that it holds free back to the system.

    Chunks of sound of ever different lengths lie among small blocks that live for minutes; the
    holes that they leave add up for days, though no more memory is in use. With another C library
    this does nothing.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
