"""Builds the plugin that counts, and reads what it wrote."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from edge_runtime.atomic import replacing
from edge_runtime.errors import SerEdgeError

SOURCE = Path(__file__).with_name("count.c")
OPTIONS = ("-std=c11", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra")
COMPILERS = ("cc", "gcc")
# The plugins of 6.0 take named options; 9.0 took away the counter without a thread.
FIRST_QEMU, BEYOND_QEMU = (6, 0), (9, 0)


def build_plugin(folder: Path, emulator: str) -> Path:
    """Compile the plugin, unless that was done already.

    Parameters
    ----------
    folder : Path
        Where it is kept, under the hash of its source.
    emulator : str
        The qemu that is to load it.

    Returns
    -------
    Path
        The shared library.

    Raises
    ------
    SerEdgeError
        When there is no C compiler, or that qemu cannot load it; the message says what to do.
    """
    _require_loadable(emulator)
    source = SOURCE.read_bytes()
    name = hashlib.sha256(source + " ".join(OPTIONS).encode()).hexdigest()[:16]
    plugin = folder / f"count-{name}.so"
    if not plugin.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(plugin, plugin.with_suffix(f".{os.getpid()}")) as library:
            _compile(library)
    return plugin


def plugin_options(plugin: Path, counts: Path) -> list[str]:
    """Options of qemu that load the plugin and make it write counts to a file."""
    return ["-plugin", f"{_escaped(plugin)},out={_escaped(counts)}"]


def read_counts(counts: Path) -> list[int]:
    """How many instructions there were between the two marks of each pair, in order."""
    marks = [int(line) for line in counts.read_text(encoding="ascii").split()]
    return [end - begin for begin, end in zip(marks[::2], marks[1::2])]


def emulator_version(emulator: str) -> str:
    """Version of a qemu, as "7.2.22"; empty where it does not tell."""
    done = subprocess.run([emulator, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"version (\d+\.\d+[.\d]*)", done.stdout)
    return found[1] if found else ""


def _require_loadable(emulator: str) -> None:
    version = emulator_version(emulator)
    major_minor = tuple(map(int, version.split(".")[:2])) if version else ()
    if not FIRST_QEMU <= major_minor < BEYOND_QEMU:
        raise SerEdgeError(
            f"{emulator} is version {version or 'unknown'}, and counting needs one from "
            f"{FIRST_QEMU[0]}.{FIRST_QEMU[1]} to below {BEYOND_QEMU[0]}.{BEYOND_QEMU[1]}, as "
            "qemu-user of Debian 12 is"
        )


def _compile(library: Path) -> None:
    compiler = next((name for name in COMPILERS if shutil.which(name)), None)
    if compiler is None:
        raise SerEdgeError(
            "no C compiler here; on a Debian system, sudo apt-get install gcc libc6-dev"
        )
    done = subprocess.run(
        [compiler, *OPTIONS, "-o", str(library), str(SOURCE)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if "error" in line] or ["no reason given"]
        raise SerEdgeError(
            f"{compiler} cannot build {SOURCE.name} ({said[0].strip()}); on a Debian system, "
            "sudo apt-get install gcc libc6-dev"
        )


def _escaped(path: Path) -> str:
    # A comma separates options, and two stand for one.
    return str(path).replace(",", ",,")
