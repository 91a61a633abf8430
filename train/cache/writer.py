"""Writes the cache's files whole or not at all, and cleans up after writers that were killed."""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

from edge_runtime.atomic import replacing
from edge_runtime.sources.audio_file import printable
from train.progress import say

LEFTOVER_SECONDS = 3600.0  # longer than any file takes to be written


class Writer:
    """Writes files whole or not at all; says once when the disk takes none."""

    def __init__(self) -> None:
        self._complained = False

    def write(self, path: Path, parts: list[Any]) -> bool:
        """Put the parts, bytes or arrays, into a file; tells whether that went well."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, parts)
        except OSError as error:
            self._complain(path.parent, error)
            return False
        return True

    def remove(self, path: Path) -> None:
        """Delete a file that is of no use any more."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._complain(path.parent, error)

    def remove_leftovers(self, folder: Path) -> None:
        """Delete temporary files of processes that are gone."""
        for path in folder.glob("*.tmp"):
            if _is_leftover(path):
                self.remove(path)

    def _complain(self, folder: Path, error: OSError) -> None:
        if not self._complained:
            reason = error.strerror or error
            say(f"{printable(folder)}: cannot be written ({reason}); goes on, keeping nothing")
        self._complained = True


def _write_whole(path: Path, parts: list[Any]) -> None:
    with replacing(path, _temporary(path)) as temporary, temporary.open("xb") as file:
        for part in parts:
            file.write(part)


def _temporary(path: Path) -> Path:
    """A new name beside a path that tells whose file it is; `_is_leftover` reads it."""
    return path.with_name(f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _is_leftover(path: Path) -> bool:
    host, _, process = path.stem.rpartition("-")[0].rpartition("-")
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    here = os.name == "posix" and host == socket.gethostname() and process.isdigit()
    return not _is_running(int(process)) if here else age > LEFTOVER_SECONDS


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
