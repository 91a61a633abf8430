"""Corpora of synthesised tones under the file names of TESS and RAVDESS, and a tiny recipe.

Every emotion is a frequency of its own, so a network can learn them in seconds.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
SECONDS = 0.7
RAVDESS_CODES = tuple(f"{number:02d}" for number in range(1, 9))
TESS_CODES = ("neutral", "happy", "sad", "angry", "fear", "disgust", "ps")

RECIPE = """
name = "tiny"
architecture = "edge"
corpora = ["TESS", "RAVDESS"]
validation_speakers = ["RAVDESS-02"]
test_speakers = ["RAVDESS-03", "TESS-YAF"]
window_frames = 31
hop_seconds = 0.25
licence = "test"

[merge]
calm = "neutral"

[features]
kinds = ["mfcc"]
sample_rate = 8000
frame_length = 256
hop_length = 128
fft_size = 256
n_mels = 24
n_mfcc = 20
log_floor = 1e-6
level = "peak"

[model]
stem_channels = 8
channels = 12
kernels = [3]
dropout = 0.0

[training]
steps = 20
batch_size = 16
learning_rate = 1e-2
validation_interval = 10

[augmentation]
tempo = 0.1
warp = 0.05
tilt_db = 3.0
gain_db = 6.0
noise_db = [35.0, 80.0]
time_mask = 0.1
band_mask = 0.1
"""


def tone(emotion: int, seed: int, seconds: float = SECONDS, level: float = 0.3) -> NDArray:
    """The sound of an emotion, a little different with every seed."""
    rng = np.random.default_rng([emotion, seed])
    times = np.arange(round(RATE * seconds)) / RATE
    frequency = 200.0 * 1.35**emotion * rng.uniform(0.98, 1.02)
    swell = 1.0 + 0.3 * np.sin(2 * np.pi * rng.uniform(3.0, 6.0) * times)
    noise = rng.normal(0.0, 0.02, len(times))
    return level * (swell * np.sin(2 * np.pi * frequency * times) / 1.3 + noise)


def touch(folder: Path, *names: str) -> Path:
    """Files of which an adapter looks at nothing but the name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def write_wav(path: Path, samples: NDArray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def write_ravdess(
    folder: Path, actors: Iterable[int], codes: Iterable[str] = RAVDESS_CODES, repeats: int = 1
) -> Path:
    for actor in actors:
        for code in codes:
            for repeat in range(1, repeats + 1):
                name = f"03-01-{code}-01-01-{repeat:02d}-{actor:02d}.wav"
                sound = tone(RAVDESS_CODES.index(code), 100 * actor + repeat)
                write_wav(folder / f"Actor_{actor:02d}" / name, sound)
    return folder


def write_tess(
    folder: Path,
    words: Iterable[str] = ("back", "bar", "base", "bath", "bean"),
    codes: Iterable[str] = TESS_CODES,
    speakers: Iterable[str] = ("OAF", "YAF"),
) -> Path:
    # The frequencies of RAVDESS, where "calm" comes second and TESS's order is the same.
    frequencies = (0, 2, 3, 4, 5, 6, 7)
    for speaker_number, speaker in enumerate(speakers, start=1):
        for code in codes:
            for number, word in enumerate(words):
                sound = tone(frequencies[TESS_CODES.index(code)], 1000 * speaker_number + number)
                name = f"{speaker}_{word}_{code}.wav"
                write_wav(folder / f"{speaker}_{code}" / name, sound)
    return folder
