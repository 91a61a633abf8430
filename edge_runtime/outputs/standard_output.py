"""Events on standard output, a line each."""

from __future__ import annotations

import io
import os
import select
import sys

from edge_runtime.events import Event
from edge_runtime.outputs.output import GoneError


class StandardOutput:
    """Writes events to standard output, and waits as long as its reader does not read.

    Parameters
    ----------
    format : {"text", "jsonl"}
        A line for people, or JSON.
    """

    name = "standard output"

    def __init__(self, format: str) -> None:  # noqa: A002 - as the flag is called
        self._is_json = format == "jsonl"
        self._descriptor = _descriptor()
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    def deliver(self, event: Event) -> None:
        """Write one line.

        Raises
        ------
        GoneError
            When standard output is gone: a closed pipe, a full disk.
        """
        line = (event.to_json() if self._is_json else event.to_text()) + "\n"
        try:
            self._write(line)
        except OSError as error:
            raise GoneError(error) from error

    def close(self) -> None:
        """Do nothing: standard output is not ours to close."""

    def _write(self, line: str) -> None:
        if self._descriptor is not None:
            _write(self._descriptor, line.encode(self._encoding, errors="backslashreplace"))
        elif sys.stdout is not None:  # a service may have none
            sys.stdout.write(line)
            sys.stdout.flush()


def _descriptor() -> int | None:
    """The descriptor of standard output; None where Python code was put in its place."""
    try:
        return None if sys.stdout is None else sys.stdout.fileno()
    except io.UnsupportedOperation:
        return None


def _write(descriptor: int, line: bytes) -> None:
    # Not by print(): while a reader does not read, that holds a lock which the interpreter takes at
    # its end too, and the process would not end.
    while line:
        line = line[_write_some(descriptor, line) :]


def _write_some(descriptor: int, line: bytes) -> int:
    try:
        return os.write(descriptor, line)
    except BlockingIOError:  # not to wait is the wish of whoever shares the pipe or terminal
        select.select([], [descriptor], [])
        return 0
