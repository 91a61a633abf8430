"""Writes what a command leaves for people."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.errors import SerEdgeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and make its folder.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error
