"""Making the user land of aarch64: what it says where it cannot, and when it is whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.arm64_root import CHECKOUT, EMULATOR, PARTS, Arm64Root
from edge_runtime import SerEdgeError


def make(folder: Path, tools: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program where nothing but the tools in a folder is on the PATH."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.arm64_root", str(folder)],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": str(tools), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def emulator_only(tmp_path: Path) -> Path:
    emulator = shutil.which(EMULATOR)
    if not emulator:
        pytest.skip(f"no {EMULATOR} here; Debian's package qemu-user has it")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / EMULATOR).symlink_to(emulator)
    return tools


def assert_refused(done: subprocess.CompletedProcess[str], folder: Path, *phrases: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("arm64: ")
    for phrase in phrases:
        assert phrase in done.stderr
    with pytest.raises(SerEdgeError, match=r"no aarch64 user land|qemu"):
        Arm64Root(folder)


def test_without_the_emulator_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = make(tmp_path / "root", tmp_path)
    assert_refused(done, tmp_path / "root", EMULATOR, "apt-get install qemu-user")


def test_away_from_debian_one_line_says_so(tmp_path: Path, emulator_only: Path) -> None:
    done = make(tmp_path / "root", emulator_only)
    assert_refused(done, tmp_path / "root", "no apt-get here", "Debian")


def test_without_a_network_one_line_says_so(tmp_path: Path, emulator_only: Path) -> None:
    for tool in ("apt-get", "apt-config", "dpkg"):
        if not shutil.which(tool):
            pytest.skip("this is no Debian system")
        (emulator_only / tool).symlink_to(shutil.which(tool))
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = make(tmp_path / "root", emulator_only, **nowhere)
    assert_refused(done, tmp_path / "root")


def test_a_half_made_one_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    for part in PARTS:
        (tmp_path / part).mkdir()
    with pytest.raises(SerEdgeError, match="ser-bench arm64 makes it"):
        Arm64Root(tmp_path)


def test_whole_parts_are_not_made_again(tmp_path: Path, emulator_only: Path) -> None:
    try:
        made = Arm64Root().folder
    except SerEdgeError as error:
        pytest.skip(str(error))
    again = tmp_path / "root"
    again.mkdir()
    for part in PARTS:
        (again / part).symlink_to(made / part)
    # There is nothing to download with.
    done = make(again, emulator_only)
    assert done.returncode == 0, done.stderr
    assert Arm64Root(again).folder == again
