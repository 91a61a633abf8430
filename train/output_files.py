"""Writes what a command leaves for people, each file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and make its folder; a file that is there stays as it is when writing fails.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error
