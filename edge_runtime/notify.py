"""Tells the service manager how the daemon fares: ready, alive, reloading, stopping.

Each function does nothing where no manager asked to be told (the variable NOTIFY_SOCKET is not
set), and a message that cannot be delivered is lost without a sound: a manager that does not
listen is no reason to stop listening to the microphone.

References
----------
sd_notify(3) of systemd.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

SEND_SECONDS = 1.0  # the manager's queue is full only while it hangs itself


def ready() -> None:
    """Say that the daemon listens now, after its start or after a reload."""
    _send("READY=1")


def watchdog() -> None:
    """Say that the daemon is alive; the unit's WatchdogSec says how often it must."""
    _send("WATCHDOG=1")


def reloading() -> None:
    """Say that the configuration is being read again; `ready` ends it."""
    _send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """Say that the daemon has begun to end."""
    _send("STOPPING=1")


def status(text: str) -> None:
    """Say in words what the daemon does.

    Parameters
    ----------
    text : str
        Shown by ``systemctl status``; line breaks become spaces.
    """
    # A line break would begin another message.
    told = " ".join(text.split())
    if told:
        _send(f"STATUS={told}")


def _send(*lines: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    if address.startswith("@"):  # in Linux' abstract namespace, not a file
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(SEND_SECONDS)
        manager.sendto("\n".join(lines).encode(errors="replace"), address)
