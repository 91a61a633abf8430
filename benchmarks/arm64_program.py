"""What is counted under qemu: whole decisions and their parts, between marks.

It runs in the Python of the emulated device, with nothing but numpy and a TFLite interpreter
beside the runtime; `benchmarks.arm64` starts it, and reads what the plugin counted between marks.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.random_clips import random_clips
from edge_runtime.backends import load_backend
from edge_runtime.classifier import Classifier
from edge_runtime.errors import SerEdgeError
from edge_runtime.features import FrameStream, window_features
from edge_runtime.gates import make_gate
from edge_runtime.listener import FrameRing, Listener
from edge_runtime.metadata import EMBEDDING
from edge_runtime.profiles.making import make_profile
from edge_runtime.program import run_program

Samples = NDArray[np.float32]
# By the name of a part: what is called, and with what, one after the other.
Parts = dict[str, tuple[Callable[[Any], Any], Sequence[Any]]]
NOTHING = "nothing"
GATES = ("energy", "off")  # what listen uses by default, and none
WITH_PROFILE = "decision, gate off, profile"
CLIPS = 5  # of each emotion in the profile
# Calls after which Python has specialised its code and every buffer is there.
LEAST_WARM = 16


def count_parts(parts: Parts, n_counted: int) -> list[str]:
    """Call each part with its arguments, the last of them between marks.

    Returns
    -------
    list of str
        For every pair of marks, in order, the part between them.
    """
    names = []
    for name, (call, arguments) in parts.items():
        for argument in arguments[:-n_counted]:
            call(argument)
        # A collection would fall on some calls and not on others.
        gc.collect()
        gc.disable()
        for argument in arguments[-n_counted:]:
            _mark()
            call(argument)
            _mark()
        gc.enable()
        names += [name] * n_counted
    return names


def _mark() -> None:
    """Make the plugin write down how many instructions there were so far."""
    os.getsid(0)


def _nothing(argument: Any) -> None:
    """What is counted between marks whatever is called."""


def count_model(path: Path, backend: str, n_hops: int) -> dict[str, Any]:
    """Count decisions on a stream, hop by hop, and their parts."""
    classifier = Classifier(path, backend)
    metadata = classifier.metadata
    config = metadata.features
    listeners = {kind: _listener(classifier, kind) for kind in GATES}
    gates = {kind: make_gate(kind, config.sample_rate) for kind in GATES}
    hop_seconds = listeners["off"].hop_seconds
    hop_length = round(hop_seconds * config.sample_rate)
    n_warm = LEAST_WARM + math.ceil(config.samples_for(metadata.window_frames) / hop_length)
    hops = np.split(voice((n_warm + n_hops) * hop_length, config.sample_rate), n_warm + n_hops)
    stream = FrameStream(classifier.extractor)
    ring = FrameRing(metadata.window_frames, config.frame_dim + 1)

    def frames(hop: Samples) -> None:
        ring.push(stream.push(hop))

    def window(frames: Samples) -> Samples:
        return metadata.standardise(window_features(config, frames))

    for hop in hops[:n_warm]:
        frames(hop)
    same_window = [ring.window.copy()] * len(hops)
    same_input = [window(same_window[0])] * len(hops)
    parts: Parts = {
        NOTHING: (_nothing, hops),
        **{f"decision, gate {kind}": (listeners[kind].push, hops) for kind in GATES},
        **{f"gate {kind}": (gates[kind].push, hops) for kind in GATES},
        "frames": (frames, hops),
        "window": (window, same_window),
        "inference": (classifier.backend.run, same_input),
    }
    if EMBEDDING in metadata.outputs:
        parts[WITH_PROFILE] = (_listener(_enrolled(path, backend), "off").push, hops)
    names = count_parts(parts, n_hops)
    if gates["energy"].open_seconds < (n_hops + 1) * hop_seconds:
        raise SerEdgeError("the gate was not open all the time, so not all hops were classified")
    return {
        "names": names,
        "backend": f"{classifier.backend.name} {classifier.backend.version}",
        "target": metadata.provenance.get("conversion", {}).get("target", ""),
        "hop_seconds": hop_seconds,
        "new_frames": round(hop_length / config.hop_length),
    }


def _listener(classifier: Classifier, gate: str) -> Listener:
    return Listener(classifier, gate=make_gate(gate, classifier.metadata.features.sample_rate))


def _enrolled(path: Path, backend: str) -> Classifier:
    """The model with a profile of every emotion."""
    classifier = Classifier(path, backend)
    clips, labels = random_clips(classifier, CLIPS), classifier.metadata.labels
    classifier.use(make_profile("somebody", classifier, clips, labels))
    return classifier


def count_inference(path: Path, backend: str, n_runs: int) -> dict[str, Any]:
    """Count the inference of a model that need not be one of ser-edge's."""
    loaded = load_backend(path, backend)
    values = np.random.default_rng(0).normal(size=loaded.input_shape).astype(np.float32)
    arguments = [values] * (LEAST_WARM + n_runs)
    parts: Parts = {NOTHING: (_nothing, arguments), "inference": (loaded.run, arguments)}
    return {"names": count_parts(parts, n_runs), "backend": f"{loaded.name} {loaded.version}"}


def voice(n_samples: int, sample_rate: int) -> Samples:
    """Give something like speech: vowels on a gliding pitch, four syllables a second."""
    seconds = np.arange(n_samples) / sample_rate
    pitch = 150.0 + 30.0 * np.sin(2.0 * np.pi * 0.7 * seconds)
    formant = 600.0 + 250.0 * np.sin(2.0 * np.pi * 1.3 * seconds)
    phase = 2.0 * np.pi * np.cumsum(pitch) / sample_rate
    sound = np.zeros(n_samples)
    for harmonic in range(1, 25):
        away = (harmonic * pitch - formant) / 200.0
        sound += (0.02 + 1.0 / (1.0 + away**2)) * np.sin(harmonic * phase)
    sound *= 0.55 + 0.45 * np.sin(2.0 * np.pi * 4.0 * seconds)
    sound *= 0.1 / np.sqrt(np.mean(np.square(sound)))
    sound += 0.001 * np.random.default_rng(0).normal(size=n_samples)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m benchmarks.arm64_program`` and return its exit status."""
    return run_program("arm64", _parser, argv)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.arm64_program",
        description="Work between marks that a plugin of qemu counts at.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("backend", metavar="BACKEND")
    parser.add_argument("hops", type=int, metavar="N", help="how many are counted")
    parser.add_argument("--inference", action="store_true", help="count nothing else")
    parser.set_defaults(work=_work)
    return parser


def _work(arguments: argparse.Namespace) -> int:
    count = count_inference if arguments.inference else count_model
    print(json.dumps(count(arguments.model, arguments.backend, arguments.hops)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
