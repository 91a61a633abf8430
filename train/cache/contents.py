"""Knows the contents of files: digests that are remembered while size and times stay the same."""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from pathlib import Path
from typing import Any

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.audio_file import printable
from train.cache.writer import Writer
from train.progress import say

LAYOUT = 1  # raise it when contents.json changes its form
SETTLED_SECONDS = 2.0  # coarser than the time stamps of any file system in use

Known = dict[str, list[Any]]  # by path the digest, size and times of a file


class ContentIndex:
    """Digests of the contents of files, remembered for as long as a file stays as it is.

    Parameters
    ----------
    path : Path
        File that remembers them.
    writer : Writer
        What writes it.
    """

    def __init__(self, path: Path, writer: Writer) -> None:
        self._path = path
        self._writer = writer
        self._stamps: dict[Path, list[int]] = {}

    def digests(self, paths: list[Path]) -> list[str]:
        """Digest of each file's content, as hexadecimal text.

        Raises
        ------
        SerEdgeError
            When a file cannot be read.
        """
        known = self._read()
        fresh: Known = {}
        digests = [self._digest(path, known, fresh) for path in paths]
        if fresh:
            self._remember(fresh)
        return digests

    def is_current(self, path: Path) -> bool:
        """Whether a file is still what it was when its digest was taken."""
        try:
            return _stamp(path) == self._stamps[path]
        except SerEdgeError:
            return False

    def _digest(self, path: Path, known: Known, fresh: Known) -> str:
        name = str(path.absolute())
        stamp = self._stamps[path] = _stamp(path)
        digest, *known_stamp = known.get(name, [""])
        if known_stamp != stamp:
            digest = _content_digest(path)
            if _is_settled(stamp):
                fresh[name] = [digest, *stamp]
        return str(digest)

    def _remember(self, fresh: Known) -> None:
        # Read again: another process may have added to it.
        files = {**self._read(), **fresh}
        index = {"layout": LAYOUT, "checksum": _checksum(files), "files": files}
        self._writer.remove_leftovers(self._path.parent)
        self._writer.write(self._path, [json.dumps(index).encode()])

    def _read(self) -> Known:
        try:
            return _known(json.loads(self._path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
        except (ValueError, TypeError, KeyError):
            reason = "is damaged"
        say(f"{printable(self._path)}: {reason}; computed again")
        return {}


def _known(index: Any) -> Known:
    """What an index remembers, nothing where another version wrote it."""
    if index["layout"] != LAYOUT:
        return {}
    if index["checksum"] != _checksum(index["files"]):
        raise ValueError("the checksum is of other files")
    return dict(index["files"])


def _checksum(files: Known) -> int:
    return zlib.crc32(json.dumps(files).encode())


def _content_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _stamp(path: Path) -> list[int]:
    """Size and times of a file; the time of its status tells where that of its data was set."""
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is_settled(stamp: list[int]) -> bool:
    """Whether a file is too old to change once more and keep its time stamp."""
    return time.time() - max(stamp[1:]) / 1e9 > SETTLED_SECONDS


def _unreadable(path: Path, error: OSError) -> SerEdgeError:
    return SerEdgeError(f"{printable(path)}: cannot be read ({error.strerror or error})")


def changed(path: Path) -> SerEdgeError:
    """What to raise for a file that is not current any more."""
    return SerEdgeError(f"{printable(path)}: was changed while it was read; run it again")
