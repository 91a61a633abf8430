"""The same model file in every interpreter, on this machine and on aarch64."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arm64_root import CHECKOUT, Arm64Root
from edge_runtime import Classifier, SerEdgeError
from edge_runtime.backends import quantise
from edge_runtime.features import window_features
from edge_runtime.sources import AudioFile

from .single_operators import take_apart

DEMO = CHECKOUT / "examples" / "demo.wav"
PROGRAM = Path(__file__).with_name("answer.py")
HERE = "litert"
# Cortex-A53 is a Raspberry Pi 3 or Zero 2 W; Cortex-A76, with dot-product kernels, a Pi 5.
LITERT_ON_ARM = ("litert cortex-a53", "litert cortex-a76")
TFLITE_RUNTIME = ("tflite-runtime", "tflite-runtime cortex-a53", "tflite-runtime cortex-a76")
OTHERS = (*LITERT_ON_ARM, *TFLITE_RUNTIME)
ON_ARM = (*LITERT_ON_ARM, *TFLITE_RUNTIME[1:])
N_WINDOWS = 16  # of speech, and as many of noise
N_TAKEN_APART = 4


def arm64() -> Arm64Root:
    """The user land, or the test is skipped."""
    try:
        return Arm64Root()
    except SerEdgeError as error:
        pytest.skip(str(error))


class Subject:
    """A model with windows to run it on, and what the interpreters made of them so far."""

    def __init__(self, model: Path, folder: Path) -> None:
        self._folder = folder
        (folder / "operators").mkdir()
        shutil.copy(model, folder / "model.tflite")
        classifier = Classifier(model)
        sound = np.concatenate(
            list(AudioFile(DEMO, classifier.metadata.features.sample_rate).chunks())
        )
        windows = _windows(classifier, sound)
        steps = _steps(model, windows)
        np.save(folder / "sound.npy", sound)
        np.save(folder / "windows.npy", windows)
        np.save(folder / "steps.npy", steps)
        some = steps[:: len(steps) // N_TAKEN_APART]
        take_apart(model, some, folder / "operators")
        self.operators = sorted(path.stem for path in folder.glob("operators/*.tflite"))

    def answers(self, where: str) -> dict[str, np.ndarray]:
        """What an interpreter says, computed once: an interpreter's name and perhaps a CPU's."""
        output = self._folder / f"{where}.npz"
        if not output.exists():
            interpreter, _, cpu = where.partition(" ")
            program = [str(PROGRAM), str(self._folder), str(output)]
            if cpu:
                done = arm64().run(program, interpreter=interpreter, cpu=cpu)
            else:
                done = _run_here(interpreter, program)
            assert done.returncode == 0, done.stderr
        with np.load(output) as archive:
            return {name: archive[name] for name in archive.files}

    def steps_apart(self, where: str, what: str, than: str = HERE) -> np.ndarray:
        """How many int8 steps an interpreter is from another, by default LiteRT right here."""
        one, other = self.answers(than)[what], self.answers(where)[what]
        return np.abs(one.astype(int) - other.astype(int))


def _run_here(interpreter: str, program: list[str]) -> subprocess.CompletedProcess[str]:
    python = sys.executable
    if interpreter != HERE:
        # The two cannot share a process, nor their numpy.
        python = os.environ.get("SER_EDGE_TFLITE_PYTHON", "")
        if not python:
            pytest.skip("SER_EDGE_TFLITE_PYTHON is not set; `make test` sets it")
    return subprocess.run(
        [python, *program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        check=False,
    )


def _windows(classifier: Classifier, sound: np.ndarray) -> np.ndarray:
    """Windows of speech and as many of noise of all levels, standardised."""
    metadata = classifier.metadata
    frames = classifier.extractor.frames(sound)
    starts = np.linspace(0, len(frames) - metadata.window_frames, N_WINDOWS).astype(int)
    pieces = [frames[start : start + metadata.window_frames] for start in starts]
    speech = [metadata.standardise(window_features(metadata.features, piece)) for piece in pieces]
    rng = np.random.default_rng(7)
    levels = rng.uniform(0.3, 3.0, size=(N_WINDOWS, 1, 1))
    noise = levels * rng.normal(size=(N_WINDOWS, *metadata.input_shape))
    return np.concatenate([np.stack(speech), noise]).astype(np.float32)


def _steps(model: Path, windows: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    (given,) = Interpreter(str(model)).get_input_details()
    return quantise(windows, *given["quantization"], given["dtype"])
