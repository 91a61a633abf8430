"""Endless sound for soaks: speech, silence and noise in turn, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import SerEdgeError
from edge_runtime.sources.clip import read_clip

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "demo.wav"
SUFFIXES = {".wav", ".flac"}  # as the two are distributed, or repacked
N_CLIPS = 60
SEGMENT_SECONDS = (2.0, 30.0)
SHARES = {"speech": 0.4, "silence": 0.4, "noise": 0.2}
ROOM_DBFS = (-75.0, -60.0)  # of what is not speech, where nothing is played
NOISE_DBFS = (-50.0, -25.0)
Samples = NDArray[np.float32]


def soundscape(
    seconds: float, sample_rate: int, clips: Sequence[Path], seed: int
) -> Iterator[Samples]:
    """Give sound, segment by segment.

    Parameters
    ----------
    seconds : float
        How much.
    sample_rate : int
        Samples per second.
    clips : sequence of Path
        Sound files that hold speech.
    seed : int
        Of the order, lengths and levels.

    Yields
    ------
    ndarray of float32, shape (n_samples,)
        A segment of speech, silence (the faint noise of a room) or noise, 2 to 30 s.
    """
    rng = np.random.default_rng(seed)
    speech = [read_clip(path, sample_rate) for path in clips]
    left = int(seconds * sample_rate)
    while left > 0:
        kind = rng.choice(list(SHARES), p=list(SHARES.values()))
        length = min(left, int(rng.uniform(*SEGMENT_SECONDS) * sample_rate))
        yield _segment(kind, length, speech, rng)
        left -= length


def speech_clips(corpora: Path | None) -> list[Path]:
    """Choose utterances of real speech, or the bundled example where there are no corpora.

    Raises
    ------
    SerEdgeError
        When there are corpora, but neither RAVDESS nor EmoDB.
    """
    if corpora is None:
        return [EXAMPLE]
    found = sorted(
        path
        for name in ("RAVDESS", "EmoDB")
        for path in (corpora / name).rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise SerEdgeError(
            f"{corpora}: no RAVDESS or EmoDB recordings below it; without --corpora and "
            "SER_EDGE_CORPORA the bundled example is played"
        )
    chosen = np.random.default_rng(0).permutation(len(found))[:N_CLIPS]
    return [found[index] for index in sorted(chosen)]


def _segment(
    kind: str, length: int, speech: Sequence[Samples], rng: np.random.Generator
) -> Samples:
    level = rng.uniform(*(NOISE_DBFS if kind == "noise" else ROOM_DBFS))
    sound = rng.normal(0.0, 10.0 ** (level / 20.0), length).astype(np.float32)
    start = 0
    while kind == "speech" and start < length:
        clip = speech[int(rng.integers(len(speech)))][: length - start]
        sound[start : start + len(clip)] += clip
        start += len(clip)
    return np.clip(sound, -1.0, 1.0)
