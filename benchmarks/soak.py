"""Hours of sound through the whole daemon, faster than real time: what grows, what gets lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.child_process import Usage, usage_of
from benchmarks.soundscape import soundscape, speech_clips
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError
from edge_runtime.metadata import read_metadata

MIB = 1024.0 * 1024.0
SAMPLES_PER_HOUR = 6  # how often an hour of sound is measured
SETTLED_HOURS = 1.0
GROWTH_LIMIT_MIB = 1.0  # after the first hour
ROTATE_BYTES = 5_000_000
PROTOCOL = (
    "Speech, silence and noise in turn, segments of 2 to 30 s, as raw PCM through a pipe into "
    "`ser-edge listen`, which writes every event to a rotated JSONL file. Memory, descriptors and "
    "threads as the kernel counts them, {per_hour} times an hour of sound; growth is the greatest "
    "after the first hour less that at its end"
)


def bench_soak(hours: float, corpora: Path | None, seed: int = 0) -> dict[str, Any]:
    """Push sound through a daemon and watch it.

    Parameters
    ----------
    hours : float
        Of sound.
    corpora : Path or None
        Where real speech is; the bundled example serves where there is none.
    seed : int
        Of the sound.

    Returns
    -------
    dict
        As JSON types: ``readings`` with ``hours`` of sound, ``resident_mib``, ``descriptors``,
        ``threads``; ``events``, ``latency_ms`` as percentiles for the first and the last tenth of
        the events, ``sound_lost``, ``times_real_time``, and ``targets``.

    Raises
    ------
    SerEdgeError
        When the time is too short for a reading, or the daemon ends early.
    """
    least = 1.0 / SAMPLES_PER_HOUR
    if not least < hours < float("inf"):
        raise SerEdgeError(f"--hours must be above {least:.2f}, for one reading, not {hours:g}")
    rate = read_metadata(DEFAULT_MODEL).features.sample_rate
    with TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        process = _start(events)
        started = time.monotonic()
        readings: list[dict[str, float]] = []
        latency = _Latency(events)
        try:
            _push(process, hours, rate, speech_clips(corpora), seed, readings, latency)
            assert process.stdin is not None
            process.stdin.close()
            log = process.stderr.read().decode() if process.stderr else ""
            if process.wait() != 0:
                raise SerEdgeError(f"ser-edge listen ended with {process.returncode}: {log}")
        finally:
            process.kill()
        latency.read()
    return _result(hours, seed, corpora, readings, latency, log, time.monotonic() - started)


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [result["protocol"], f"{'hours':>6} {'MiB':>8} {'descriptors':>12} {'threads':>8}"]
    shown = result["readings"][:: max(1, len(result["readings"]) // 24)]
    lines += [
        f"{reading['hours']:6.2f} {reading['resident_mib']:8.2f} "
        f"{reading['descriptors']:12d} {reading['threads']:8d}"
        for reading in [*shown, result["readings"][-1]]
    ]
    for when, figures in result["latency_ms"].items():
        lines.append(f"latency of the {when} tenth of events: p50 {figures['p50']} ms")
    lines.append(f"{result['events']} events, {result['times_real_time']:.0f} times real time")
    lines += [f"target: {name}: {outcome}" for name, outcome in result["targets"].items()]
    return "\n".join(lines)


class _Latency:
    """Latencies out of a JSONL file that is rotated while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self.values: list[float] = []

    def read(self) -> None:
        """Read the events that were written since, unless their file is gone already."""
        while True:
            if self._file is None:
                if not self._path.exists():
                    return
                self._file = self._path.open(encoding="utf-8")
            for line in self._file:
                self.values.append(json.loads(line)["latency_ms"])
            if not self._was_rotated():
                return
            self._file.close()
            self._file = None

    def _was_rotated(self) -> bool:
        try:
            return os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino
        except FileNotFoundError:
            return False


def _start(events: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "edge_runtime.cli", "listen", "--source", "-"]
    command += ["--format", "none", "--jsonl-file", str(events)]
    command += ["--jsonl-max-bytes", str(ROTATE_BYTES)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)


def _push(
    process: subprocess.Popen[bytes],
    hours: float,
    rate: int,
    clips: list[Path],
    seed: int,
    readings: list[dict[str, float]],
    latency: _Latency,
) -> None:
    assert process.stdin is not None
    step, pushed = int(3600 * rate / SAMPLES_PER_HOUR), 0
    progress = tqdm(total=round(hours, 2), unit="h", desc="soak", disable=None)
    for sound in soundscape(hours * 3600.0, rate, clips, seed):
        try:
            process.stdin.write(_pcm(sound))
        except BrokenPipeError:
            log = process.stderr.read().decode() if process.stderr else ""
            raise SerEdgeError(f"ser-edge listen ended early: {log.strip()}") from None
        before, pushed = pushed // step, pushed + len(sound)
        progress.update(len(sound) / rate / 3600.0)
        if pushed // step > before:
            latency.read()
            readings.append(_reading(pushed / rate / 3600.0, usage_of(process)))
    progress.close()


def _pcm(sound: NDArray[np.float32]) -> bytes:
    return np.asarray(np.rint(sound * 32767.0), dtype="<i2").tobytes()


def _reading(hours: float, usage: Usage) -> dict[str, float]:
    return {
        "hours": round(hours, 3),
        "resident_mib": round(usage.resident_bytes / MIB, 3),
        "descriptors": usage.descriptors,
        "threads": usage.threads,
    }


def _result(
    hours: float,
    seed: int,
    corpora: Path | None,
    readings: list[dict[str, float]],
    latency: _Latency,
    log: str,
    seconds: float,
) -> dict[str, Any]:
    lost = [line for line in log.splitlines() if "lost" in line]
    settled = [one for one in readings if one["hours"] >= SETTLED_HOURS] or readings
    growth = max(one["resident_mib"] for one in settled) - settled[0]["resident_mib"]
    tenth = max(1, len(latency.values) // 10)
    return {
        "protocol": PROTOCOL.format(per_hour=SAMPLES_PER_HOUR),
        "hours": hours,
        "seed": seed,
        "speech": "bundled example" if corpora is None else "RAVDESS and EmoDB",
        "readings": readings,
        "events": len(latency.values),
        "latency_ms": {
            "first": _percentiles(latency.values[:tenth]),
            "last": _percentiles(latency.values[-tenth:]),
        },
        "sound_lost": lost,
        "times_real_time": round(hours * 3600.0 / seconds, 1),
        "growth_mib": round(growth, 3),
        "targets": {
            f"resident memory grows by less than {GROWTH_LIMIT_MIB:g} MiB after the first hour": (
                f"{'met' if growth < GROWTH_LIMIT_MIB else 'missed'}, {growth:.2f}"
            ),
            "no sound or event is lost": "missed" if lost else "met",
            "descriptors stay the same": (
                "met" if len({one["descriptors"] for one in settled}) == 1 else "missed"
            ),
        },
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{p}": round(float(np.percentile(values, p)), 3) for p in (50, 90, 99)}
