"""Writes sound as a WAV file."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_wave(path: Path, samples: NDArray[np.float32], sample_rate: int, mode: int) -> None:
    """Write mono samples as 16 bit PCM.

    Parameters
    ----------
    path : Path
        The file; what it held is overwritten.
    samples : ndarray of float32, shape (n_samples,)
        In [-1, 1]; what is beyond is clipped.
    sample_rate : int
        Samples per second.
    mode : int
        Who may read and write the file, where it is new: sound tells who said what.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(_as_integers(samples).tobytes())


def as_stored(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is read again of samples that `write_wave` wrote."""
    return np.asarray(_as_integers(samples) / np.float32(32768.0), dtype=np.float32)


def _as_integers(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.asarray(np.clip(np.rint(samples * 32768.0), -32768, 32767), dtype="<i2")
