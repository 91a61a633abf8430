"""A corpus of one's own, cut from the bundled example, with noise and rooms beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.classifier import DEFAULT_MODEL
from edge_runtime.metadata import read_metadata, write_metadata
from edge_runtime.sources.clip import read_clip

from ..train.tones import write_wav

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
DATA = "folder:voices"
SPEAKERS = ("anna", "ben")
# The last two are no labels of the bundled model; calm counts as neutral.
LABELS = ("angry", "sad", "calm", "boredom")
CLIP_SECONDS = 2.5


def example() -> np.ndarray:
    """The bundled recording of speech, 12 s."""
    return read_clip(ROOT / "examples" / "demo.wav", RATE)


def write_voices(folder: Path) -> Path:
    """Two speakers with one utterance of each emotion."""
    sound = example()
    n_samples = int(CLIP_SECONDS * RATE)
    starts = np.linspace(0, len(sound) - n_samples, len(LABELS) * len(SPEAKERS)).astype(int)
    for number, start in enumerate(starts):
        label, speaker = LABELS[number % len(LABELS)], SPEAKERS[number // len(LABELS)]
        path = folder / "voices" / label / speaker / "one.wav"
        write_wav(path, sound[start : start + n_samples], RATE)
    return folder


def write_surroundings(folder: Path) -> Path:
    """Every noise that is asked for, rain in two clips, and two rooms."""
    rng = np.random.default_rng(0)
    noise = folder / "noise"
    for name in (
        "JonBoley-noises/babble",
        "JonBoley-noises/factory1",
        "JonBoley-noises/volvo",
        "ESC-10/002_-_Rain/1-1-A",
        "ESC-10/002_-_Rain/5-2-A",
        "speech_commands_background/doing_the_dishes",
    ):
        sound = rng.normal(0.0, 0.1, RATE) * (1.0 + 0.5 * np.sin(np.arange(RATE) / 500.0))
        write_wav(noise / f"{name}.wav", sound, RATE)
    for name, delay in (("near", 40), ("far", 700)):
        response = np.zeros(4000)
        response[delay:] = rng.normal(0.0, 0.02, 4000 - delay) * np.exp(
            -np.arange(4000 - delay) / 900
        )
        response[delay] = 0.9
        write_wav(folder / "rir" / f"{name}.wav", response, RATE)
    return folder


def model_that_says(path: Path, **provenance: Any) -> Path:
    """The bundled model with another provenance."""
    path.write_bytes(DEFAULT_MODEL.read_bytes())
    write_metadata(path, replace(read_metadata(path), provenance=provenance))
    return path


def speakers(**parts: list[str]) -> dict[str, list[str]]:
    """The speakers of a provenance, by their short names."""
    return {
        part: [f"{DATA}-{name}" for name in parts.get(part, [])]
        for part in ("train", "validation", "test")
    }
