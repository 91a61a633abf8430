"""The wheel in a clean virtual environment of this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.installs.cells import Cell
from benchmarks.installs.checks import UnmetError, last_line
from benchmarks.installs.pythons import find_python

SECONDS = 900.0  # of a download on a slow line
OURS = ("PYTHON", "SER_EDGE_", "VIRTUAL_ENV", "XDG_")


class SkippedError(Exception):
    """A cell that cannot be tried here; its message says why."""


class NativeInstallation:
    """A virtual environment with the wheel, made anew.

    Parameters
    ----------
    cell : Cell
        What is installed.
    wheel : Path
        The wheel.
    folder : Path
        Where the environment is made.

    Raises
    ------
    SkippedError
        When the Python is not there.
    UnmetError
        When pip cannot install it.
    """

    note = ""

    def __init__(self, cell: Cell, wheel: Path, folder: Path) -> None:
        python = find_python(cell.python)
        if python is None:
            raise SkippedError(f"no python{cell.python} here")
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self._bin = folder / "venv" / "bin"
        self._call([str(python), "-m", "venv", str(folder / "venv")])
        self._pip("install", f"{cell.requirement} @ {wheel.resolve().as_uri()}")
        for package in cell.without:
            self._pip("uninstall", "-y", package)

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run the installed ``ser-edge``."""
        return self._run([str(self._bin / "ser-edge"), *arguments])

    def installed(self) -> dict[str, str]:
        """Versions of the packages, by name."""
        listed = json.loads(self._pip("list", "--format", "json"))
        return {one["name"]: one["version"] for one in listed}

    def _pip(self, *words: str) -> str:
        command = [str(self._bin / "python"), "-m", "pip", "--disable-pip-version-check"]
        return self._call([*command, *words])

    def _call(self, command: Sequence[str]) -> str:
        done = self._run(command)
        if done.returncode != 0:
            raise UnmetError(f"{Path(command[0]).name} {command[-1]}: {last_line(done)}")
        return done.stdout

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self._home,  # no checkout is near
            env=clean_environment(self._home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )


def clean_environment(home: Path) -> Mapping[str, str]:
    """The environment without what this project or a Python put into it, and an empty home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home), "LC_ALL": "C.UTF-8"}
