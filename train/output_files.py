"""Writes what a command leaves for people, each file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and make its folder.

    Parameters
    ----------
    path : Path
        The file; one that is there stays as it is when writing fails.
    content : bytes
        All of it.

    Raises
    ------
    SerEdgeError
        When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe, which nothing may take the place of
            return
        # Of each process its own: several may write the same file.
        with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise SerEdgeError(f"{path}: cannot be written ({error.strerror or error})") from error
