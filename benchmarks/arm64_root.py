"""A user land of aarch64 in a folder, and Python programs run in it under qemu.

It has what a 64-bit Raspberry Pi has: Debian's Python, numpy, and either TFLite interpreter. qemu
executes the very instructions that the device would, with or without those that a CPU model lacks;
how long it takes says nothing.

``python -m benchmarks.arm64_root`` makes it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.debian_packages import unpack
from edge_runtime.errors import SerEdgeError
from edge_runtime.program import run_program

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / ".arm64"
EMULATOR = "qemu-aarch64"
# Raspberry Pi 3 and Zero 2 W; Raspberry Pi 5, whose CPU has dot-product instructions.
CPUS = ("cortex-a53", "cortex-a76")

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
# Importing it all once also leaves the compiled modules, with which a start takes a fifth.
TRIAL = "from edge_runtime import Classifier, cli; Classifier()"


class Arm64Root:
    """The user land in a folder, ready to run programs.

    Parameters
    ----------
    folder : Path
        Where `make_root` made it.

    Raises
    ------
    SerEdgeError
        When it is not there, not whole or cannot be run here; the message says what to do.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        if not (folder / ".stamp").exists():
            raise SerEdgeError(f"no aarch64 user land in {folder}; make .arm64/.stamp makes it")
        self.folder = folder.resolve()
        _require_emulator()

    def run(
        self,
        arguments: Sequence[str],
        *,
        interpreter: str,
        cpu: str,
        emulator_options: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run Python on aarch64, with `edge_runtime` of this checkout.

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

        Returns
        -------
        subprocess.CompletedProcess
            Its exit status, and what it wrote to standard output and standard error.
        """
        return _run(self.folder, arguments, interpreter, cpu, emulator_options)


def make_root(folder: Path = FOLDER) -> None:
    """Make the user land, or what is missing of it.

    Parameters
    ----------
    folder : Path
        Where; about 220 MB. A call that was interrupted is taken up by the next; only a whole one
        has a file ``.stamp``.

    Raises
    ------
    SerEdgeError
        When it cannot be made here, and what to do.
    """
    _require_emulator()
    (folder / ".stamp").unlink(missing_ok=True)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    debian = partial(unpack, PACKAGES, work=downloads, suite=SUITE, architecture="arm64")
    _make_part(folder / "root", (SUITE, *PACKAGES), debian)
    for interpreter, wheels in WHEELS.items():
        _make_part(folder / interpreter, wheels, partial(_install, wheels))
        _try(folder.resolve(), interpreter)
    shutil.rmtree(downloads)
    (folder / ".stamp").touch()


def _require_emulator() -> None:
    if not shutil.which(EMULATOR):
        raise SerEdgeError(
            f"no {EMULATOR} here; on a Debian system, sudo apt-get install qemu-user"
        )


def _make_part(part: Path, content: Sequence[str], fill: Callable[[Path], None]) -> None:
    """Fill a folder, unless it holds just that; under its name it is always whole."""
    listing = part / ".content"
    wanted = "\n".join(content)
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
    done = _run(folder, ["-c", TRIAL], interpreter, CPUS[0])
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise SerEdgeError(f"{interpreter} does not run on aarch64 here ({said[-1]})")


def _run(
    folder: Path,
    arguments: Sequence[str],
    interpreter: str,
    cpu: str,
    emulator_options: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    root = folder / "root"
    python = root / "usr" / "bin" / f"python{PYTHON_VERSION}"
    return subprocess.run(
        [EMULATOR, "-cpu", cpu, "-L", root, *emulator_options, python, *arguments],
        env=_environment(folder / interpreter),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _environment(wheels: Path) -> Mapping[str, str]:
    """Nothing of this machine's: neither its Python settings nor its libraries."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(wheels)]),
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
        "folder", type=Path, nargs="?", default=FOLDER, help=f"where (default: {FOLDER})"
    )
    parser.set_defaults(work=_make)
    return parser


def _make(arguments: argparse.Namespace) -> int:
    make_root(arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
