"""Debian packages of another architecture, unpacked into a folder by an ordinary user.

apt works with a configuration and lists of its own, so nothing on the system changes: no
architecture is added to dpkg, and nothing is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.errors import SerEdgeError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The settings of the system's apt that are not about fetching a file, and bring more of them.
NOT_TRANSPORT = ("Acquire::IndexTargets", "Acquire::Languages")


def unpack(
    packages: Sequence[str], into: Path, work: Path, *, suite: str, architecture: str
) -> None:
    """Download packages and unpack them, without their dependencies and without their scripts.

    Parameters
    ----------
    packages : sequence of str
        Names of packages in Debian's main section.
    into : Path
        Folder that receives the packages' files.
    work : Path
        Folder for lists and downloads; what an interrupted call left there is used again.
    suite : str
        Debian's release, as "bookworm".
    architecture : str
        Debian's name of the architecture, as "arm64".

    Raises
    ------
    SerEdgeError
        When this is no Debian system, or a package cannot be had.
    """
    for tool in ("apt-get", "apt-config", "dpkg"):
        if not shutil.which(tool):
            raise SerEdgeError(f"no {tool} here; this needs a Debian system")
    environment = _private_apt(work.resolve(), suite, architecture)
    downloads = work / "packages"
    downloads.mkdir(exist_ok=True)
    _call(["apt-get", "update", "-qq"], environment)
    _call(["apt-get", "download", "-qq", *packages], environment, downloads)
    into.mkdir(parents=True, exist_ok=True)
    for name in packages:
        # An interrupted call may have left an older version beside it.
        package = max(downloads.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
        _call(["dpkg", "-x", str(package), str(into)], environment)


def _private_apt(work: Path, suite: str, architecture: str) -> Mapping[str, str]:
    """Write a configuration of apt and return the environment that makes apt use it."""
    mirror = _mirror()
    if not KEYRING.exists():
        raise SerEdgeError(f"no {KEYRING}; sudo apt-get install debian-archive-keyring")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    configuration = work / "apt.conf"
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures::": architecture,
        # As root, apt would fetch as a user who may not be able to write here.
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",  # else an update that fetched nothing succeeds
        "Acquire::Languages": "none",
        # The system's hooks are about the system's packages.
        "Dir::Etc::Parts": "/dev/null",
        "Dir::Etc::Main": "/dev/null",
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State": work / "state",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    configuration.write_text("\n".join([*_transport(), *lines, ""]), encoding="utf-8")
    return {**os.environ, "APT_CONFIG": str(configuration)}


def _mirror() -> str:
    """The mirror of Debian that this system takes its packages from."""
    form = ["--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"]
    mirrors = _call(["apt-get", "indextargets", *form], os.environ).split()
    if not mirrors:
        raise SerEdgeError(
            "apt knows no mirror of Debian; on a Debian system, run: sudo apt-get update"
        )
    return mirrors[0]


def _transport() -> list[str]:
    """How the system's apt fetches: its proxies, retries and time limits."""
    settings = _call(["apt-config", "dump"], os.environ).splitlines()
    acquire = [line for line in settings if line.startswith("Acquire::")]
    return [line for line in acquire if not line.startswith(NOT_TRANSPORT)]


def _call(command: list[str], environment: Mapping[str, str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**environment, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"{' '.join(command[:2])} failed ({said[-1]})")
    return done.stdout
