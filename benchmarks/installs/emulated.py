"""The wheel on Debian's Python for ARM, installed by pip and run under qemu.

pip itself runs on the emulated processor: so it reads the markers and takes the wheels that it
would take on the device.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arm64_root import PACKAGES, ready_root
from benchmarks.debian_packages import unpack
from benchmarks.installs.cells import AARCH64, ARMV7L, BACKENDS, LITERT, Cell
from benchmarks.installs.checks import UnmetError, last_line
from benchmarks.installs.native import SECONDS, SkippedError, clean_environment
from edge_runtime.errors import SerEdgeError

# The release's own is older, and looks past Debian's packages when it is given a prefix.
PIP = "pip==26.3"
TRIAL = "from edge_runtime import Classifier; Classifier()"
# PyPI has no numpy and no cffi for 32-bit ARM: there they are Debian's (or piwheels'). OpenSSL of
# later releases needs the compressor.
MORE_PACKAGES = (
    "libzstd1",
    *("python3-numpy", "libblas3", "liblapack3", "libgfortran5"),
    *("python3-cffi-backend", "python3-cffi", "python3-pycparser"),
)
LATER_NAMES = {"trixie": {"libssl3": "libssl3t64"}}


@dataclass(frozen=True)
class Architecture:
    """How an architecture is called by qemu and by Debian, and a processor of it."""

    emulator: str
    debian: str
    cpu: str
    triplet: str


ARCHITECTURES = {
    # Raspberry Pi 3 and Zero 2 W.
    AARCH64: Architecture("qemu-aarch64", "arm64", "cortex-a53", "aarch64-linux-gnu"),
    # Raspberry Pi 2.
    ARMV7L: Architecture("qemu-arm", "armhf", "cortex-a7", "arm-linux-gnueabihf"),
}


class EmulatedInstallation:
    """Debian's Python of a release with the wheel, made anew.

    Parameters
    ----------
    cell, wheel, folder
        See `benchmarks.installs.native.NativeInstallation`.

    Raises
    ------
    SkippedError
        When there is no emulator here.
    UnmetError
        When pip cannot install it.
    """

    def __init__(self, cell: Cell, wheel: Path, folder: Path) -> None:
        self._is = ARCHITECTURES[cell.architecture]
        if not shutil.which(self._is.emulator):
            raise SkippedError(f"no {self._is.emulator} here; sudo apt-get install qemu-user")
        self._version = cell.python
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        self._site: list[Path] = []
        try:
            self._root = self._make_root(cell, folder)
        except SerEdgeError as error:
            raise SkippedError(str(error)) from error
        self._pip_here = _download_pip(folder / "pip") / "pip"
        self._install(cell, wheel, folder)
        self.note = self._stand_in() if cell.interpreter == LITERT else ""

    def run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run the installed ``ser-edge``."""
        return self._python("-m", "edge_runtime.cli", *arguments)

    def installed(self) -> dict[str, str]:
        """Versions of the packages, by name."""
        code = (
            "from importlib.metadata import distributions\n"
            "for one in reversed(list(distributions())): print(one.name, one.version)"
        )
        lines = self._checked("-c", code).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def _make_root(self, cell: Cell, folder: Path) -> Path:
        if cell.architecture == AARCH64:
            return ready_root(lambda _: None).folder / "root"
        root, work = folder / "root", folder / "work"
        work.mkdir()
        renamed = LATER_NAMES.get(str(cell.suite), {})
        packages = [re.sub(r"3\.11", cell.python, name) for name in (*PACKAGES, *MORE_PACKAGES)]
        packages = [renamed.get(name, name) for name in packages]
        unpack(packages, root, work, suite=str(cell.suite), architecture=self._is.debian)
        if not (root / "lib").exists():  # since trixie all packages hold usr/lib alone
            (root / "lib").symlink_to("usr/lib")
        return root

    def _install(self, cell: Cell, wheel: Path, folder: Path) -> None:
        prefix = folder / "prefix"
        wanted = f"{cell.requirement} @ {wheel.resolve().as_uri()}"
        options = ["--break-system-packages", "--only-binary=:all:", "--no-compile"]
        self._pip("install", *options, "--prefix", str(prefix), wanted)
        (site,) = prefix.glob("lib/python3*/site-packages")
        self._site.append(site)
        for package in cell.without:
            self._pip("uninstall", "--break-system-packages", "-y", package)

    def _stand_in(self) -> str:
        """Where the interpreter dies in this qemu, put an older one before it, and say so."""
        if self._python("-c", TRIAL).returncode == 0:
            return ""
        newest = self.installed()[LITERT]
        self._site.insert(0, ready_root(lambda _: None).folder / BACKENDS[LITERT])
        return f"{LITERT} {self.installed()[LITERT]} stands in for {newest}, which qemu cannot run"

    def _pip(self, *words: str) -> None:
        self._checked(str(self._pip_here), "-q", "--disable-pip-version-check", *words)

    def _checked(self, *arguments: str) -> str:
        done = self._python(*arguments)
        if done.returncode != 0:
            raise UnmetError(f"{Path(arguments[0]).name} {arguments[-1]}: {last_line(done)}")
        return done.stdout

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        python = self._root / "usr" / "bin" / f"python{self._version}"
        command = [self._is.emulator, "-cpu", self._is.cpu, "-L", str(self._root), str(python)]
        return subprocess.run(
            [*command, *arguments],
            cwd=self._home,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )

    def _environment(self) -> Mapping[str, str]:
        # Debian keeps libraries of which there are several out of the usual folder.
        libraries = self._root / "usr" / "lib" / self._is.triplet
        return {
            **clean_environment(self._home),
            "PYTHONPATH": os.pathsep.join(map(str, self._site)),
            "QEMU_SET_ENV": f"LD_LIBRARY_PATH={libraries}/blas:{libraries}/lapack",
        }


def _download_pip(folder: Path) -> Path:
    """Fetch pip, which runs from its wheel on any processor."""
    command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--no-deps", "--dest", str(folder), PIP],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SkippedError(f"{PIP} cannot be fetched: {last_line(done)}")
    (wheel,) = folder.glob("*.whl")
    return wheel
