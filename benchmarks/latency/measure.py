"""Measures every configuration in a process of its own, round by round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine_state
from benchmarks.latency.configurations import Configuration
from benchmarks.latency.figures import figures
from benchmarks.latency.measured import Measured
from benchmarks.latency.operators import NOT_TOLD
from benchmarks.latency.sound import LONGEST_SECONDS, quiet_room, speech_like, write_pcm
from benchmarks.latency.stored import FORMAT, KIND
from benchmarks.latency.verdict import fastest, verdicts
from benchmarks.progress import shown
from edge_runtime import __version__, hardware
from edge_runtime.errors import SerEdgeError
from edge_runtime.gates import make_gate
from edge_runtime.sources import read_clip

STARTS = 3
HOPS_PER_ROUND, QUIET_HOPS_PER_ROUND = 40, 10
MIB = 1024 * 1024
PROTOCOL = (
    "Each model file, back end and number of threads in a process of its own, in {rounds} rounds "
    "that take turns, of {hops} hops timed whole, as many timed by stage (fewer of either where "
    "they take more than 0.2 s), and {quiet} in a quiet room; hops follow each other without the "
    "pauses of real time, so caches and clock are warm. "
    "Numpy has as many threads as the back end. A hop: 16 bit samples in blocks of 0.1 s through "
    "edge_runtime.listener.Listener with the gate 'energy', while it is open and the window is "
    "classified. Whole: from the hop's first block to its events, nothing in between. The stages "
    "are of other hops, alternating with those, in which two calls are wrapped; they share every "
    "nanosecond of a hop among them. Capture: samples to float32, checked and kept until the hop "
    "is full (reading the sound card itself is not in it). Gate: its share of the hop's sound. "
    "Features: joining the sound, the new frames, the window's level and mean, standardising. "
    "Inference: the back end, with quantising the input and dequantising the scores. Decision: "
    "calibration, smoothing, the decision, and making the hop's record and events. Share of a "
    "core: processor time of all threads of the process during the hops timed whole, by the "
    "length of their sound. Ready: from the start of the process until model and listener are "
    "made, {starts} starts; first: the first inference, and the first hop that is classified, of "
    "each start. Memory: resident, of the process with model and listener, without microphone and "
    "outputs, at the end (steady) and at most (peak)"
)


def bench_latency(
    chosen: Sequence[Configuration],
    missing: dict[str, str],
    hop_seconds: float | None,
    rounds: int,
    sound: Path | None,
) -> dict[str, Any]:
    """Measure configurations side by side.

    Parameters
    ----------
    chosen : sequence of Configuration
        What to measure.
    missing : dict of str to str
        What is known not to be measurable, with the reason; what turns out so is added.
    hop_seconds : float or None
        Time between decisions; each model's own when None.
    rounds : int
        How many, at least 1.
    sound : Path or None
        A recording of speech, of which the first minute is used; synthesised when None.

    Returns
    -------
    dict
        As JSON types; see `benchmarks.latency.figures.figures` for each configuration.

    Raises
    ------
    SerEdgeError
        When none can be measured, the sound holds no speech, or memory is short.
    """
    missing = dict(missing)
    before = machine_state.state()
    during: list[int | None] = []
    with TemporaryDirectory(prefix="ser-bench-") as folder:
        sounds = _sounds(Path(folder), chosen, sound)
        with _started(chosen, sounds, hop_seconds, missing) as measured:
            for number in shown(range(rounds), "measuring"):
                for one in _rotated(measured, number):
                    one.round()
                during.append(machine_state.throttled())
            after = machine_state.state()
            configurations = [figures(one.finish()) for one in measured]
    machine = machine_state.describe()
    return {
        "kind": KIND,
        "format": FORMAT,
        "protocol": PROTOCOL.format(
            rounds=rounds, hops=HOPS_PER_ROUND, quiet=QUIET_HOPS_PER_ROUND, starts=STARTS
        ),
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "ser_edge": __version__,
        "sound": "synthesised" if sound is None else sound.name,
        "rounds": rounds,
        "machine": machine,
        "before": before,
        "after": after,
        "warnings": machine_state.warnings(before, after, during, machine["cores"]),
        "configurations": configurations,
        "fastest": fastest(configurations),
        "verdicts": verdicts(configurations),
        "no_operators": {
            one["backend"]: NOT_TOLD for one in configurations if one["operators"] is None
        },
        "missing": missing,
    }


def _sounds(
    folder: Path, chosen: Sequence[Configuration], sound: Path | None
) -> dict[int, dict[str, str]]:
    """Files of raw samples, speech and room, for each rate that a model asks for."""
    sounds = {}
    for rate in {one.metadata.features.sample_rate for one in chosen}:
        speech = speech_like(rate) if sound is None else _recording(sound, rate)
        sounds[rate] = {name: str(folder / f"{name}-{rate}.pcm") for name in ("speech", "room")}
        write_pcm(speech, Path(sounds[rate]["speech"]))
        write_pcm(quiet_room(rate), Path(sounds[rate]["room"]))
    return sounds


def _recording(sound: Path, rate: int) -> NDArray[np.float32]:
    speech = read_clip(sound, rate)[: int(LONGEST_SECONDS * rate)]
    gate = make_gate("energy", rate)
    for start in range(0, len(speech), rate):
        gate.push(speech[start : start + rate])
        if gate.is_open:
            return speech
    raise SerEdgeError(f"{sound}: the gate hears no speech in it; name a recording of speech")


@contextmanager
def _started(
    chosen: Sequence[Configuration],
    sounds: dict[int, dict[str, str]],
    hop_seconds: float | None,
    missing: dict[str, str],
) -> Iterator[list[Measured]]:
    """Start every configuration several times; the last of its processes stays."""
    running = {one: Measured(one, _task(one, sounds, hop_seconds)) for one in chosen}
    try:
        for number, one in shown([(n, one) for n in range(STARTS) for one in chosen], "starting"):
            if one not in running:
                continue
            try:
                running[one].start()
            except SerEdgeError as error:
                missing[one.pair] = str(error)
                del running[one]
                continue
            if number == 0:
                _require_memory(running[one], len(chosen))
            if number < STARTS - 1:
                running[one].close()
        if not running:
            raise SerEdgeError("; ".join(f"{what}: {why}" for what, why in missing.items()))
        yield list(running.values())
    finally:
        for measured in running.values():
            measured.close()


def _rotated(measured: list[Measured], number: int) -> list[Measured]:
    """Begin each round with another one."""
    first = number % len(measured)
    return [*measured[first:], *measured[:first]]


def _require_memory(one: Measured, n_processes: int) -> None:
    """Refuse what would drive a small machine into its swap."""
    own, memory = one.own_mib, hardware.memory_bytes()
    if own is None or memory is None:
        return
    needed, available = own * n_processes, memory[1] / MIB
    if needed > available:
        raise SerEdgeError(
            f"{n_processes} configurations side by side need about {needed:.0f} MB, and "
            f"{available:.0f} can be had: name fewer models, or one number of --threads"
        )


def _task(
    configuration: Configuration, sounds: dict[int, dict[str, str]], hop_seconds: float | None
) -> dict[str, Any]:
    return {
        "model": str(configuration.path.resolve()),
        "backend": configuration.backend,
        "threads": configuration.threads,
        "hop_seconds": hop_seconds,
        "hops": HOPS_PER_ROUND,
        "quiet_hops": QUIET_HOPS_PER_ROUND,
        **sounds[configuration.metadata.features.sample_rate],
    }
