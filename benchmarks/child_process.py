"""A ``ser-edge`` process that is measured from outside, as the kernel counts it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True)
class Usage:
    """What a process took so far.

    Attributes
    ----------
    cpu_seconds : float
        Time on a processor, in user and kernel mode, of all its threads.
    resident_bytes : int
        Memory in RAM.
    descriptors, threads : int
        Open files, pipes and sockets; threads.
    """

    cpu_seconds: float
    resident_bytes: int
    descriptors: int
    threads: int


def usage_of(process: subprocess.Popen[bytes]) -> Usage:
    """Read what a running process took so far, from Linux's /proc."""
    folder = Path(f"/proc/{process.pid}")
    # After the name, which may hold anything and ends with the last bracket.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Usage(
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
        resident_bytes=int(status["VmRSS"].split()[0]) * KIB,
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
    )
