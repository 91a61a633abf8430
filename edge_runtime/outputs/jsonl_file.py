"""Events in a file, a line of JSON each, that is rotated before it grows too large."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.output import NotDeliveredError

MAX_BYTES = 10_000_000
KEEP = 5
# What a household says with which feeling is not for every user of the machine.
MODE = 0o640


class JsonlFile:
    """Appends events to a file: a line is in it whole or not at all.

    Each line is handed to the operating system at once, so that nothing is lost when the process
    dies. It is not forced onto the disk: that would wear out an SD card with one write of many
    kilobytes per event, to save some seconds of events when the power fails.

    The file may be moved or deleted at any time, as logrotate does; a new one is begun.

    Parameters
    ----------
    path : str or Path
        The file; older ones are beside it as PATH.1 (the newest), PATH.2 ...
    max_bytes : int
        Size that the file does not exceed, in bytes, unless a single line does.
    keep : int
        How many older files are kept.

    Raises
    ------
    SerEdgeError
        When the file cannot be written.
    """

    name = "jsonl"

    def __init__(
        self, path: str | os.PathLike[str], max_bytes: int = MAX_BYTES, keep: int = KEEP
    ) -> None:
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._keep = keep
        self._file = -1
        try:
            self._open()
        except OSError as error:
            advice = "; make its folder first" if isinstance(error, FileNotFoundError) else ""
            raise SerEdgeError(
                f"{self._path}: cannot be written: {error.strerror}{advice}"
            ) from error
        self.close()  # until there is something to write, for that may never be

    def deliver(self, event: Event) -> None:
        """Append one line.

        Raises
        ------
        NotDeliveredError
            When it cannot be written now: the disk is full, the folder is gone.
        """
        line = event.to_json().encode() + b"\n"
        try:
            if not self._is_open():
                self.close()
                self._open()
            if 0 < os.fstat(self._file).st_size > self._max_bytes - len(line):
                self._rotate()
            self._append(line)
        except OSError as error:
            raise NotDeliveredError(f"{self._path}: cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _is_open(self) -> bool:
        """Whether the open file is still the one of that name."""
        if self._file < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        # Not blocking: a named pipe would be waited for.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.open(self._path, flags, MODE)
        try:
            status = os.fstat(self._file)
            if not stat.S_ISREG(status.st_mode):
                raise SerEdgeError(f"{self._path}: is no regular file; name another")
            if status.st_size and os.pread(self._file, 1, status.st_size - 1) != b"\n":
                # The power failed within a line: that one is spoilt, the next must not be.
                self._append(b"\n")
        except BaseException:
            self.close()
            raise

    def _append(self, line: bytes) -> None:
        """Write a line whole, or raise and leave the file as it was."""
        size = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep - 1, 0, -1):
            if self._older(number).exists():
                self._older(number).replace(self._older(number + 1))
        if self._keep:
            self._path.replace(self._older(1))
        else:
            self._path.unlink()
        self._open()

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
