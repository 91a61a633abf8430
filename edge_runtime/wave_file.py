"""Writes sound as a WAV file."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_wave(path: Path, samples: NDArray[np.float32], sample_rate: int) -> None:
    """Write mono samples, (n_samples,), in [-1, 1] as 16 bit PCM; what is beyond is clipped.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    scaled = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(scaled.tobytes())
