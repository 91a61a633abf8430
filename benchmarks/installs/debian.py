"""``ser-bench debian-package``: a .deb in a clean Debian, from the installation to the purge."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.arguments import add_outcome, give
from benchmarks.arm64_root import CHECKOUT
from benchmarks.installs.booted import boot_and_check
from benchmarks.installs.cells import LITERT
from benchmarks.installs.checks import UnmetError, check_program, last_line
from benchmarks.installs.matrix import SOUND
from benchmarks.installs.native import SkippedError
from benchmarks.results import Results, of_kind
from edge_runtime.errors import SerEdgeError
from edge_runtime.install import SYSTEM_CONFIG, SYSTEM_UNITS, UNIT

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PROTOCOL = (
    "In a Debian made by debootstrap: apt-get installs the package with what it depends on; "
    "nobody runs --version, classify, listen and doctor; systemd verifies and enables the unit; "
    "the package is installed again over a changed configuration, removed, and purged; where "
    "systemd-nspawn is, a copy is booted, in which the service is started, reloaded, killed, and "
    "removed while it runs"
)
# What is left by a removal on purpose: settings, profiles, events.
KEPT = ("/etc/ser-edge", "/var/lib/private/ser-edge", "/var/log/private/ser-edge")
# systemd's, for all services whose users it makes.
PRIVATE = {"/var/lib/private", "/var/log/private"}
# apt's and dpkg's own books, and what is none of a disk.
NOT_LOOKED_AT = (
    *("/proc", "/sys", "/dev", "/run", "/tmp", "/var/cache", "/var/lib/systemd"),
    *("/var/lib/apt", "/var/lib/dpkg", "/var/log/apt", "/var/log/dpkg.log"),
)
BOOTS = "systemd-sysv, dbus"  # which every machine with a service has
MARK = "# a line of mine"
ENABLED = SYSTEM_UNITS / "multi-user.target.wants" / UNIT


def add_parser(commands: Any) -> None:
    """Add ``debian-package`` to the commands of ``ser-bench``."""
    parser = commands.add_parser(
        "debian-package", help="install, use, remove and purge a .deb in a clean Debian (as root)"
    )
    parser.add_argument("package", type=Path, metavar="FILE.deb", help="as make deb builds it")
    parser.add_argument("--suite", default=SUITE, metavar="NAME", help=f"(default: {SUITE})")
    add_outcome(parser)
    parser.set_defaults(work=debian_package)


def debian_package(arguments: argparse.Namespace) -> int:
    """Do ``ser-bench debian-package``."""
    result = try_package(arguments.package, arguments.suite)
    return give(result, as_text, arguments)


def try_package(package: Path, suite: str) -> dict[str, Any]:
    """Install, use, remove and purge a package.

    Parameters
    ----------
    package : Path
        Of this machine's architecture, and of the Python of `suite`.
    suite : str
        Debian's release, as "bookworm".

    Returns
    -------
    dict
        As JSON types: the package's ``size`` and what it takes ``installed``; what ser-edge
        answered; and the paths that a removal and a purge ``left``.

    Raises
    ------
    SerEdgeError
        When it cannot be tried here, or something is not as it has to be; the message says what.
    """
    _require(package)
    with TemporaryDirectory(prefix="ser-edge-debian-") as folder:
        _tell(f"making a clean {suite} in {folder}")
        debian = CleanDebian(Path(folder) / "root", suite)
        try:
            return {"protocol": PROTOCOL, "suite": suite, **_try(debian, package)}
        except UnmetError as error:
            raise SerEdgeError(f"{package.name} in {suite}: {error}") from error


class CleanDebian:
    """A Debian without anything but its base, in a folder.

    Parameters
    ----------
    root : Path
        Where it is made.
    suite : str
        Debian's release.
    """

    def __init__(self, root: Path, suite: str) -> None:
        self.root = root
        _call(["debootstrap", "--variant=minbase", suite, str(root), MIRROR])

    def run(self, command: Sequence[str], user: str = "root") -> subprocess.CompletedProcess[str]:
        """Run a command in it, with a /proc and process numbers of its own."""
        inside = ["chroot", f"--userspec={user}", str(self.root), *command]
        alone = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.root}/proc"]
        return subprocess.run(
            [*alone, *inside],
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive",
                "HOME": "/root" if user == "root" else "/nonexistent",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def do(self, *command: str) -> str:
        """Run a command as root; raises `UnmetError` when it fails."""
        done = self.run(command)
        if done.returncode != 0:
            raise UnmetError(f"{' '.join(command[:3])}: {last_line(done)}")
        return done.stdout + done.stderr

    def apt(self, *words: str) -> str:
        """Run apt-get."""
        options = ["-y", "-q", "--no-install-recommends", "-o", "APT::Sandbox::User=root"]
        return self.do("apt-get", *options, *words)

    def below(self, path: str | Path) -> Path:
        """Where a path of it is here."""
        return self.root / str(path).lstrip("/")

    def paths(self) -> set[str]:
        """Every path, but for those of the package manager's own books."""
        pruned = [word for path in NOT_LOOKED_AT for word in ("-path", path, "-o")][:-1]
        lines = self.do("find", "/", "-xdev", "(", *pruned, ")", "-prune", "-o", "-print")
        return set(lines.splitlines())


def _try(debian: CleanDebian, package: Path) -> dict[str, Any]:
    depends = _field(package, "Depends")
    _tell(f"installing what it depends on: {depends}")
    debian.apt("update")
    debian.apt("satisfy", f"{depends}, {BOOTS}")
    before = debian.paths()
    shutil.copy(package, debian.below("/tmp/ser-edge.deb"))
    shutil.copy(CHECKOUT / SOUND, debian.below("/tmp/demo.wav"))
    _tell("installing it")
    debian.apt("install", "/tmp/ser-edge.deb")
    answers = check_program(
        lambda words: debian.run(["ser-edge", *words], "nobody:nogroup"),
        Path("/tmp/demo.wav"),
        None,
        LITERT,
    )
    _check_service(debian)
    _tell("booting a copy of it")
    booted = _boot_copy(debian)
    _tell("installing it again, removing it, purging it")
    _check_configuration(debian)
    for path in ("lib/private/ser-edge/profiles/active", "log/private/ser-edge/events.jsonl"):
        state = debian.below("/var") / path
        state.parent.mkdir(parents=True)
        state.write_text("somebody\n", encoding="utf-8")
    return {
        "architecture": _field(package, "Architecture"),
        "size": package.stat().st_size,
        "installed_kib": int(_field(package, "Installed-Size")),
        **answers,
        "booted": booted,
        "left": {"by removal": _removed(debian, before), "by purge": _purged(debian, before)},
    }


def _check_service(debian: CleanDebian) -> None:
    if debian.below(ENABLED).is_symlink():
        raise UnmetError("the service is enabled without anybody having asked for it")
    said = debian.do("systemd-analyze", "verify", UNIT)
    about_ours = [line for line in said.splitlines() if UNIT in line]
    if about_ours:
        raise UnmetError(f"systemd-analyze verify: {about_ours[0]}")
    debian.do("systemctl", "enable", UNIT)
    if not debian.below(ENABLED).is_symlink():
        raise UnmetError("systemctl enable does not enable the service")


def _boot_copy(debian: CleanDebian) -> dict[str, Any]:
    copy = debian.root.with_name("copy")
    subprocess.run(["cp", "-a", "--reflink=auto", str(debian.root), str(copy)], check=True)
    try:
        return boot_and_check(copy, CHECKOUT / SOUND)
    except SkippedError as reason:
        return {"skipped": str(reason)}
    finally:
        shutil.rmtree(copy)


def _check_configuration(debian: CleanDebian) -> None:
    config = debian.below(SYSTEM_CONFIG)
    config.write_text(config.read_text(encoding="utf-8") + MARK + "\n", encoding="utf-8")
    debian.apt("install", "--reinstall", "/tmp/ser-edge.deb")
    if MARK not in config.read_text(encoding="utf-8"):
        raise UnmetError("a changed configuration is overwritten by an update")


def _removed(debian: CleanDebian, before: set[str]) -> list[str]:
    debian.apt("remove", "ser-edge")
    left = sorted(debian.paths() - before)
    strays = [path for path in left if not path.startswith(KEPT) and path not in PRIVATE]
    if strays:
        raise UnmetError(f"a removal leaves {strays[0]}, and {len(strays) - 1} more")
    if MARK not in debian.below(SYSTEM_CONFIG).read_text(encoding="utf-8"):
        raise UnmetError("a removal takes the configuration")
    return left


def _purged(debian: CleanDebian, before: set[str]) -> list[str]:
    debian.apt("purge", "ser-edge")
    left = sorted(debian.paths() - before - PRIVATE)
    if left:
        raise UnmetError(f"a purge leaves {left[0]}, and {len(left) - 1} more")
    return left


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    return "\n".join([result["protocol"], *_lines(result)])


def package_list(results: Results) -> str:
    """What came of the packages, as a list."""
    found = of_kind(results, "debian-package")
    return "\n".join(f"- {line}" for result in found for line in _lines(result))


def _lines(result: dict[str, Any]) -> list[str]:
    left = result["left"]["by removal"]
    files = [path for path in left if not any(one.startswith(f"{path}/") for one in left)]
    kept = ", ".join(f"`{path}`" for path in files)
    booted, suite = result["booted"], result["suite"]
    return [
        f"{suite}, {result['architecture']}: {result['size'] / 1e6:.1f} MB, "
        f"{result['installed_kib'] / 1024:.0f} MiB installed; nobody classifies "
        f"({result['label']} {result['score']:.2f}) and listens ({result['events']} events); "
        "the unit verifies",
        f"{suite}, booted: skipped: {booted['skipped']}"
        if "skipped" in booted
        else f"{suite}, booted: systemd starts the service as a user of its own, it writes events "
        f"({booted['events']}), survives a reload and comes again after a kill; a removal ends it",
        f"{suite}: a removal leaves {kept}; a purge leaves nothing",
    ]


def _field(package: Path, name: str) -> str:
    return _call(["dpkg-deb", "--field", str(package), name]).strip()


def _require(package: Path) -> None:
    if not package.is_file():
        raise SerEdgeError(f"{package}: there is no such file; make deb builds the package")
    for tool in ("debootstrap", "unshare", "dpkg-deb"):
        if not shutil.which(tool):
            raise SerEdgeError(f"no {tool} here; on a Debian system, apt-get install {tool}")
    if os.geteuid() != 0:
        raise SerEdgeError("only root can make a Debian in a folder: sudo ser-bench debian-package")


def _call(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise SerEdgeError(f"{' '.join(command[:2])}: {last_line(done)}")
    return done.stdout


def _tell(line: str) -> None:
    print(f"ser-bench: {line}", file=sys.stderr, flush=True)
