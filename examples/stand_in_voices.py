"""Stand-ins for recordings of speakers, so that the notebooks have something to learn from.

They are no speech: a buzz with three formants in syllables. Its pitch, loudness of the high
frequencies and pace differ between emotions about as those of people do, but far more reliably, so
what a notebook learns from them says nothing about how well it would do on voices.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16000
SECONDS = 1.4
FORMANTS = (500.0, 1500.0, 2500.0)  # of a speaker with the pitch that is usual, in Hz
USUAL_PITCH = 160.0
HIGHEST = 3500.0  # harmonic of a neutral voice; others are higher, but below half the rate


class Manner(NamedTuple):
    """How an emotion sounds, beside the speaker's own voice."""

    pitch: float  # times the speaker's own
    swing: float  # share of the pitch by which it rises and falls
    tilt: float  # how fast harmonics grow weaker
    pace: float  # syllables in a second


MANNERS = {
    "neutral": Manner(pitch=1.0, swing=0.05, tilt=1.3, pace=3.2),
    "happy": Manner(pitch=1.4, swing=0.25, tilt=1.0, pace=4.2),
    "sad": Manner(pitch=0.85, swing=0.03, tilt=1.9, pace=2.2),
    "angry": Manner(pitch=1.2, swing=0.12, tilt=0.5, pace=5.0),
}


def write_voice(folder: Path, pitch: float, count: int, speaker: str = "") -> None:
    """Write recordings of one stand-in, ``folder/LABEL/SPEAKER/NUMBER.wav``.

    Parameters
    ----------
    folder : Path
        Where the folders of the labels are, or will be.
    pitch : float
        Of the speaker, in Hz.
    count : int
        How many recordings of each emotion.
    speaker : str
        Whose folder they go into; by default there is none, and they lie in that of the label.
    """
    for label in MANNERS:
        place = folder / label / speaker
        place.mkdir(parents=True, exist_ok=True)
        for number in range(1, count + 1):
            soundfile.write(place / f"{number:02d}.wav", voice(label, pitch, number), RATE)


def voice(label: str, pitch: float, number: int) -> NDArray[np.float64]:
    """Synthesise one recording.

    Parameters
    ----------
    label : str
        The emotion, one of `MANNERS`.
    pitch : float
        Of the speaker, in Hz; the formants follow from it.
    number : int
        Each is a little different.

    Returns
    -------
    ndarray of float, shape (n_samples,)
        Samples in [-1, 1] at `RATE`.
    """
    manner = MANNERS[label]
    rng = np.random.default_rng([zlib.crc32(label.encode()), round(pitch), number])
    times = np.arange(round(RATE * SECONDS)) / RATE
    sway = np.sin(2 * np.pi * rng.uniform(0.8, 1.4) * times + rng.uniform(0.0, 2 * np.pi))
    frequency = pitch * manner.pitch * rng.uniform(0.94, 1.06) * (1.0 + manner.swing * sway)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    formants = np.array(FORMANTS) * (pitch / USUAL_PITCH) ** 0.3 * rng.uniform(0.9, 1.1, 3)
    tilt = manner.tilt + rng.normal(0.0, 0.12)
    sound: NDArray[np.float64] = np.zeros(len(times))
    for harmonic in range(1, int(HIGHEST / pitch) + 1):
        nearness = np.exp(-(((harmonic * pitch - formants) / 250.0) ** 2)).sum()
        sound += (0.2 + nearness) * harmonic**-tilt * np.sin(harmonic * phase)
    pace = manner.pace * rng.uniform(0.85, 1.15)
    syllables = np.clip(np.sin(2 * np.pi * pace * times), 0.0, None) ** 0.5
    noise = rng.normal(0.0, 0.003, len(times))
    spoken: NDArray[np.float64] = 0.5 * syllables * sound / np.abs(sound).max()
    return spoken + noise
