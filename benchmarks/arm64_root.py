"""A user land of aarch64 in a folder, and Python programs run in it under qemu.

It has what a 64-bit Raspberry Pi has: Debian's Python, numpy, and either TFLite interpreter; and
pytest. qemu executes the very instructions that the device would, with or without those that a CPU
model lacks; how long it takes says nothing.

``python -m benchmarks.arm64_root`` makes it.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.debian_packages import unpack
from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program

# Of the project; or where its packages are installed.
CHECKOUT = Path(__file__).resolve().parents[1]
OURS = ("edge_runtime", "benchmarks")
EMULATOR = "qemu-aarch64"
# Raspberry Pi 3 and Zero 2 W; Pi 4; Pi 5, whose CPU alone has dot-product instructions.
CPUS = ("cortex-a53", "cortex-a72", "cortex-a76")

# One release of Debian everywhere, so that the same instructions run everywhere. Its Python is
# the newest for which both interpreters are published.
SUITE = "bookworm"
PYTHON_VERSION = "3.11"
GLIBC_MINOR = 36
PACKAGES = (
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libstdc++6",
    "libgcc-s1",
    "zlib1g",
    "libexpat1",
    "libbz2-1.0",
    "liblzma5",
    "libffi8",
    "libsqlite3-0",
    "libssl3",
    "libuuid1",
    "libgomp1",
)
# ai-edge-litert 2 crashes under qemu 7.2 when an interpreter is made.
WHEELS = {
    "litert": (
        "ai-edge-litert==1.4.0",
        "numpy==2.4.6",
        "backports.strenum==1.2.8",
        "flatbuffers==25.12.19",
        "tqdm==4.70.1",
        "typing-extensions==4.16.0",
    ),
    "tflite-runtime": ("tflite-runtime==2.14.0", "numpy==1.26.4"),
}
INTERPRETERS = tuple(WHEELS)
TEST_WHEELS = (
    "pytest==9.2.0",
    "pytest-timeout==2.4.0",
    "hypothesis==6.170.15",
    "iniconfig==2.3.1",
    "packaging==26.3",
    "pluggy==1.7.0",
    "pygments==2.21.0",
    "sortedcontainers==2.4.0",
)
# The folders within, and what fills each.
PARTS = {"root": (SUITE, *PACKAGES), **WHEELS, "pytest": TEST_WHEELS}
# Importing it all once also leaves the compiled modules, with which a start takes a fifth.
TRIAL = "from edge_runtime import Classifier, cli; Classifier()"


def default_folder() -> Path:
    """Where the user land is: in the checkout, or in the user's cache where there is none."""
    if (CHECKOUT / "Makefile").exists():
        return CHECKOUT / ".arm64"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "ser-edge" / "arm64"


class Arm64Root:
    """The user land in a folder, ready to run programs.

    Parameters
    ----------
    folder : Path, optional
        Where `make_root` made it; `default_folder` by default.
    packages : Path, optional
        Where the project's packages are installed; those that run here by default.

    Raises
    ------
    SerEdgeError
        When it is not there, not whole or cannot be run here; the message says what to do.
    """

    def __init__(self, folder: Path | None = None, packages: Path | None = None) -> None:
        folder = folder or default_folder()
        if not is_whole(folder):
            raise SerEdgeError(f"no aarch64 user land in {folder}; ser-bench arm64 makes it")
        self.folder = folder.resolve()
        self._packages = packages or _our_packages(self.folder)
        require_emulator()

    def run(
        self,
        arguments: Sequence[str],
        *,
        interpreter: str,
        cpu: str,
        emulator_options: Sequence[str] = (),
        with_pytest: bool = False,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python on aarch64, with `edge_runtime` and `benchmarks`.

        Parameters
        ----------
        arguments : sequence of str
            Of Python: a script, or ``-m`` and a module, and what it is given.
        interpreter : {"litert", "tflite-runtime"}
            The TFLite interpreter that is installed for it.
        cpu : str
            A CPU model of qemu, as "cortex-a53".
        emulator_options : sequence of str
            More options of qemu, as those that load a plugin.
        with_pytest : bool
            Whether pytest and hypothesis are installed for it, too.
        cwd : Path, optional
            The working folder; this process's by default.

        Returns
        -------
        subprocess.CompletedProcess
            Its exit status, and what it wrote to standard output and standard error.
        """
        wheels = [interpreter, "pytest"] if with_pytest else [interpreter]
        return _run(self.folder, arguments, wheels, cpu, emulator_options, cwd, self._packages)


def is_whole(folder: Path) -> bool:
    """Whether `make_root` has made there all of what it makes."""
    stamp = folder / ".stamp"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == _listing(*PARTS.values())


def make_root(folder: Path | None = None, tell: Callable[[str], object] | None = None) -> None:
    """Make the user land, or what is missing of it.

    Parameters
    ----------
    folder : Path, optional
        Where; about 220 MB. `default_folder` by default. A call that was interrupted is taken up
        by the next; only a whole one has a file ``.stamp``.
    tell : callable, optional
        Is given a line before each step.

    Raises
    ------
    SerEdgeError
        When it cannot be made here, and what to do.
    """
    folder = folder or default_folder()
    require_emulator()
    (folder / ".stamp").unlink(missing_ok=True)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    debian = partial(unpack, PACKAGES, work=downloads, suite=SUITE, architecture="arm64")
    fills: dict[str, Callable[[Path], None]] = {"root": debian}
    for name, content in PARTS.items():
        if tell:
            tell(f"{folder / name}: {', '.join(content[:3])} ...")
        _make_part(folder / name, content, fills.get(name, partial(_install, content)))
    for interpreter in INTERPRETERS:
        if tell:
            tell(f"{folder}: trying {interpreter}")
        _try(folder.resolve(), interpreter)
    shutil.rmtree(downloads)
    (folder / ".stamp").write_text(_listing(*PARTS.values()), encoding="utf-8")


def ready_root(tell: Callable[[str], object], packages: Path | None = None) -> Arm64Root:
    """The user land in its default folder, made where it is missing; `tell` is given lines."""
    folder = default_folder()
    if not is_whole(folder):
        tell(f"making a user land of aarch64 in {folder}: about 220 MB, the first time only")
        make_root(folder, tell)
    return Arm64Root(folder, packages)


def require_emulator() -> None:
    """Raise `SerEdgeError` where qemu is missing, saying how to get it."""
    if not shutil.which(EMULATOR):
        raise SerEdgeError(
            f"no {EMULATOR} here; on a Debian system, sudo apt-get install qemu-user"
        )


def _listing(*contents: Sequence[str]) -> str:
    return "\n".join(line for content in contents for line in content)


def _make_part(part: Path, content: Sequence[str], fill: Callable[[Path], None]) -> None:
    """Fill a folder, unless it holds just that; under its name it is always whole."""
    listing = part / ".content"
    wanted = _listing(content)
    if listing.exists() and listing.read_text(encoding="utf-8") == wanted:
        return
    partial = part.with_name(f"{part.name}.partial")
    for old in (partial, part):
        shutil.rmtree(old, ignore_errors=True)
    fill(partial)
    (partial / ".content").write_text(wanted, encoding="utf-8")
    partial.rename(part)


def _install(wheels: Sequence[str], into: Path) -> None:
    # pip takes a platform to the letter: one that reads 2_34 is not found under 2_36.
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_MINOR + 1)]
    platforms.append("manylinux2014_aarch64")
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(into)]
    command += ["--python-version", PYTHON_VERSION]
    command += [f"--platform={platform}" for platform in platforms]
    done = subprocess.run(
        [*command, *wheels], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"pip cannot install {wheels[0]} for aarch64 ({said[-1]})")


def _try(folder: Path, interpreter: str) -> None:
    done = _run(folder, ["-c", TRIAL], [interpreter], CPUS[0])
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SerEdgeError(f"{interpreter} does not run on aarch64 here ({said[-1]})")


def _run(
    folder: Path,
    arguments: Sequence[str],
    wheels: Sequence[str],
    cpu: str,
    emulator_options: Sequence[str] = (),
    cwd: Path | None = None,
    packages: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    root = (folder / "root").resolve()
    launcher = _launcher(root, cpu)
    options = ["-cpu", cpu, "-L", str(root), "-0", str(launcher), *emulator_options]
    return subprocess.run(
        [EMULATOR, *options, str(_python(root)), *arguments],
        env=_environment([packages or _our_packages(folder), *(folder / name for name in wheels)]),
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _python(root: Path) -> Path:
    return root / "usr" / "bin" / f"python{PYTHON_VERSION}"


def _launcher(root: Path, cpu: str) -> Path:
    """A script that is Python to those it runs: what they start as ``sys.executable``.

    The kernel cannot execute an aarch64 program, but it can this.
    """
    python = _python(root)
    launcher = python.with_name(f"{python.name}-{cpu}")
    text = f"""#!/bin/sh
exec {EMULATOR} -cpu {cpu} -L {shlex.quote(str(root))} -0 "$0" {shlex.quote(str(python))} "$@"
"""
    if not launcher.exists() or launcher.read_text(encoding="utf-8") != text:
        with replacing(launcher, launcher.with_name(f".{launcher.name}-{os.getpid()}")) as script:
            script.write_text(text, encoding="utf-8")
            script.chmod(0o755)
    return launcher


def _our_packages(folder: Path) -> Path:
    """A folder that shows the project's packages, and not what is installed beside them here."""
    name = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]
    packages = folder / "packages" / name
    packages.mkdir(parents=True, exist_ok=True)
    for package in OURS:
        with contextlib.suppress(FileExistsError):
            (packages / package).symlink_to(CHECKOUT / package)
    return packages


def _environment(paths: Sequence[Path]) -> Mapping[str, str]:
    """Nothing of this machine's: neither its Python settings nor its libraries."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        # What is in the working folder is not what is meant, in what a program starts either.
        "PYTHONSAFEPATH": "1",
        # Sets and dictionaries go the same way each time.
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        # However many cores this machine has.
        "OPENBLAS_NUM_THREADS": "1",
    }


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m benchmarks.arm64_root`` and return its exit status."""
    return run_program("arm64", _parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arm64_root",
        description="Make a user land of aarch64 that runs under qemu.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=default_folder(),
        help="where (default: %(default)s)",
    )
    parser.set_defaults(work=_make)
    return parser


def _make(arguments: argparse.Namespace) -> int:
    make_root(arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
