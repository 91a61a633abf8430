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
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(_as_integers(samples).tobytes())


def as_stored(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is read again of samples that `write_wave` wrote."""
    return np.asarray(_as_integers(samples) / np.float32(32768.0), dtype=np.float32)


def _as_integers(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.rint(samples * 32768.0), -32768, 32767), dtype="<i2")
