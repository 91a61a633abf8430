"""One file classified from the start of the process to its answer: ours and the reference chain."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.peers.process import environment
from benchmarks.timing import percentiles
from edge_runtime.errors import SerEdgeError

RATE = 16000
OURS, REFERENCE = "ser-edge classify", "reference chain"
SCRIPT = Path(__file__).with_name("reference_clip.py")


def bench_clips(model: Path, audio: NDArray[np.float32], runs: int, folder: Path) -> dict[str, Any]:
    """Time both in turn, after one run of each that is not timed.

    Parameters
    ----------
    model : Path
        The reference chain's network, a .keras file.
    audio : ndarray of float32, shape (n_samples,)
        At 16 kHz; what the file holds.
    runs : int
        How often.
    folder : Path
        Where the file is written.

    Returns
    -------
    dict
        As JSON types, as percentiles: by program ``seconds`` that pass and
        ``processor_seconds``, and the ``ratio`` of the latter, reference to ours.

    Raises
    ------
    SerEdgeError
        When one of them fails.
    """
    path = folder / "clip.wav"
    _write(path, audio)
    commands = {
        OURS: [sys.executable, "-m", "edge_runtime.cli", "classify", str(path)],
        REFERENCE: [sys.executable, str(SCRIPT), str(model), str(path)],
    }
    wall: dict[str, list[float]] = {name: [] for name in commands}
    processor: dict[str, list[float]] = {name: [] for name in commands}
    for number in tqdm(range(runs + 1), desc="whole programs", unit="round", disable=None):
        for name, command in commands.items():
            passed, used = _seconds(name, command, folder)
            if number:
                wall[name].append(passed)
                processor[name].append(used)
    return {
        "runs": runs,
        "seconds": _percentiles(wall),
        "processor_seconds": _percentiles(processor),
        "ratio": percentiles(np.array(processor[REFERENCE]) / np.array(processor[OURS])),
    }


def _percentiles(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {name: percentiles(np.array(values)) for name, values in times.items()}


def _seconds(name: str, command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds that a program took: that passed, and of processor time."""
    started, used = time.monotonic(), _processor_seconds()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment())
    passed = time.monotonic() - started
    if done.returncode or not done.stdout.strip():
        said = done.stderr.strip().splitlines() or ["no reason given"]
        raise SerEdgeError(f"{name}: failed ({said[-1].strip()})")
    return passed, _processor_seconds() - used


def _processor_seconds() -> float:
    """What processes that have ended took, in user and kernel mode."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(path: Path, samples: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
