"""The sound that latency is measured on: speech-like, and a quiet room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.sources.sound_formats import HEAD_LENGTH

Samples = NDArray[np.float32]

SECONDS = 10.0
LONGEST_SECONDS = 60.0  # of a recording: what every measured process holds in memory
ROOM_DBFS = -70.0
SYLLABLES_PER_SECOND = 5.0
PITCH_HZ = 150.0
N_HARMONICS = 30
FORMANT_WIDTH_HZ = 200.0
FORMANT_GAINS = (1.0, 0.5, 0.25)
HISS = 0.2  # of the consonants, against the vowels
# The first three formants of six vowels in Hz, means of men (Peterson and Barney 1952).
VOWELS = np.array(
    [
        (730.0, 1090.0, 2440.0),
        (270.0, 2290.0, 3010.0),
        (530.0, 1840.0, 2480.0),
        (300.0, 870.0, 2240.0),
        (570.0, 840.0, 2410.0),
        (660.0, 1720.0, 2410.0),
    ]
)


def speech_like(sample_rate: int) -> Samples:
    """Synthesise what a gate takes for speech: gliding vowels, syllables, hissing consonants.

    Parameters
    ----------
    sample_rate : int
        Samples per second.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        10 s, in [-0.3, 0.3]; the same at every call.
    """
    rng = np.random.default_rng(0)
    n_samples = int(SECONDS * sample_rate)
    time = np.arange(n_samples) / sample_rate
    glide = 1.0 + 0.25 * np.sin(2.0 * np.pi * 0.4 * time)
    tremor = 1.0 + 0.04 * np.sin(2.0 * np.pi * 1.9 * time)
    voice = _voice(PITCH_HZ * glide * tremor, _formants(time, rng), sample_rate)
    open_mouth = np.sin(np.pi * SYLLABLES_PER_SECOND * time) ** 2
    hiss = np.diff(rng.normal(size=n_samples + 1))  # rises with frequency, as of an s
    sound = voice / np.abs(voice).max() * open_mouth
    sound += HISS * hiss / np.abs(hiss).max() * (1.0 - open_mouth) ** 4
    return np.asarray(0.3 * sound / np.abs(sound).max(), dtype=np.float32)


def quiet_room(sample_rate: int) -> Samples:
    """The faint noise of a room in which nobody speaks: 10 s, (n_samples,)."""
    noise = np.random.default_rng(1).normal(0.0, 1.0, int(SECONDS * sample_rate))
    return np.asarray(10.0 ** (ROOM_DBFS / 20.0) * noise, dtype=np.float32)


def write_pcm(samples: Samples, path: Path) -> None:
    """Write raw 16 bit samples, little-endian; the first of them silent, so that it is no header.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        In [-1, 1]; what is beyond saturates.
    path : Path
        The file.
    """
    steps = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    path.write_bytes(bytes(HEAD_LENGTH) + steps.tobytes())


def _formants(time: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Formants that glide from vowel to vowel, (3, n_samples), in Hz."""
    syllables = np.arange(int(SECONDS * SYLLABLES_PER_SECOND) + 2)
    chosen = VOWELS[rng.integers(len(VOWELS), size=len(syllables))]
    return np.stack([np.interp(time * SYLLABLES_PER_SECOND, syllables, one) for one in chosen.T])


def _voice(
    pitch: NDArray[np.float64], formants: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """Harmonics of a moving pitch, the louder the nearer to a formant."""
    phase = 2.0 * np.pi * np.cumsum(pitch) / sample_rate
    voice = np.zeros_like(pitch)
    for harmonic in range(1, N_HARMONICS):
        frequency = harmonic * pitch
        loudness = 0.02 / harmonic + sum(
            gain * np.exp(-(((frequency - formant) / FORMANT_WIDTH_HZ) ** 2))
            for gain, formant in zip(FORMANT_GAINS, formants)
        )
        voice += loudness * np.sin(harmonic * phase) * (frequency < sample_rate / 2)
    return voice
