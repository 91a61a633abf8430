"""What Linux tells about this machine and this process in /proc and /sys.

Every function takes the folder that holds ``proc`` and ``sys``, and gives None or nothing where
the kernel does not tell: on another system, in a container, on a board without that sensor.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MACHINE = Path("/")
KIB = 1024
# Instructions that the interpreters' kernels have faster code for, as /proc/cpuinfo names them.
ARM_FEATURES = ("neon", "asimd", "asimddp", "asimdhp", "i8mm", "sve")
X86_FEATURES = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni")
# Bits of the Raspberry Pi firmware's answer; from 16 on the same four, for the time since boot.
THROTTLE_BITS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}
THROTTLE_SINCE_BOOT = 16
CPU_ZONES = ("cpu", "soc", "x86_pkg_temp")


@dataclass(frozen=True)
class Cpu:
    """The processor.

    Attributes
    ----------
    model : str
        The board's or the processor's name; "" when neither is told.
    cores : int
        How many the kernel lists; 0 when it does not.
    features : tuple of str
        Those of `ARM_FEATURES` and `X86_FEATURES` that it has.
    """

    model: str
    cores: int
    features: tuple[str, ...]


@dataclass(frozen=True)
class CaptureHolder:
    """A process that records from a sound card.

    Attributes
    ----------
    stream : str
        The kernel's name of the card's stream, such as "card1/pcm0c".
    pid : int
        The process.
    program : str
        Its name; "" when it may not be read.
    """

    stream: str
    pid: int
    program: str


@dataclass(frozen=True)
class Load:
    """What a process takes.

    Attributes
    ----------
    cpu_share : float
        Time on a processor by time passed: 0 idle, 1 one whole core, above 1 several.
    resident_bytes : int or None
        Memory of it that is in RAM.
    open_descriptors : int or None
        Files, sockets and pipes that it holds.
    """

    cpu_share: float
    resident_bytes: int | None
    open_descriptors: int | None


class ProcessLoad:
    """Measures this process, each time since the time before."""

    def __init__(self) -> None:
        self._passed = time.monotonic()
        self._worked = time.process_time()

    def measure(self) -> Load:
        """Measure since the last call, or since this object was made.

        Returns
        -------
        Load
            The share of a core in between; memory and descriptors now.
        """
        passed, worked = time.monotonic(), time.process_time()
        elapsed = passed - self._passed
        share = (worked - self._worked) / elapsed if elapsed > 0.0 else 0.0
        self._passed, self._worked = passed, worked
        return Load(share, resident_bytes(), open_descriptors())


def resident_bytes(root: Path = MACHINE) -> int | None:
    """Give this process's memory that is in RAM, in bytes."""
    pages = _text(root / "proc/self/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 1 else None


def open_descriptors(root: Path = MACHINE) -> int | None:
    """Count this process's open files, sockets and pipes."""
    folder = root / "proc/self/fd"
    try:
        found = len(os.listdir(folder))  # noqa: PTH208 - no path object for each
    except OSError:
        return None
    return found - 1  # the listing itself held one


def temperature_celsius(root: Path = MACHINE) -> float | None:
    """Give the processor's temperature.

    Parameters
    ----------
    root : Path
        Where ``sys`` is.

    Returns
    -------
    float or None
        Degrees Celsius of the hottest sensor of the processor, or of all where none says that it
        belongs to it.
    """
    zones = []
    for zone in _sorted(root / "sys/class/thermal", "thermal_zone*"):
        millidegrees = _text(zone / "temp")
        if millidegrees.lstrip("-").isdecimal():
            zones.append((_text(zone / "type"), int(millidegrees) / 1000.0))
    of_cpu = [degrees for kind, degrees in zones if kind.startswith(CPU_ZONES)]
    return max(of_cpu or [degrees for _, degrees in zones], default=None)


def cpu(root: Path = MACHINE) -> Cpu:
    """Describe the processor.

    Parameters
    ----------
    root : Path
        Where ``proc`` is.
    """
    described: dict[str, str] = {}
    cores = 0
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        cores += key == "processor"
        described.setdefault(key.lower(), value)
    board = _text(root / "proc/device-tree/model").strip("\0")
    present = set(described.get("features", described.get("flags", "")).split())
    features = tuple(name for name in (*ARM_FEATURES, *X86_FEATURES) if name in present)
    return Cpu(board or described.get("model name", ""), cores, features)


def lazy_governors(root: Path = MACHINE) -> tuple[list[str], list[str]]:
    """Name the governors of the clock, and those that hold it at its lowest.

    Parameters
    ----------
    root : Path
        Where ``sys`` is.

    Returns
    -------
    governors, lazy : list of str
        All in use, without repetition; and of those, "powersave" where it means the lowest
        clock. (The drivers intel_pstate and amd-pstate-epp give that name to one that adapts.)
    """
    governors, lazy = [], []
    for policy in _sorted(root / "sys/devices/system/cpu/cpufreq", "policy*"):
        governor = _text(policy / "scaling_governor")
        adapts = _text(policy / "scaling_driver") in ("intel_pstate", "amd-pstate-epp")
        if governor and governor not in governors:
            governors.append(governor)
        if governor == "powersave" and not adapts and governor not in lazy:
            lazy.append(governor)
    return governors, lazy


def throttled(root: Path = MACHINE) -> int | None:
    """Give the Raspberry Pi firmware's record of under-voltage and heat; see `throttle_reasons`."""
    records = [
        _text(firmware)
        for firmware in _sorted(root / "sys/devices/platform", "soc*/soc*firmware/get_throttled")
    ]
    told = [int(record, 16) for record in records if re.fullmatch("[0-9a-fA-F]+", record)]
    return told[0] if told else None


def throttle_reasons(bits: int) -> tuple[list[str], list[str]]:
    """Put the firmware's record into words.

    Parameters
    ----------
    bits : int
        What ``vcgencmd get_throttled`` answers.

    Returns
    -------
    now, since_boot : list of str
        What slows the machine now, and what has at some time since it was started.

    Examples
    --------
    >>> throttle_reasons(0x50001)
    (['under-voltage'], ['under-voltage', 'throttled'])
    """
    now = [text for bit, text in THROTTLE_BITS.items() if bits >> bit & 1]
    past = bits >> THROTTLE_SINCE_BOOT
    return now, [text for bit, text in THROTTLE_BITS.items() if past >> bit & 1]


def memory_bytes(root: Path = MACHINE) -> tuple[int, int] | None:
    """Give the machine's memory and how much of it a new program could have, in bytes."""
    sizes = {}
    for line in _text(root / "proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        sizes[key] = value.split()
    try:
        total, available = (int(sizes[key][0]) * KIB for key in ("MemTotal", "MemAvailable"))
    except (KeyError, IndexError, ValueError):
        return None
    return total, available


def limits_memory(root: Path = MACHINE) -> bool | None:
    """Whether the kernel lets services be limited in memory; None where it does not tell."""
    unified = _text(root / "sys/fs/cgroup/cgroup.controllers")
    if unified:
        return "memory" in unified.split()
    for line in _text(root / "proc/cgroups").splitlines():
        name, *numbers = line.split()
        if name == "memory":
            return numbers[-1:] == ["1"]
    return None


def capture_holders(root: Path = MACHINE) -> list[CaptureHolder]:
    """List the processes that record from a sound card now.

    Parameters
    ----------
    root : Path
        Where ``proc`` is.
    """
    holders = []
    for state in _sorted(root / "proc/asound", "card*/pcm*c/sub*/status"):
        for line in _text(state).splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "owner_pid" and value.isdecimal():
                stream = f"{state.parts[-4]}/{state.parts[-3]}"
                program = _text(root / "proc" / value / "comm")
                holders.append(CaptureHolder(stream, int(value), program))
    return holders


def _sorted(folder: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(folder.glob(pattern))


def _text(path: Path) -> str:
    """Read what a file says; nothing where there is none, or it may not be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
