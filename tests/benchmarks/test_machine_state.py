"""What is told of a machine, of real ones and of machines made of files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.machine_state import describe, state, throttled, warnings
from edge_runtime.hardware import THROTTLE_BITS

CALM = {
    "governors": ["ondemand"],
    "lazy_governors": [],
    "clock_mhz": [],
    "highest_clock_mhz": [],
    "celsius": None,
    "throttled": None,
    "throttle_count": None,
    "load": 0.1,
}
PI = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n\nprocessor\t: 1\n",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.2\0",
    "proc/meminfo": "MemTotal:  3884404 kB\nMemAvailable:  400000 kB\n",
    "proc/loadavg": "0.52 0.40 0.30 1/200 4242\n",
    "etc/os-release": 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000\n",
    "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "1800000\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48300\n",
}


def put(root: Path, files: dict[str, str]) -> Path:
    """Make files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def without_firmware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No vcgencmd, whatever this machine has."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


@pytest.fixture
def firmware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program that answers as the Raspberry Pi's does; ``answers`` holds what it says."""
    folder = tmp_path / "bin"
    program = folder / "vcgencmd"
    put(folder, {"vcgencmd": f'#!/bin/sh\ncat "{folder}/$1"\n'})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_this_machine_tells_what_it_is() -> None:
    machine = describe()
    assert machine["model"]
    assert machine["cores"] >= 1
    assert machine["bits"] in (32, 64)
    assert machine["system"]
    assert set(state()) == set(CALM)
    if sys.platform == "linux":
        assert state()["load"] >= 0.0
        assert machine["memory_mib"] > 0


@pytest.mark.usefixtures("without_firmware")
def test_a_raspberry_pi_of_files(tmp_path: Path) -> None:
    root = put(tmp_path / "root", PI)
    machine = describe(root)
    assert machine["model"] == "Raspberry Pi 4 Model B Rev 1.2"
    assert (machine["cores"], machine["features"]) == (2, ["asimd"])
    assert machine["system"] == "Debian GNU/Linux 12 (bookworm)"
    assert machine["memory_mib"] == 3793
    assert state(root) == {
        "governors": ["ondemand"],
        "lazy_governors": [],
        "clock_mhz": [600],
        "highest_clock_mhz": [1800],
        "celsius": 48.3,
        "throttled": None,
        "throttle_count": None,
        "load": 0.52,
    }


@pytest.mark.usefixtures("without_firmware")
def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert describe(tmp_path)["model"] == "unknown"
    told = state(tmp_path)
    nothing = {**CALM, "governors": [], "load": None}
    assert told == nothing
    assert warnings(told, told, [], cores=4) == []


def test_the_firmware_is_asked_where_the_kernel_does_not_tell(
    firmware: Path, tmp_path: Path
) -> None:
    put(firmware, {"get_throttled": "throttled=0x50005\n", "measure_temp": "temp=61.8'C\n"})
    told = state(tmp_path / "empty")
    assert told["throttled"] == 0x50005
    assert told["celsius"] == 61.8


@pytest.mark.parametrize("said", ["", "VCHI initialization failed\n", "throttled=many\n"])
def test_a_firmware_that_may_not_be_asked_tells_nothing(
    said: str, firmware: Path, tmp_path: Path
) -> None:
    put(firmware, {"get_throttled": said, "measure_temp": said})
    assert throttled(tmp_path / "empty") is None
    assert state(tmp_path / "empty")["celsius"] is None


def test_the_kernel_is_believed_before_the_firmware(firmware: Path, tmp_path: Path) -> None:
    put(firmware, {"get_throttled": "throttled=0x1\n"})
    kernel = "sys/devices/platform/soc/soc:firmware/get_throttled"
    assert throttled(put(tmp_path / "root", {kernel: "50000\n"})) == 0x50000


@pytest.mark.usefixtures("without_firmware")
def test_counts_of_an_x86_processor_that_slowed_itself(tmp_path: Path) -> None:
    counters = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    root = put(tmp_path / "root", {counters.format(0): "3\n", counters.format(1): "4\n"})
    before = state(root)
    assert before["throttle_count"] == 7
    put(root, {counters.format(1): "5\n"})
    (warning,) = warnings(before, state(root), [], cores=2)
    assert "slowed during the run (heat)" in warning
    assert "cool it" in warning


def test_what_lasted_only_during_the_run_is_told() -> None:
    (warning,) = warnings(CALM, CALM, [0, 0x50005, 0, None], cores=4)
    assert "slowed during the run (under-voltage, throttled)" in warning
    assert "power supply" in warning


def test_what_was_over_before_the_run_is_no_warning() -> None:
    earlier = {**CALM, "throttled": 0x50000}
    assert warnings(earlier, earlier, [0x50000, 0x50000], cores=4) == []


def test_what_came_up_between_two_looks_is_told() -> None:
    before, after = {**CALM, "throttled": 0x10000}, {**CALM, "throttled": 0x50000}
    (warning,) = warnings(before, after, [], cores=4)
    assert "(throttled)" in warning


@given(before=st.integers(0, 2**20 - 1), later=st.integers(0, 2**20 - 1))
def test_a_reason_is_told_exactly_when_its_bit_says_so(before: int, later: int) -> None:
    after = before & 0xF0000 | later  # what came up since boot does not go away
    told = warnings({**CALM, "throttled": before}, {**CALM, "throttled": after}, [], cores=4)
    for bit, reason in THROTTLE_BITS.items():
        now = (before | after) >> bit & 1
        new = (after & ~before) >> (16 + bit) & 1
        reasons = told[0].partition("(")[2].partition(")")[0].split(", ") if told else []
        assert (reason in reasons) == bool(now or new)


def test_a_governor_that_holds_the_clock_is_told() -> None:
    lazy = {**CALM, "governors": ["powersave"], "lazy_governors": ["powersave"]}
    (warning,) = warnings(lazy, lazy, [], cores=4)
    assert warning.startswith("the clock's governor powersave keeps it at its lowest")


@pytest.mark.parametrize(("load", "cores", "is_busy"), [(0.4, 2, False), (0.9, 2, True)])
def test_a_busy_machine_is_told(load: float, cores: int, is_busy: bool) -> None:
    told = warnings({**CALM, "load": load}, CALM, [], cores)
    assert bool(told) == is_busy
    assert all("was busy before the run" in line for line in told)
