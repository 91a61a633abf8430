"""What this machine is, and whether it was slowed while something was measured on it.

The functions take the folder that holds ``proc``, ``sys`` and ``etc``, and leave out what the
system does not tell.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_runtime import hardware
from edge_runtime.hardware import MACHINE

MIB = 1024 * 1024
FIRMWARE_TOOL = "vcgencmd"  # of the Raspberry Pi
TOOL_SECONDS = 3.0
BUSY_LOAD_PER_CORE = 0.25
NOW_BITS = (1 << hardware.THROTTLE_SINCE_BOOT) - 1
COOL, POWER = "cool it (a heat sink, a fan, more air)", "use the power supply made for this board"


def describe(root: Path = MACHINE) -> dict[str, Any]:
    """Describe what does not change while something is measured.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``etc`` are.

    Returns
    -------
    dict
        As JSON types: ``model`` of the board or processor, ``cores``, ``features``,
        ``architecture`` and ``bits`` of the programs, ``system``, ``kernel``, ``memory_mib`` (None
        where it is not told).
    """
    cpu = hardware.cpu(root)
    memory = hardware.memory_bytes(root)
    return {
        "model": cpu.model or "unknown",
        "cores": cpu.cores or os.cpu_count() or 1,
        "features": list(cpu.features),
        "architecture": platform.machine(),
        "bits": 8 * struct.calcsize("P"),
        "system": _system(root),
        "kernel": platform.release(),
        "memory_mib": memory[0] // MIB if memory else None,
    }


def state(root: Path = MACHINE) -> dict[str, Any]:
    """Tell what may change: clock, heat, throttling, load.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.

    Returns
    -------
    dict
        As JSON types, None for what is not told: ``governors`` and ``lazy_governors`` (see
        `edge_runtime.hardware.lazy_governors`), ``clock_mhz`` and ``highest_clock_mhz`` of each
        group of cores, ``celsius``, ``throttled`` (the Raspberry Pi firmware's bits),
        ``throttle_count`` (how often an x86 processor slowed itself for heat), ``load`` (the
        processes that wanted a core in the last minute).
    """
    governors, lazy = hardware.lazy_governors(root)
    return {
        "governors": governors,
        "lazy_governors": lazy,
        "clock_mhz": _clocks(root, "scaling_cur_freq"),
        "highest_clock_mhz": _clocks(root, "cpuinfo_max_freq"),
        "celsius": _celsius(root),
        "throttled": throttled(root),
        "throttle_count": _throttle_count(root),
        "load": _load(root),
    }


def throttled(root: Path = MACHINE) -> int | None:
    """Give the Raspberry Pi firmware's bits, from the kernel or else from ``vcgencmd``."""
    bits = hardware.throttled(root)
    if bits is not None:
        return bits
    told = re.fullmatch(r"throttled=(0x[0-9a-fA-F]+)", _ask_firmware("get_throttled"))
    return int(told[1], 16) if told else None


def warnings(
    before: dict[str, Any], after: dict[str, Any], during: Iterable[int | None], cores: int
) -> list[str]:
    """Say what makes times that were measured between two states doubtful.

    Parameters
    ----------
    before, after : dict
        What `state` gave.
    during : iterable of int or None
        What `throttled` gave in between.
    cores : int
        Of the machine.

    Returns
    -------
    list of str
        One line each, with what to do; none when nothing is known to be wrong.
    """
    lines = []
    reasons = _slowed_by(before, after, during)
    if reasons:
        advice = POWER if "under-voltage" in reasons else COOL
        lines.append(
            f"the machine was slowed during the run ({', '.join(reasons)}), and the times are too "
            f"long: {advice} and run it again"
        )
    lazy = list(dict.fromkeys([*before["lazy_governors"], *after["lazy_governors"]]))
    if lazy:
        lines.append(
            f"the clock's governor {', '.join(lazy)} keeps it at its lowest: echo ondemand | sudo "
            "tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
        )
    load = before["load"]
    if load is not None and load > BUSY_LOAD_PER_CORE * cores:
        lines.append(
            f"the machine was busy before the run (load {load:g} on {cores} cores), and the times "
            "may be too long: end other programs and run it again"
        )
    return lines


def _slowed_by(
    before: dict[str, Any], after: dict[str, Any], during: Iterable[int | None]
) -> list[str]:
    first, last = before["throttled"] or 0, after["throttled"] or 0
    # What has come up since boot, and had not before the run, came up in the run.
    bits = (last & ~first) >> hardware.THROTTLE_SINCE_BOOT
    for told in (first, *during, last):
        bits |= (told or 0) & NOW_BITS
    reasons, _ = hardware.throttle_reasons(bits)
    if (after["throttle_count"] or 0) > (before["throttle_count"] or 0):
        reasons.append("heat")
    return reasons


def _system(root: Path) -> str:
    for line in _text(root / "etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip("\"'")
    return platform.system()


def _clocks(root: Path, what: str) -> list[int]:
    policies = sorted((root / "sys/devices/system/cpu/cpufreq").glob(f"policy*/{what}"))
    told = [_text(policy) for policy in policies]
    return [round(int(kilohertz) / 1000) for kilohertz in told if kilohertz.isdecimal()]


def _celsius(root: Path) -> float | None:
    degrees = hardware.temperature_celsius(root)
    if degrees is not None:
        return degrees
    told = re.fullmatch(r"temp=([0-9.]+)'C", _ask_firmware("measure_temp"))
    return float(told[1]) if told else None


def _throttle_count(root: Path) -> int | None:
    counters = (root / "sys/devices/system/cpu").glob("cpu*/thermal_throttle/*_throttle_count")
    counts = [int(told) for told in map(_text, counters) if told.isdecimal()]
    return sum(counts) if counts else None


def _load(root: Path) -> float | None:
    told = _text(root / "proc/loadavg").split()
    return float(told[0]) if told and re.fullmatch("[0-9.]+", told[0]) else None


def _ask_firmware(question: str) -> str:
    tool = shutil.which(FIRMWARE_TOOL)
    if tool is None:
        return ""
    try:
        done = subprocess.run(
            [tool, question], capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # the tool is there, but not the board or the right to ask it
    return done.stdout.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
