"""What listening costs in real time: processor, memory, start; beside a wake-word daemon."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.child_process import usage_of
from benchmarks.soundscape import speech_clips
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import read_metadata
from edge_runtime.sources.clip import read_clip

PEERS_PYTHON = "SER_EDGE_PEERS_PYTHON"
SETTLE_SECONDS = 5.0  # the window fills, and everything has been done once
ROOM_DBFS = -70.0
MIB = 1024.0 * 1024.0
N_STARTS = 5
OURS, PEER = "ser-edge listen", "openWakeWord 0.4.0"
PROTOCOL = (
    "Each process alone in turn, fed the same WAV file at the pace of a microphone: real "
    "utterances one after the other, then the faint noise of a quiet room ({dbfs:g} dBFS). Share "
    "of one core by the kernel's count of user and kernel time of all threads, from {settle:g} s "
    "after it was ready; resident memory at the end; ready: from the start of the process to its "
    "word that it listens, the median of {starts} starts"
)
LIMITS = {"speech": 1.0, "silence": 0.3}  # percent of a core
LIMIT_MIB, LIMIT_READY_SECONDS = 80.0, 0.5


@dataclass(frozen=True)
class Contender:
    """A program that listens.

    Attributes
    ----------
    command : callable
        Gives its command line for a WAV file.
    ready : str
        What the line that it says it is ready with contains.
    """

    command: Callable[[Path], list[str]]
    ready: str


def bench_listening(seconds: float, corpora: Path | None) -> dict[str, Any]:
    """Measure listening to speech and to a quiet room.

    Parameters
    ----------
    seconds : float
        Of each sound.
    corpora : Path or None
        Where real speech is; the bundled example serves where there is none.

    Returns
    -------
    dict
        As JSON types: by program and sound ``core_percent`` and ``resident_mib``, ``ready_seconds``
        by program, ``missing`` programs with the reason, and ``targets``.

    Raises
    ------
    SerEdgeError
        When the time is too short, there is no speech, or a program ends early.
    """
    if not SETTLE_SECONDS < seconds < float("inf"):
        raise SerEdgeError(
            f"--seconds must be above {SETTLE_SECONDS:g}, after which it is measured, not "
            f"{seconds:g}"
        )
    rate = read_metadata(DEFAULT_MODEL).features.sample_rate
    contenders, missing = _contenders()
    measured: dict[str, dict[str, Any]] = {name: {} for name in contenders}
    with TemporaryDirectory() as folder:
        sounds = _sounds(Path(folder), seconds, rate, speech_clips(corpora))
        rounds = [(name, sound) for sound in sounds for name in contenders]
        for name, sound in tqdm(rounds, desc="listening", disable=None):
            measured[name][sound] = _measure(contenders[name], sounds[sound], seconds)
        for name, contender in contenders.items():
            starts = [_ready_seconds(contender, sounds["silence"]) for _ in range(N_STARTS)]
            measured[name]["ready_seconds"] = round(float(np.median(starts)), 3)
    return {
        "protocol": PROTOCOL.format(dbfs=ROOM_DBFS, settle=SETTLE_SECONDS, starts=N_STARTS),
        "seconds": seconds,
        "speech": "bundled example" if corpora is None else "RAVDESS and EmoDB",
        "programs": measured,
        "missing": missing,
        "targets": _targets(measured[OURS]),
    }


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [
        result["protocol"],
        f"{'':<20} {'% of a core':>22} {'MiB':>7} {'ready':>8}",
        f"{'':<20} {'speech':>11} {'silence':>10}",
    ]
    for name, one in result["programs"].items():
        shares = [one[sound]["core_percent"] for sound in LIMITS]
        memory, ready = one["speech"]["resident_mib"], one["ready_seconds"]
        lines.append(f"{name:<20} {shares[0]:11.2f} {shares[1]:10.2f} {memory:7.1f} {ready:6.2f} s")
    lines += [f"{name}: skipped: {why}" for name, why in result["missing"].items()]
    lines += [f"target: {name}: {outcome}" for name, outcome in result["targets"].items()]
    return "\n".join(lines)


def _contenders() -> tuple[dict[str, Contender], dict[str, str]]:
    listen = [sys.executable, "-m", "edge_runtime.cli", "listen", "--format", "none", "--realtime"]
    contenders = {
        OURS: Contender(lambda path: [*listen, "--source", str(path)], "listening to"),
    }
    python = os.environ.get(PEERS_PYTHON)
    if not python:
        return contenders, {PEER: f"{PEERS_PYTHON} names no Python that has it"}
    find = "import openwakeword, os; print(os.path.dirname(openwakeword.__file__))"
    found = subprocess.run([python, "-c", find], capture_output=True, text=True)
    if found.returncode:
        return contenders, {PEER: f"{python} has no openwakeword"}
    models = Path(found.stdout.strip()) / "resources" / "models"
    model = str(models / "hey_jarvis_v0.1.onnx")
    script = str(Path(__file__).with_name("peers_openwakeword.py"))
    contenders[PEER] = Contender(lambda path: [python, script, str(path), model], "ready")
    return contenders, {}


def _sounds(folder: Path, seconds: float, rate: int, clips: Sequence[Path]) -> dict[str, Path]:
    n_samples = int((seconds + 2.0) * rate)
    speech = np.concatenate([read_clip(path, rate) for path in clips])
    speech = np.tile(speech, n_samples // len(speech) + 1)[:n_samples]
    room = np.random.default_rng(0).normal(0.0, 10.0 ** (ROOM_DBFS / 20.0), n_samples)
    sounds = {"speech": speech, "silence": room.astype(np.float32)}
    for name, samples in sounds.items():
        _write(folder / f"{name}.wav", samples, rate)
    return {name: folder / f"{name}.wav" for name in sounds}


def _write(path: Path, samples: NDArray[np.float32], rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def _measure(contender: Contender, sound: Path, seconds: float) -> dict[str, float]:
    process, _ = _start(contender, sound)
    try:
        time.sleep(SETTLE_SECONDS)
        before, since = usage_of(process), time.monotonic()
        time.sleep(seconds - SETTLE_SECONDS)
        after, until = usage_of(process), time.monotonic()
    finally:
        process.kill()
        process.communicate()
    share = (after.cpu_seconds - before.cpu_seconds) / (until - since)
    return {
        "core_percent": round(100.0 * share, 3),
        "resident_mib": round(after.resident_bytes / MIB, 1),
    }


def _ready_seconds(contender: Contender, sound: Path) -> float:
    process, seconds = _start(contender, sound)
    process.kill()
    process.communicate()
    return seconds


def _start(contender: Contender, sound: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start it and wait until it is ready: the process and the seconds that took."""
    started = time.monotonic()
    process = subprocess.Popen(
        contender.command(sound), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    log = b""
    for line in process.stdout:
        log += line
        if contender.ready.encode() in line:
            return process, time.monotonic() - started
    raise SerEdgeError(f"{' '.join(contender.command(sound)[:3])} ended: {log.decode().strip()}")


def _targets(ours: dict[str, Any]) -> dict[str, str]:
    targets = {
        f"at most {limit:g} % of a core in {sound}": _outcome(ours[sound]["core_percent"], limit)
        for sound, limit in LIMITS.items()
    }
    memory = ours["speech"]["resident_mib"]
    targets[f"at most {LIMIT_MIB:g} MiB resident"] = _outcome(memory, LIMIT_MIB)
    ready = ours["ready_seconds"]
    targets[f"ready within {LIMIT_READY_SECONDS:g} s"] = _outcome(ready, LIMIT_READY_SECONDS)
    return targets


def _outcome(value: float, limit: float) -> str:
    return f"{'met' if value <= limit else 'missed'}, {value:g}"
