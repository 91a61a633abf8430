"""Checks of the machine: processor, clock, heat, memory, disk, time."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import struct
import subprocess
from pathlib import Path

from edge_runtime import hardware
from edge_runtime.checks.check import Check, ok, warn

MIB = 1024 * 1024
LEAST_MEMORY = 150 * MIB  # the daemon takes up to 100
LEAST_DISK = 100 * MIB
HOT_CELSIUS = 80.0  # where a Raspberry Pi begins to lower its clock
VECTORS = {"neon", "asimd", "sse4_2", "avx"}
WIDE_KERNELS = ("aarch64", "x86_64")
STATE_FOLDER = "/var/lib/ser-edge"
UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)
TOOL_SECONDS = 3.0


def checks(root: Path = hardware.MACHINE) -> list[Check]:
    """Look at the machine.

    Parameters
    ----------
    root : Path
        The folder that holds ``proc`` and ``sys``.

    Returns
    -------
    list of Check
        One for each thing that this machine tells.
    """
    found = [
        _processor(root),
        userland(8 * struct.calcsize("P"), platform.machine()),
        _governor(root),
        _throttling(root),
        _temperature(root),
        _memory(root),
        _memory_limit(root),
        _disk(),
        _time(),
    ]
    return [check for check in found if check is not None]


def userland(bits: int, kernel: str) -> Check:
    """Compare the programs' word size with the kernel's.

    Parameters
    ----------
    bits : int
        Of a pointer in this Python.
    kernel : str
        The kernel's architecture, such as "aarch64".
    """
    found = f"{bits}-bit programs on a {kernel} kernel"
    if bits == 32 and kernel in WIDE_KERNELS:
        return warn(
            "system",
            found,
            "a 64-bit system (Raspberry Pi OS 64-bit) runs the newer interpreter, ai-edge-litert",
        )
    return ok("system", found)


def _processor(root: Path) -> Check:
    cpu = hardware.cpu(root)
    found = f"{cpu.model or 'unknown'}, {cpu.cores or os.cpu_count()} cores"
    if cpu.features:
        found += f", {' '.join(cpu.features)}"
    if cpu.cores and not VECTORS & set(cpu.features):
        return warn(
            "processor",
            f"{found}: no vector instructions",
            "the interpreters need them to be fast: any Raspberry Pi from the 2 on has them",
        )
    return ok("processor", found)


def _governor(root: Path) -> Check | None:
    governors, lazy = hardware.lazy_governors(root)
    found = ", ".join(governors)
    if lazy:
        return warn(
            "clock governor",
            f"{found}: the clock stays at its lowest",
            "echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
        )
    return ok("clock governor", found) if governors else None


def _throttling(root: Path) -> Check | None:
    bits = hardware.throttled(root)
    bits = _ask_firmware() if bits is None else bits
    if bits is None:
        return None
    now, since_boot = hardware.throttle_reasons(bits)
    if not now and not since_boot:
        return ok("throttling", "none since the machine was started")
    found = f"now: {', '.join(now) or 'none'}; since the start: {', '.join(since_boot) or 'none'}"
    if "under-voltage" in now + since_boot:
        return warn("throttling", found, "use the power supply made for this board, a short cable")
    return warn("throttling", found, "cool it: a heat sink, a fan, or more air")


def _temperature(root: Path) -> Check | None:
    degrees = hardware.temperature_celsius(root)
    if degrees is None:
        return None
    found = f"{degrees:.0f} degrees Celsius"
    if degrees >= HOT_CELSIUS:
        return warn("temperature", found, "cool it: a heat sink, a fan, or more air")
    return ok("temperature", found)


def _memory(root: Path) -> Check | None:
    memory = hardware.memory_bytes(root)
    if memory is None:
        return None
    total, available = memory
    found = f"{available // MIB} MB of {total // MIB} MB can be had"
    if available < LEAST_MEMORY:
        return warn("memory", found, "ser-edge takes up to 100 MB: end other programs")
    return ok("memory", found)


def _memory_limit(root: Path) -> Check | None:
    limited = hardware.limits_memory(root)
    if limited is None:
        return None
    if limited:
        return ok("memory limit", "the service's limit (MemoryMax) is in force")
    return warn(
        "memory limit",
        "the kernel does not limit services: MemoryMax has no effect",
        "on a Raspberry Pi, add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt",
    )


def _disk() -> Check:
    folder = Path(os.environ.get("STATE_DIRECTORY") or STATE_FOLDER)
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free // MIB} MB free for {folder}"
    if free < LEAST_DISK:
        return warn("disk", found, "free some: events could not be written to files")
    return ok("disk", found)


def _time() -> Check | None:
    """Ask the kernel, which knows from whatever keeps its clock: timesyncd, chrony, ntpd."""
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if adjtimex is None:
        return None
    # All zeros: nothing is changed, and the answer is written over it.
    state = adjtimex(ctypes.create_string_buffer(1024))
    if state == UNSYNCHRONISED:
        return warn(
            "time",
            "the clock is not synchronised: the times of events may be wrong",
            "sudo timedatectl set-ntp true",
        )
    return ok("time", "the clock is synchronised") if state >= 0 else None


def _ask_firmware() -> int | None:
    tool = shutil.which("vcgencmd")
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, "get_throttled"],
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
        return int(done.stdout.strip().partition("=")[2], 16)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None  # the tool is there, but not the board or the right to ask it
