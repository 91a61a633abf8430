"""Goes through the matrix: installs the wheel in each cell and tries it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from benchmarks.arm64_root import CHECKOUT
from benchmarks.installs.cells import X86_64, Cell
from benchmarks.installs.checks import Run, UnmetError, check_program, check_refusal
from benchmarks.installs.emulated import EmulatedInstallation
from benchmarks.installs.native import NativeInstallation, SkippedError
from edge_runtime.errors import SerEdgeError

SOUND = Path("examples") / "demo.wav"
MODELS = Path("benchmarks") / "models"
TOLD = ("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", "sounddevice")
PROTOCOL = (
    "In each cell a clean environment, into which pip installs the wheel with what it depends on "
    "(no constraints); then ser-edge --version, classify and listen on the demo recording, and "
    "doctor, from a folder without a checkout. ARM is Debian's Python under qemu-user, where pip "
    "runs on the emulated processor, too"
)


class Installation(Protocol):
    """An environment that holds the wheel."""

    note: str

    def run(self, arguments: Any) -> subprocess.CompletedProcess[str]:
        """Run ``ser-edge``."""
        ...

    def installed(self) -> dict[str, str]:
        """Versions of the packages, by name."""
        ...


def run_matrix(
    wheel: Path, cells: Iterable[Cell], tell: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """Install the wheel in each cell and try it.

    Parameters
    ----------
    wheel : Path
        Built by ``make dist``.
    cells : iterable of Cell
        Which.
    tell : callable
        Is given what came of each cell as soon as it is known.

    Returns
    -------
    dict
        As JSON types: the ``wheel``'s name and SHA-256, and the ``cells``, each with its
        ``outcome`` ("ok", "skipped" or "failed"), ``why`` it is not ok, and what is ``installed``.

    Raises
    ------
    SerEdgeError
        When there is no wheel, or no recording to try it with.
    """
    if not wheel.is_file():
        raise SerEdgeError(f"{wheel}: there is no such file; make dist builds the wheel")
    if not (CHECKOUT / SOUND).is_file():
        raise SerEdgeError(f"no {SOUND} in {CHECKOUT}; run this from a checkout")
    results = []
    for cell in cells:
        results.append(try_cell(cell, wheel))
        tell(results[-1])
    return {
        "protocol": PROTOCOL,
        "wheel": {"name": wheel.name, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()},
        "system": platform.platform(),
        "cells": results,
    }


def try_cell(cell: Cell, wheel: Path) -> dict[str, Any]:
    """Install the wheel in one cell and try it; says what came of it."""
    told = {
        "name": cell.name,
        "architecture": cell.architecture,
        "python": cell.python,
        "interpreter": cell.interpreter,
        "requirement": cell.requirement,
        "without": list(cell.without),
        "model": cell.model,
    }
    with TemporaryDirectory(prefix="ser-edge-install-") as folder:
        try:
            return {**told, "outcome": "ok", **_try(cell, wheel, Path(folder))}
        except SkippedError as reason:
            return {**told, "outcome": "skipped", "why": str(reason)}
        except UnmetError as reason:
            return {**told, "outcome": "failed", "why": str(reason)}
        except (ValueError, KeyError) as error:
            return {**told, "outcome": "failed", "why": f"an answer that is no answer: {error!r}"}
        except subprocess.TimeoutExpired as error:
            return {**told, "outcome": "failed", "why": f"no end after {error.timeout:g} s"}


def _try(cell: Cell, wheel: Path, folder: Path) -> dict[str, Any]:
    kind = NativeInstallation if cell.architecture == X86_64 else EmulatedInstallation
    if cell.architecture == X86_64 and platform.machine() != "x86_64":
        raise SkippedError(f"this machine is {platform.machine()}")
    installation: Installation = kind(cell, wheel, folder)
    answers = _check(cell, installation.run)
    packages = {name.lower().replace("_", "-"): v for name, v in installation.installed().items()}
    held = {name: packages[name] for name in TOLD if name in packages}
    return {"note": installation.note, "installed": held, **answers}


def _check(cell: Cell, run: Run) -> dict[str, Any]:
    sound = CHECKOUT / SOUND
    if cell.interpreter is None:
        return check_refusal(run, sound)
    model = CHECKOUT / MODELS / cell.model if cell.model else None
    return check_program(run, sound, model, cell.interpreter)


def as_line(one: dict[str, Any]) -> str:
    """What came of a cell, in a line for people."""
    if one["outcome"] != "ok":
        return f"{one['name']}: {one['outcome']}: {one['why']}"
    held = ", ".join(f"{name} {version}" for name, version in one["installed"].items())
    return f"{one['name']}: ok ({held}){'; ' + one['note'] if one['note'] else ''}"


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    counts = [
        f"{sum(one['outcome'] == outcome for one in result['cells'])} {outcome}"
        for outcome in ("ok", "skipped", "failed")
    ]
    return "\n".join([*map(as_line, result["cells"]), ", ".join(counts)])
