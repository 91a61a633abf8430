"""A folder in which the documents' commands do in seconds what they do to readers in hours."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ..train.tones import RATE, RAVDESS_CODES, RECIPE, tone, write_ravdess, write_tess, write_wav
from .documents import ROOT

SPEAKERS = ("anna", "ben", "cleo")
LABELS = ("happy", "sad", "angry")
# Recipes that a command names, as small ones in files of their name.
RECIPES = ("edge", "edge-1d")
# Of somebody else's network, which reads 20 MFCC of librosa's at 16 kHz.
THEIR_LABELS = ("neutral", "happy", "sad", "angry")
THEIR_SHAPE = (31, 20)


def furnish(folder: Path) -> Path:
    """Put into a folder what the commands of the documents name."""
    write_tess(folder / "corpora" / "TESS")
    write_ravdess(folder / "corpora" / "RAVDESS", range(1, 5), repeats=2)
    for label in LABELS:
        for number, speaker in enumerate(SPEAKERS):
            _write(folder / "mine" / label / speaker, label, range(50 * number, 50 * number + 6))
        _write(folder / "recordings" / label, label, range(900, 905))
    _write(folder, "sad", [7])
    shutil.move(folder / "7.wav", folder / "new.wav")
    shutil.copy(ROOT / "examples" / "demo.wav", folder / "recording.wav")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "ser-edge.toml").write_text('[source]\nsource = "recording.wav"\n', encoding="utf-8")
    shutil.copy(ROOT / "benchmarks" / "models" / "edge.float32.onnx", folder / "model.onnx")
    for name in RECIPES:
        (folder / f"{name}.toml").write_text(RECIPE.replace('"tiny"', f'"{name}"'))
    return folder


def furnish_with_another(folder: Path) -> None:
    """Put a network that ser-train has not made into a folder, with recordings for it."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input(THEIR_SHAPE),
            layers.Conv1D(8, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(len(THEIR_LABELS), activation="softmax"),
        ]
    ).save(folder / "their.keras")
    for number, label in enumerate(THEIR_LABELS):
        for seed in range(6):
            samples = tone(number, seed, seconds=2.4)  # played at twice the rate
            write_wav(folder / "labelled" / label / f"{seed}.wav", samples, 2 * RATE)
            write_wav(folder / "recordings" / f"{label}-{seed}.wav", samples, 2 * RATE)


def _write(folder: Path, label: str, seeds: Iterable[int]) -> None:
    emotions = {"happy": "03", "sad": "04", "angry": "05"}
    for seed in seeds:
        write_wav(folder / f"{seed}.wav", tone(RAVDESS_CODES.index(emotions[label]), seed))
