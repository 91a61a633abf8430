"""RAVDESS by folds of actors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from train.corpora import Utterance
from train.splits.split import Split, by_speakers

RAVDESS_LABELS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
# The folds that the literature on RAVDESS shares.
RAVDESS_FOLDS = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
VALIDATION_ACTORS = 4


def ravdess_5fold(utterances: list[Utterance], seed: int) -> list[Split]:
    """Give five folds of actors; four training actors, two women and two men, for validation."""
    splits = []
    for number, actors in enumerate(RAVDESS_FOLDS, start=1):
        rest = np.array(sorted(set(range(1, 25)) - set(actors)))
        rng = np.random.default_rng([seed, number])
        half = VALIDATION_ACTORS // 2
        held_out = [
            *rng.choice(rest[rest % 2 == 0], half, replace=False),
            *rng.choice(rest[rest % 2 == 1], half, replace=False),
        ]
        split = by_speakers(
            utterances,
            [f"RAVDESS-{actor:02d}" for actor in held_out],
            [f"RAVDESS-{actor:02d}" for actor in actors],
            RAVDESS_LABELS,
        )
        splits.append(replace(split, name=f"fold{number}"))
    return splits
