"""``ser-edge install-service`` into folders that stand for a machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.install import SYSTEM_CONFIG, SYSTEM_UNITS, UNIT, hidden_from_service, program

from ..disks import small_disk

Run = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="systemd runs on Linux alone")
EXAMPLE = "[source]"


def below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def commands_of(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]


def test_install_writes_unit_and_example_once(ser_edge: Run, tmp_path: Path) -> None:
    unit, config = below(tmp_path, SYSTEM_UNITS / UNIT), below(tmp_path, SYSTEM_CONFIG)
    done = ser_edge("install-service", "--root", tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("wrote") == 2
    (command,) = commands_of(unit)
    assert command.startswith(f"ExecStart={program()[0]}")
    assert command.endswith(f"--config {SYSTEM_CONFIG}")
    assert EXAMPLE in config.read_text()
    assert unit.stat().st_mode & 0o777 == config.stat().st_mode & 0o777 == 0o644

    config.write_text("# mine\n")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = ser_edge("install-service", "--root", tmp_path)
    assert again.returncode == 0
    assert "wrote" not in again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == times


def test_example_is_a_valid_configuration(ser_edge: Run, tmp_path: Path) -> None:
    assert ser_edge("install-service", "--root", tmp_path).returncode == 0
    config = below(tmp_path, SYSTEM_CONFIG)
    done = ser_edge("doctor", "--config", config)
    assert f"ok    configuration             {config}" in done.stdout.splitlines()


def test_other_unit_is_replaced_and_drop_ins_are_kept(ser_edge: Run, tmp_path: Path) -> None:
    unit = below(tmp_path, SYSTEM_UNITS / UNIT)
    drop_in = Path(f"{unit}.d") / "override.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nNice=0\n")
    unit.write_text("[Service]\nExecStart=/old/ser-edge listen\n")
    done = ser_edge("install-service", "--root", tmp_path)
    assert done.returncode == 0
    assert f"replaced {unit}" in done.stderr
    assert "-ExecStart=/old/ser-edge listen" in done.stderr
    assert f"kept {drop_in}" in done.stderr
    assert drop_in.read_text() == "[Service]\nNice=0\n"
    assert "/old/" not in unit.read_text()


def test_masked_service_stays_masked(ser_edge: Run, tmp_path: Path) -> None:
    unit = below(tmp_path, SYSTEM_UNITS / UNIT)
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    done = ser_edge("install-service", "--root", tmp_path)
    assert done.returncode == 1
    assert "unmask" in done.stderr.splitlines()[-1]
    assert unit.is_symlink()


def test_user_service_goes_where_the_user_keeps_them(ser_edge: Run, tmp_path: Path) -> None:
    own = {"XDG_CONFIG_HOME": "/home/pi/settings"}
    done = ser_edge("install-service", "--user", "--root", tmp_path, env=own)
    assert done.returncode == 0
    unit = tmp_path / "home/pi/settings/systemd/user" / UNIT
    assert commands_of(unit)[0].endswith("--config /home/pi/settings/ser-edge/ser-edge.toml")
    assert "WantedBy=default.target" in unit.read_text()
    assert EXAMPLE in (tmp_path / "home/pi/settings/ser-edge/ser-edge.toml").read_text()


def test_dry_run_prints_and_writes_nothing(ser_edge: Run, tmp_path: Path) -> None:
    done = ser_edge("install-service", "--root", tmp_path, "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith(f"# {SYSTEM_UNITS / UNIT}\n")
    assert EXAMPLE in done.stdout
    assert not list(tmp_path.iterdir())


def test_strange_name_of_the_configuration_is_quoted(ser_edge: Run, tmp_path: Path) -> None:
    config = '/etc/my "ser edge" 50%/$x.toml'
    done = ser_edge("install-service", "--root", tmp_path, "--config", config)
    assert done.returncode == 0
    (command,) = commands_of(below(tmp_path, SYSTEM_UNITS / UNIT))
    assert command.endswith(r'"/etc/my \"ser edge\" 50%%/$$x.toml"')
    assert below(tmp_path, Path(config)).is_file()


def test_read_only_disk_fails_in_one_line(ser_edge: Run, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        done = ser_edge("install-service", "--root", disk)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Read-only file system" in line
    assert str(disk) in line


def test_full_disk_leaves_the_old_unit(ser_edge: Run, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        unit = below(disk, SYSTEM_UNITS / UNIT)
        unit.parent.mkdir(parents=True)
        unit.write_text("old\n")
        config = below(disk, SYSTEM_CONFIG)
        config.parent.mkdir(parents=True)
        config.write_text("")
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        done = ser_edge("install-service", "--root", disk)
        assert unit.read_text() == "old\n"
        assert [path.name for path in unit.parent.iterdir()] == [UNIT]
    assert done.returncode == 1
    kept, line = done.stderr.splitlines()
    assert "kept" in kept
    assert "No space left" in line


def test_enable_needs_this_machine(ser_edge: Run, tmp_path: Path) -> None:
    done = ser_edge("install-service", "--root", tmp_path, "--enable")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "--root" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
def test_machine_without_systemd_is_told_in_one_line(ser_edge: Run, tmp_path: Path) -> None:
    own = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = ser_edge("install-service", "--user", env=own)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "not run by systemd" in line
    assert not list(tmp_path.iterdir())


def test_what_a_service_cannot_see(tmp_path: Path) -> None:
    link = Path(tmp_path.anchor) / "opt" / "ser-edge"
    seen = [link, Path("/usr/bin/python3"), Path("/homes/x")]
    hidden = [Path("/home/pi/venv/bin/python"), Path("/root/x"), Path("/tmp/x")]
    assert hidden_from_service([*seen, *hidden]) == hidden
