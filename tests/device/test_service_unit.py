"""The units, as systemd itself reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.installs.exposure import bench_exposure, exposure_table
from edge_runtime.install import DEPLOY, UNIT

MOST_EXPOSURE = 2.0  # of 10, as systemd-analyze security counts
SANDBOX = ("DynamicUser=yes", "DevicePolicy=closed", "DeviceAllow=char-alsa rw", "LimitCORE=0")

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (apt-get install systemd)",
)


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def install(root: Path, *options: object) -> Path:
    """Install into a folder; returns the unit."""
    command = [sys.executable, "-m", "edge_runtime.cli", "install-service", "--root", str(root)]
    subprocess.run([*command, *map(str, options)], check=True, capture_output=True)
    (unit,) = root.rglob(UNIT)
    return unit


def directives(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]


@pytest.mark.parametrize("options", [(), ("--config", "/etc/a b/50%/$x.toml")])
def test_installed_unit_passes_verification(options: tuple[str, ...], tmp_path: Path) -> None:
    done = analyze("verify", install(tmp_path, *options))
    assert done.returncode == 0, done.stderr
    about_ours = [line for line in done.stderr.splitlines() if UNIT in line]
    assert about_ours == []


def test_installed_user_unit_passes_verification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    done = analyze("--user", "verify", install(tmp_path / "root", "--user"))
    assert done.returncode == 0, done.stderr
    about_ours = [line for line in done.stderr.splitlines() if UNIT in line]
    assert about_ours == []


def test_unit_is_little_exposed(tmp_path: Path) -> None:
    unit = install(tmp_path)
    limit = round(MOST_EXPOSURE * 10)
    done = analyze("security", "--offline=true", f"--threshold={limit}", unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges no files")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    assert "Overall exposure level" in done.stdout


def test_exposure_is_told_with_what_adds_to_it(tmp_path: Path) -> None:
    if "unrecognized option" in analyze("security", "--offline=true").stderr:
        pytest.skip("this systemd-analyze judges no files")
    result = bench_exposure(install(tmp_path))
    assert 0 < result["exposure"] <= MOST_EXPOSURE
    exposures = [one["exposure"] for one in result["findings"]]
    assert exposures == sorted(exposures, reverse=True)
    assert "PrivateNetwork=" in {one["name"] for one in result["findings"]}
    table = exposure_table({"exposure": [result]})
    assert table.startswith(f"exposure {result['exposure']} of 10 (OK), systemd ")


def test_unit_is_watched_and_never_given_up() -> None:
    unit = directives(DEPLOY / UNIT)
    for wanted in (
        *("Type=notify", "NotifyAccess=main", "WatchdogSec=30", "Restart=always"),
        *("StartLimitIntervalSec=0", "MemoryMax=200M", "CPUQuota=50%", *SANDBOX),
    ):
        assert wanted in unit


def test_user_unit_is_a_part_of_the_other() -> None:
    own = {"After", "ExecStart", "EnvironmentFile", "WantedBy"}
    system, user = (set(directives(path)) for path in (DEPLOY / UNIT, DEPLOY / "user" / UNIT))
    assert {line.split("=")[0] for line in user - system} == own
