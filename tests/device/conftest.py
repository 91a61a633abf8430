"""Fixtures of the tests that need a device's surroundings."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ..edge_runtime.conftest import synthesise_speech
from .virtual_microphone import VirtualMicrophone, missing

SENTENCE = "The postman brought a letter this morning, and I have waited for it so very long."


@pytest.fixture(scope="session")
def virtual_microphone() -> Iterator[VirtualMicrophone]:
    """A microphone for child processes: give them ``env``, and ``play(path)`` into it."""
    lacking = missing()
    if lacking:
        pytest.skip(f"no virtual microphone: {lacking}")
    # Not below pytest's folder: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ser-edge-mic-") as folder:
        microphone = VirtualMicrophone(Path(folder))
        try:
            yield microphone
        finally:
            microphone.close()


@pytest.fixture(scope="session")
def speech() -> Callable[..., np.ndarray]:
    """Makes samples that a model takes for speech: ``speech(seconds)``."""
    return synthesise_speech


@pytest.fixture(scope="session")
def speech_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV file of some seconds of speech, from espeak-ng or else speech-like."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    if shutil.which("espeak-ng"):
        subprocess.run(["espeak-ng", "-w", str(path), SENTENCE], check=True)
        return path
    rate = 22050
    time = np.arange(4 * rate) / rate
    pitch = np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / rate
    voice = sum(np.sin(2 * np.pi * n * pitch) / n for n in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, None)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((6000 * voice * syllables).astype("<i2").tobytes())
    return path
