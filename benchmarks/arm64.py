"""What a decision costs on 64-bit ARM, counted in instructions under qemu: no device is needed.

A count is no time: how many instructions a core executes in a second depends on what they are.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from benchmarks.arm64_program import GATES, NOTHING, WITH_PROFILE
from benchmarks.arm64_root import CPUS, EMULATOR, INTERPRETERS, WHEELS, Arm64Root
from benchmarks.arm64_tables import cheapest_lines, counts_table, peer_lines
from benchmarks.instruction_count.plugin import (
    build_plugin,
    emulator_version,
    plugin_options,
    read_counts,
)
from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.errors import SerEdgeError

# The bundled model before and without its quantisation; either may be absent.
MODELS = Path(__file__).with_name("models")
OTHER_MODELS = (MODELS / "edge.float32.tflite", MODELS / "edge.dynamic.tflite")
MILLION = 1e6
LIMITS = {"at most": 8.0, "the aim, at most": 4.0}  # million instructions
PROFILE_LIMIT = 0.2
JUDGED_CPU, JUDGED_INTERPRETER = "cortex-a53", "litert"
PROTOCOL = (
    "Instructions that an emulated core executes, counted by a plugin of qemu {qemu}: the mean of "
    "{hops} hops of something like speech through the listener, after as many as fill the window "
    "and make Python warm. A decision is the new frames of a hop, the window made of them, "
    "inference and what is concluded; the gate is the one that listen uses by default, or none. "
    "Each part is counted by itself, with what is counted of a call that does nothing taken off; "
    "the rest is the whole less its parts. LiteRT and tflite-runtime have one thread. A count is "
    "no time"
)


@dataclass(frozen=True)
class Subject:
    """What is counted.

    Attributes
    ----------
    cpu : str
        A CPU model of qemu.
    interpreter : str
        One of `benchmarks.arm64_root.INTERPRETERS`.
    name : str
        Of the model.
    model : Path
        Its file.
    is_peer : bool
        Whether inference alone is counted, of a model of whatever origin.
    """

    cpu: str
    interpreter: str
    name: str
    model: Path
    is_peer: bool = False

    def __str__(self) -> str:
        return f"{self.cpu} {self.interpreter} {self.name}"


def default_models() -> list[Path]:
    """The bundled model, and those of its other forms that are there."""
    return [DEFAULT_MODEL, *(path for path in OTHER_MODELS if path.exists())]


def bench_arm64(
    root: Arm64Root,
    models: Sequence[Path],
    peers: Mapping[str, Path],
    cpus: Sequence[str] = CPUS,
    interpreters: Sequence[str] = INTERPRETERS,
    n_hops: int = 32,
) -> dict[str, Any]:
    """Count what a decision costs on each kind of core, in each interpreter, with each model.

    Parameters
    ----------
    root : Arm64Root
        Where it is counted.
    models : sequence of Path
        .tflite files of ser-convert.
    peers : mapping of str to Path
        Other .tflite files by name, of which inference alone is counted.
    cpus, interpreters : sequence of str
        See `benchmarks.arm64_root`.
    n_hops : int
        How many hops are counted.

    Returns
    -------
    dict
        As JSON types, in instructions: ``counts``, for each core, interpreter and model that of
        the ``features`` (``frames`` and ``window``), ``inference`` and, by gate, of the ``gate``,
        the ``rest`` and the whole ``decision``, and what a ``profile`` adds to one (None where
        the model has no embedding); ``peers``; ``missing``, what could not be counted
        and why; ``cheapest``, by core and interpreter the models and their decisions, the
        cheapest first; and ``targets``.

    Raises
    ------
    SerEdgeError
        When a file is missing, nothing could be counted, or qemu or a C compiler is not here.
    """
    require_files([*models, *peers.values()])
    plugin = build_plugin(root.folder / "plugin", EMULATOR)
    files = [(path.name, path, False) for path in models]
    files += [(name, path, True) for name, path in peers.items()]
    subjects = [
        Subject(cpu, interpreter, name, path.resolve(), is_peer)
        for cpu in cpus
        for interpreter in interpreters
        for name, path, is_peer in files
    ]
    counted, missing = _count_all(root, plugin, subjects, n_hops)
    counts = [one for one in counted if "decision" in one]
    return {
        "protocol": PROTOCOL.format(qemu=emulator_version(EMULATOR), hops=n_hops),
        "hops": n_hops,
        "qemu": emulator_version(EMULATOR),
        "wheels": {name: list(WHEELS[name]) for name in interpreters},
        "counts": counts,
        "peers": [one for one in counted if "decision" not in one],
        "missing": missing,
        "cheapest": _cheapest(counts),
        "targets": _targets(counts),
    }


def require_files(paths: Sequence[Path]) -> None:
    """Refuse what is not there.

    Raises
    ------
    SerEdgeError
        Naming the first file that is missing.
    """
    for path in paths:
        if not path.is_file():
            raise SerEdgeError(f"{path}: there is no such file")


def as_text(result: dict[str, Any]) -> str:
    """The result for people."""
    lines = [result["protocol"], "", counts_table({"arm64": [result]}), ""]
    lines += [*cheapest_lines(result), *peer_lines(result)]
    lines += [f"{name}: not counted: {why}" for name, why in result["missing"].items()]
    lines += [f"target: {name}: {outcome}" for name, outcome in result["targets"].items()]
    return "\n".join(lines)


def _count_all(
    root: Arm64Root, plugin: Path, subjects: Sequence[Subject], n_hops: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What was counted, and why the others were not."""
    counted, missing = [], {}
    # Counts are the same however many processes share this machine.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda one: _count(root, plugin, one, n_hops), subjects)
        progress = tqdm(results, total=len(subjects), desc="counting", disable=None)
        for subject, outcome in zip(subjects, progress):
            if isinstance(outcome, str):
                missing[str(subject)] = outcome
            else:
                counted.append(outcome)
    if not counted:
        raise SerEdgeError("; ".join(f"{name}: {why}" for name, why in missing.items()))
    return counted, missing


def _count(root: Arm64Root, plugin: Path, subject: Subject, n_hops: int) -> dict[str, Any] | str:
    """Count one subject: what it takes, or why that cannot be said."""
    with TemporaryDirectory(prefix="ser-edge-arm64-") as folder:
        counts = Path(folder) / "counts"
        program = ["-P", "-m", "benchmarks.arm64_program", str(subject.model)]
        program += [subject.interpreter, str(n_hops), *(["--inference"] * subject.is_peer)]
        done = root.run(
            program,
            interpreter=subject.interpreter,
            cpu=subject.cpu,
            emulator_options=plugin_options(plugin, counts),
        )
        if done.returncode != 0:
            return _reason(done)
        told = json.loads(done.stdout)
        parts = _parts(told.pop("names"), read_counts(counts))
    where = {"cpu": subject.cpu, "interpreter": subject.interpreter, "model": subject.name}
    described = {**where, "bundled": subject.model == DEFAULT_MODEL.resolve(), **told}
    return {**described, **(parts if subject.is_peer else _split(parts))}


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stderr.strip().splitlines()
    return said[-1].removeprefix("arm64: ") if said else f"exit status {done.returncode}"


def _parts(names: list[str], counts: list[int]) -> dict[str, int]:
    """Instructions for each part, without those that any call takes."""
    if len(names) != len(counts):
        raise SerEdgeError(f"{len(names)} parts were counted {len(counts)} times")
    by_name: dict[str, list[int]] = {}
    for name, count in zip(names, counts):
        by_name.setdefault(name, []).append(count)
    nothing = statistics.median(by_name.pop(NOTHING))
    return {name: round(statistics.fmean(some) - nothing) for name, some in by_name.items()}


def _split(parts: dict[str, int]) -> dict[str, Any]:
    features = {name: parts[name] for name in ("frames", "window")}
    gates = {kind: parts[f"gate {kind}"] for kind in GATES}
    decisions = {kind: parts[f"decision, gate {kind}"] for kind in GATES}
    alike = sum(features.values()) + parts["inference"]
    return {
        "features": features,
        "inference": parts["inference"],
        "gate": gates,
        "rest": {kind: decisions[kind] - gates[kind] - alike for kind in GATES},
        "decision": decisions,
        "profile": parts[WITH_PROFILE] - decisions["off"] if WITH_PROFILE in parts else None,
    }


def _cheapest(counts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each core and interpreter the models by what a decision takes, the least first."""
    places: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in counts:
        places.setdefault((one["cpu"], one["interpreter"]), []).append(one)
    return [
        {
            "cpu": cpu,
            "interpreter": interpreter,
            "models": [
                {name: one[name] for name in ("model", "target", "inference")}
                | {"decision": one["decision"]["off"]}
                for one in sorted(some, key=lambda one: int(one["decision"]["off"]))
            ],
        }
        for (cpu, interpreter), some in places.items()
    ]


def _targets(counts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """What is aimed at with the bundled model in the interpreter that the base install brings."""
    judged = (JUDGED_CPU, JUDGED_INTERPRETER, True)
    for one in counts:
        if (one["cpu"], one["interpreter"], one["bundled"]) == judged:
            found = {
                f"{least} {limit:g} million instructions for one decision on {JUDGED_CPU}{gate}": (
                    _outcome(one["decision"][kind], limit)
                )
                for kind, gate in (("off", ""), ("energy", ", the gate included"))
                for least, limit in LIMITS.items()
            }
            if one["profile"] is not None:
                name = f"at most {PROFILE_LIMIT:g} million more with a profile on {JUDGED_CPU}"
                found[name] = _outcome(one["profile"], PROFILE_LIMIT)
            return found
    return {}


def _outcome(instructions: int, limit: float) -> str:
    met = instructions <= limit * MILLION
    return f"{'met' if met else 'missed'}, {instructions / MILLION:.2f} million"
