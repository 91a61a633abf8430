"""Writes files whole or not at all: whoever reads one finds all of it, or what was there before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Give a path to write to; what is there afterwards takes the place of a file.

    Parameters
    ----------
    path : Path
        The file; it stays as it was when writing fails.
    temporary : Path, optional
        Where to write first, on the same disk. By default `temporary_of` the file, which only one
        process at a time may write.

    Yields
    ------
    Path
        The temporary file, to be written and closed.

    Raises
    ------
    OSError
        When it cannot be kept.
    """
    temporary = temporary or temporary_of(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        # What went wrong first is what is to be said.
        with suppress(OSError):
            temporary.unlink()
        raise


def temporary_of(path: Path) -> Path:
    """Where a file is written first: beside it, hidden, with the same suffix."""
    return path.with_name(f".{path.name}")
