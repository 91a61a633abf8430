"""A command that is run for each event."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from edge_runtime.errors import SerEdgeError
from edge_runtime.events import Event
from edge_runtime.outputs.output import NotDeliveredError

TIMEOUT_SECONDS = 10.0
OUTPUT_BYTES = 500  # of what a command prints, how much is said
POLL_SECONDS = 0.05
READ_BYTES = 65536
VARIABLES = "SER_EDGE_"  # the daemon's own: passwords among them
SERVICE_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")


class Command:
    """Runs a command for each event, one after the other, without a shell.

    The event is on its standard input as one line of JSON; its kind, label and score are in
    SER_EDGE_EVENT_KIND, SER_EDGE_EVENT_LABEL and SER_EDGE_EVENT_SCORE. What it prints is said in
    the log, up to a bound. What a command that has ended leaves running is left alone.

    Parameters
    ----------
    command : str
        The program and its arguments, quoted as a shell would have it; nothing is expanded.
    say : callable
        Takes one line for the log.
    timeout_seconds : float
        After so long it is killed, with every process of its group.

    Raises
    ------
    SerEdgeError
        When there is no such program.
    """

    name = "command"

    def __init__(
        self,
        command: str,
        say: Callable[[str], None],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._arguments = _split(command)
        self._say = say
        self._timeout = timeout_seconds

    def deliver(self, event: Event) -> None:
        """Run the command.

        Raises
        ------
        NotDeliveredError
            When it cannot be started now.
        SerEdgeError
            When it fails or takes too long.
        """
        program = self._arguments[0]
        try:
            process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(event),
                start_new_session=True,  # a process group that can be killed
            )
        except OSError as error:
            raise NotDeliveredError(
                f"{program}: cannot be started: {error.strerror or error}"
            ) from error
        with process:
            printed = self._attend(process, event.to_json().encode() + b"\n")
        if process.returncode:
            raise SerEdgeError(
                f"{program}: {_ending(process.returncode)}{': ' if printed else ''}{printed}"
            )
        if printed:
            self._say(f"{self.name}: {program}: {printed}")

    def close(self) -> None:
        """Do nothing: nothing is kept between events."""

    def _attend(self, process: subprocess.Popen[bytes], line: bytes) -> str:
        """Give a process its input, wait for its end, and return what it printed.

        Raises
        ------
        SerEdgeError
            When its time is over.
        """
        deadline = time.monotonic() + self._timeout
        try:
            _feed(process, line)
            printed = _read(process, deadline)
            process.wait(max(0.0, deadline - time.monotonic()))
            return printed
        except subprocess.TimeoutExpired:
            raise SerEdgeError(
                f"{self._arguments[0]}: was killed, for it took longer than {self._timeout:g} s"
            ) from None
        finally:
            # Not waited for yet, so that its number is not another's by now.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _split(command: str) -> list[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise SerEdgeError(f"command {command!r}: {str(error).lower()}; mend its quotes") from error
    if not arguments:
        raise SerEdgeError("command: is empty; name a program")
    if shutil.which(arguments[0]) is None:
        raise SerEdgeError(
            f"command: there is no program {arguments[0]!r}; is it installed and executable?"
        )
    return arguments


def _environment(event: Event) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(VARIABLES) and name not in SERVICE_VARIABLES
    }
    return {
        **kept,
        "SER_EDGE_EVENT_KIND": event.kind,
        "SER_EDGE_EVENT_LABEL": event.label,
        "SER_EDGE_EVENT_SCORE": f"{event.score:.4f}",
    }


def _feed(process: subprocess.Popen[bytes], line: bytes) -> None:
    # An event is far shorter than what a pipe holds, so that this never waits.
    with suppress(BrokenPipeError):  # it need not read
        process.stdin.write(line)  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    with suppress(BrokenPipeError):
        process.stdin.close()  # type: ignore[union-attr]


def _read(process: subprocess.Popen[bytes], deadline: float) -> str:
    """What is printed until the process ends or closes its output; the rest is thrown away.

    Not until the end of the output: a process in the background may hold that open for ever.
    """
    output = process.stdout.fileno()  # type: ignore[union-attr]
    printed = b""
    while True:
        has_ended = process.poll() is not None
        ready, _, _ = select.select([output], [], [], 0.0 if has_ended else POLL_SECONDS)
        chunk = os.read(output, READ_BYTES) if ready else None
        if chunk:
            printed += chunk[: OUTPUT_BYTES - len(printed)]
        if chunk == b"" or has_ended or time.monotonic() >= deadline:
            return _one_line(printed)


def _one_line(printed: bytes) -> str:
    text = " ".join(printed.decode(errors="replace").split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _ending(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
